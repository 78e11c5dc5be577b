import type { MultiRegionRatelimitConfig } from '@upstash/ratelimit'
import { type AtomicStore, HitherError } from 'hither'
import { createClient } from './client.ts'
import { overOperations } from './over-operations.ts'
import { overTransport } from './over-transport.ts'

/** What `@upstash/ratelimit` declares its `redis` to be. */
export type UpstashRedis = MultiRegionRatelimitConfig['redis'][number]

/**
 * A store as the `redis` that `@upstash/ratelimit` takes: `new Ratelimit({ redis: toUpstashRedis(store), … })`, one for
 * each region of a `MultiRegionRatelimit`. No new connection, and nothing to close. It has the methods which that
 * package calls and no other, whatever its type says: give other code a client of its own.
 *
 * Over a server the package's scripts run there, without the flag `allow-key-locking` where only Upstash knows it; on a
 * Cluster its keys share one slot, since its scripts touch several. A store without commands, such as `memoryStore`, runs
 * the scripts of version 2.2 as operations, and rejects one it does not know with `UNSUPPORTED`.
 *
 * Nothing is sent twice. Rejects as the store's transport does, and with `STORE_REJECTED` for an error reply. The time
 * in a decision, and what happens after `timeout`, are the package's own.
 */
export function toUpstashRedis(store: AtomicStore): UpstashRedis {
  if (typeof store?.run !== 'function') {
    throw new HitherError('UNSUPPORTED', 'toUpstashRedis takes a store with operations, such as memoryStore()')
  }
  return createClient(store.transport ? overTransport(store.transport) : overOperations(store)) as UpstashRedis
}
