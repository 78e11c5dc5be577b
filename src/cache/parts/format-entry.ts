import { parseEntry } from '../../protocol/entry.ts'
import { checkNamespace, storedKey } from '../../protocol/keys.ts'
import type { AtomicStore, Store } from '../../store/store.ts'
import { withoutOperations } from '../../store/without-operations.ts'
import { fillEntry } from '../load/fill.ts'
import { leases } from '../load/lease.ts'
import type { Format } from '../model.ts'
import { cannotRun, type Steps } from '../steps/by-effect.ts'
import { entrySteps } from '../steps/entry.ts'
import { entryScripts } from '../steps/small-entry.ts'

/** The format of the cache's own entries (`protocol/entry.ts`), on any store. */
export const entryFormat: Format = /* @__PURE__ */ formOf(entrySteps, withoutOperations, entrySteps)

/** The same format for servers with scripts, and for stores that implement the steps of entries themselves. */
export const scriptedFormat: Format = /* @__PURE__ */ formOf(entryScripts, cannotRun)

/** `instead` makes an atomic store of one that runs no operations, or throws. */
function formOf(steps: Steps, instead: Format['atomic'], verbs?: Steps): Format {
  const atomic = (store: Store): AtomicStore =>
    typeof (store as Partial<AtomicStore>).run === 'function' ? (store as AtomicStore) : instead(store)
  return {
    level: 2,
    namespace: checkNamespace,
    atomic,
    storedKey,
    parse: parseEntry,
    steps,
    verbs,
    leases,
    fill: fillEntry,
  }
}
