import { HitherError } from '../../errors.ts'
import type { ApplyTable, Arg, Effect, Operation, Reply } from '../../protocol/operation.ts'
import { COUNTER_LUA, increment } from './counters.ts'
import { LEASE_LUA, leaseSteps } from './lease.ts'
import { ENTRY_LUA, storedEntry } from './stored-entry.ts'
import { same } from './transition.ts'
import { VALUE_LUA, valueSteps } from './values.ts'

/**
 * The atomic steps on one entry, in one script, so that a server learns one digest. The first argument is the verb, the
 * second an id: of an entry that the caller has found dead, and that the step treats as absent, or `''`; of `take`, `touch`,
 * `bury` and `rewrite` that of the entry that is meant. The caller of `add`, `increment`, `take` or `touch` that has read
 * nothing gives `=` and the generation it remembers; that of `add`, which needs what is there in any case, `=` alone. A live
 * entry without tags of that generation is then taken for valid. Any other is left as it is, and the reply is `found, id, generation, tags`.
 *
 * | verbs | arguments and replies |
 * | --- | --- |
 * | set, add, fill, rewrite, take, touch, ttl, expire, bury | `values.ts` |
 * | lease, release, fail, gone | `lease.ts` |
 * | increment | `counters.ts` |
 *
 * Text of another form counts as absent. Zero milliseconds mean no end.
 */
const lua = `${ENTRY_LUA}${VALUE_LUA}${LEASE_LUA}${COUNTER_LUA}
return 0`

type Steps = Readonly<Record<Effect, Operation<readonly Arg[], Reply>>>

function named(apply: Operation<readonly Arg[], Reply>['apply']): Steps {
  return {
    /** For `ttl`. */
    read: { name: 'entry.read', effect: 'read', lua, apply },
    /** For `release`, `fail`, `gone`, `fill` and a lease renewed, which find by their token that they have run, `expire` and `bury`. */
    repeat: { name: 'entry.repeat', effect: 'repeat', lua, apply },
    /** For `set`, `add`, `rewrite`, `take`, `touch` and `increment`; and `lease`, which would give an old load its lease back. */
    once: { name: 'entry.once', effect: 'once', lua, apply },
  }
}

/** The steps for a server that runs scripts, and for stores that have `entryTable`: without `apply`, they are much smaller. */
export const entryScripts: Steps = /* @__PURE__ */ named(() => {
  throw new HitherError(
    'UNSUPPORTED',
    'a cache of hither/mini cannot run its steps on this store: take createCache of hither',
  )
})

/** The steps with both forms, for any store. */
export const entrySteps: Steps = /* @__PURE__ */ named(applyEntry)

/** By the name of an operation, what a store runs in place of its `apply`. */
export const entryTable: ApplyTable = {
  'entry.read': applyEntry,
  'entry.repeat': applyEntry,
  'entry.once': applyEntry,
}

function applyEntry(...[current, args, at]: Parameters<ApplyTable[string]>): ReturnType<ApplyTable[string]> {
  const [verb, id, ...rest] = args
  const name = verb as string
  const step = valueSteps[name] ?? leaseSteps[name] ?? (name === 'increment' ? increment : undefined)
  const entry = storedEntry(current, args, at)
  if (entry.found) return same(current, entry.found)
  return step ? step(entry, rest, id) : same(current, 0)
}
