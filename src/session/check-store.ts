import { HitherError } from '../errors.ts'
import type { AtomicStore } from '../store/store.ts'

/**
 * Throws `UNSUPPORTED` for a store without operations, and for a store whose reads may be behind its writes: while a replica
 * lags, it would still open a session that has ended.
 */
export function checkStore(store: AtomicStore): void {
  if (typeof store?.run !== 'function') {
    throw new HitherError('UNSUPPORTED', 'sessions need a store with operations, such as memoryStore()')
  }
  if (store.traits?.consistency === 'eventual') {
    throw new HitherError('UNSUPPORTED', 'sessions need a store whose reads see every write: replicas are behind')
  }
}
