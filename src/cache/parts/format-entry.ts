import { parseEntry } from '../../protocol/entry.ts'
import { storedKey } from '../../protocol/keys.ts'
import { fillEntry } from '../load/fill.ts'
import { leases } from '../load/lease.ts'
import type { Format } from '../model.ts'
import { readEntry, repeatEntry, writeEntry } from '../steps/entry.ts'

/** Entries of the cache's own form (`protocol/entry.ts`). */
export const entryFormat: Format = {
  plain: false,
  storedKey,
  parse: parseEntry,
  steps: { read: readEntry, repeat: repeatEntry, once: writeEntry },
  leases,
  fill: fillEntry,
}
