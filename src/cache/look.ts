import type { Core } from './engine.ts'
import type { Reading } from './judge.ts'
import { type PendingReads, readEntry } from './reading.ts'
import type { NamespaceKeys } from './versions.ts'

export type { Reading as Found } from './judge.ts'
export type { PendingReads as Sent } from './reading.ts'

export function look(
  core: Core,
  keys: NamespaceKeys,
  storedKey: string,
  names: readonly string[],
  liveId = '',
  queued = false,
  pending?: PendingReads,
): Promise<Reading> {
  return readEntry(core, keys, { storedKey, names, liveId, queued, pending })
}
