import type { MultiRegionRatelimitConfig } from '@upstash/ratelimit'
import { type AtomicStore, HitherError } from 'hither'
import { createClient } from './client.ts'
import { overOperations } from './over-operations.ts'
import { overTransport } from './over-transport.ts'

/** The type that `@upstash/ratelimit` declares for its `redis`. */
export type UpstashRedis = MultiRegionRatelimitConfig['redis'][number]

/**
 * A store as the `redis` that `@upstash/ratelimit` takes: `new Ratelimit({ redis: toUpstashRedis(store), … })`, one for
 * each region of a `MultiRegionRatelimit`. It opens no connection, and needs no closing. It has only the methods that this
 * package calls, whatever its type says: other code needs its own client.
 *
 * On a server, the server runs the package's scripts, without the flag `allow-key-locking` where only Upstash knows that flag.
 * On a Cluster all keys share one slot, since the scripts use several keys. A store without commands, such as `memoryStore`,
 * runs the scripts of version 2.2 as operations, and rejects with `UNSUPPORTED` for a script that it does not know.
 *
 * Nothing is sent twice. Rejects with the errors of the store's transport, and with `STORE_REJECTED` for an error reply. The
 * clock of a decision, and what happens after `timeout`, are those of the package.
 */
export function toUpstashRedis(store: AtomicStore): UpstashRedis {
  if (typeof store?.run !== 'function') {
    throw new HitherError('UNSUPPORTED', 'toUpstashRedis takes a store with operations, such as memoryStore()')
  }
  return createClient(store.transport ? overTransport(store.transport) : overOperations(store)) as UpstashRedis
}
