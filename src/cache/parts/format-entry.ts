import { parseEntry } from '../../protocol/entry.ts'
import { storedKey } from '../../protocol/keys.ts'
import { fillEntry } from '../load/fill.ts'
import { leases } from '../load/lease.ts'
import type { Format } from '../model.ts'
import { entryScripts, entrySteps } from '../steps/entry.ts'

/** Entries of the cache's own form (`protocol/entry.ts`), on any store. */
export const entryFormat: Format = /* @__PURE__ */ formOf(entrySteps)

/** The same for servers with scripts, and stores that have the steps of entries themselves. */
export const scriptedFormat: Format = /* @__PURE__ */ formOf(entryScripts)

function formOf(steps: Format['steps']): Format {
  return { plain: false, storedKey, parse: parseEntry, steps, leases, fill: fillEntry }
}
