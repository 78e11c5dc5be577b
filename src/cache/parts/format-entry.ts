import { parseEntry } from '../../protocol/entry.ts'
import { checkNamespace, storedKey } from '../../protocol/keys.ts'
import type { AtomicStore, Store } from '../../store/store.ts'
import { withoutOperations } from '../../store/without-operations.ts'
import { fillEntry } from '../load/fill.ts'
import { leases } from '../load/lease.ts'
import type { Format } from '../model.ts'
import { entryScripts, entrySteps } from '../steps/entry.ts'

/** Entries of the cache's own form (`protocol/entry.ts`), on any store. */
export const entryFormat: Format = /* @__PURE__ */ formOf(entrySteps)

/** The same for servers with scripts, and stores that have the steps of entries themselves. */
export const scriptedFormat: Format = /* @__PURE__ */ formOf(entryScripts)

function atomic(store: Store): AtomicStore {
  return typeof (store as Partial<AtomicStore>).run === 'function' ? (store as AtomicStore) : withoutOperations(store)
}

function formOf(steps: Format['steps']): Format {
  return { level: 2, namespace: checkNamespace, atomic, storedKey, parse: parseEntry, steps, leases, fill: fillEntry }
}
