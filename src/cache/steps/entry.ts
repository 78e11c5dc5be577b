import type { ApplyTable } from '../../protocol/operation.ts'
import { byEffect, cannotRun, type Steps } from './by-effect.ts'
import { COUNTER_LUA, increment } from './counters.ts'
import { LEASE_LUA, leaseSteps } from './lease.ts'
import { ENTRY_LUA, storedEntry, UNREAD_LUA } from './stored-entry.ts'
import { same } from './transition.ts'
import { BURY_LUA, VERB_LUA, valueSteps, WRITE_LUA } from './values.ts'

/**
 * The atomic steps on one entry, in one script, so that a server learns one digest; a cache of few verbs has them in a shorter
 * one (`small-entry.ts`). The first argument is the verb. The second is an id: that of an entry which the caller has found
 * dead, and which the step treats as absent, or `''`. For `take`, `touch`, `bury` and `rewrite` it is the id of the entry to
 * change.
 *
 * The caller of `add`, `increment`, `take` or `touch` that has read nothing passes `=`, the generation it remembers and the
 * marks it knows. The step then takes a live entry for valid if it has no tags, that generation and one of those marks. It
 * leaves any other live entry as it is, and replies `found, id, generation, tags, mark`. A caller of `add` that needs the
 * present entry in any case passes `=` alone: every live entry gets that reply.
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

/** The steps as a script and as `apply`, for any store. */
export const entrySteps: Steps = /* @__PURE__ */ byEffect(lua, applyEntry)

/** The same steps without `apply`, for a cache that relies on its store to have it. */
export const verbScripts: Steps = /* @__PURE__ */ byEffect(lua, cannotRun)

/** The `apply` of each operation by its name, for a store that runs operations without their own. */
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
