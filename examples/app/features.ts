import type { AtomicStore } from 'hither'
import { createLocks, type Locks } from 'hither/lock'
import { createSearches, type Searches } from './searches.ts'
import { createSignIn, type SessionsFor } from './sign-in.ts'

export interface FeaturesOptions {
  readonly store: AtomicStore
  /** Signs the cookies of sessions: at least 32 random bytes, or their base64, the same on every server. Without it nobody signs in. */
  readonly secret?: string | Uint8Array | undefined
}

/** What the application builds on the store beside its cache. Holds data only, so that all requests of an isolate may share it. */
export interface Features {
  readonly locks: Locks
  /** Undefined without a secret. */
  readonly sessionsFor: SessionsFor | undefined
  readonly searches: Searches
}

export function createFeatures({ store, secret }: FeaturesOptions): Features {
  return {
    locks: createLocks({ store, namespace: 'places', ttl: '10s' }),
    sessionsFor: secret ? createSignIn(store, secret) : undefined,
    searches: createSearches(store),
  }
}
