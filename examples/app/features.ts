import type { AtomicStore } from 'hither'
import { createLocks, type Locks } from 'hither/lock'

export interface FeaturesOptions {
  readonly store: AtomicStore
}

/** What the application uses of the store beside its cache. Data only: one of it may serve every request of an isolate. */
export interface Features {
  readonly locks: Locks
}

export function createFeatures({ store }: FeaturesOptions): Features {
  return { locks: createLocks({ store, namespace: 'places', ttl: '10s' }) }
}
