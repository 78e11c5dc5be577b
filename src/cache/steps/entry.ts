import type { Arg, Operation, Reply } from '../../protocol/operation.ts'
import { COUNTER_LUA, increment } from './counters.ts'
import { LEASE_LUA, leaseSteps } from './lease.ts'
import { ENTRY_LUA, type Step, storedEntry } from './stored-entry.ts'
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

const steps: Readonly<Record<string, Step>> = { ...valueSteps, ...leaseSteps, increment }

const apply: Operation<readonly Arg[], Reply>['apply'] = (current, args, at) => {
  const [verb, id, ...rest] = args
  const step = steps[verb as string]
  const entry = storedEntry(current, args, at)
  if (entry.found) return same(current, entry.found)
  return step ? step(entry, rest, id) : same(current, 0)
}

/** For `ttl`. */
export const readEntry: Operation<readonly Arg[], Reply> = { name: 'entry.read', effect: 'read', lua, apply }
/** For `release`, `fail`, `gone`, `fill` and a lease renewed, which find by their token that they have run, `expire` and `bury`. */
export const repeatEntry: Operation<readonly Arg[], Reply> = { name: 'entry.repeat', effect: 'repeat', lua, apply }
/** For `set`, `add`, `rewrite`, `take`, `touch` and `increment`; and `lease`, which would give an old load its lease back. */
export const writeEntry: Operation<readonly Arg[], Reply> = { name: 'entry.once', effect: 'once', lua, apply }
