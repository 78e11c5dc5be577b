import type { ApplyTable } from '../../protocol/operation.ts'
import { byEffect, cannotRun, type Steps } from './by-effect.ts'
import { COUNTER_LUA, increment } from './counters.ts'
import { LEASE_LUA, leaseSteps } from './lease.ts'
import { ENTRY_LUA, storedEntry, UNREAD_LUA } from './stored-entry.ts'
import { same } from './transition.ts'
import { BURY_LUA, VERB_LUA, valueSteps, WRITE_LUA } from './values.ts'

/**
 * The atomic steps on one entry, in one script, so that a server learns one digest; a cache of few verbs has them in a shorter
 * one (`small-entry.ts`). The first argument is the verb, the
 * second an id: of an entry that the caller has found dead, and that the step treats as absent, or `''`; of `take`, `touch`,
 * `bury` and `rewrite` that of the entry that is meant. The caller of `add`, `increment`, `take` or `touch` that has read
 * nothing gives `=`, the generation it remembers and the marks it knows; that of `add`, which needs what is there in any case, `=`
 * alone. A live entry without tags, of that generation and of one of those marks, is then taken for valid. Any other is left as it
 * is, and the reply is `found, id, generation, tags, mark`.
 *
 * | verbs | arguments and replies |
 * | --- | --- |
 * | set, add, fill, rewrite, take, touch, ttl, expire, bury | `values.ts` |
 * | lease, release, fail, gone | `lease.ts` |
 * | increment | `counters.ts` |
 *
 * Text of another form counts as absent. Zero milliseconds mean no end.
 */
const lua = `${ENTRY_LUA}${UNREAD_LUA}${WRITE_LUA}${BURY_LUA}${VERB_LUA}${LEASE_LUA}${COUNTER_LUA}
return 0`

/** The steps with both forms, for any store. */
export const entrySteps: Steps = /* @__PURE__ */ byEffect(lua, applyEntry)

/** The same for the verbs of a cache that leaves `apply` to its store. */
export const verbScripts: Steps = /* @__PURE__ */ byEffect(lua, cannotRun)

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
