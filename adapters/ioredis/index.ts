import { createCommandStore } from '../../src/store/command-store.ts'
import type { AtomicStore, StoreEvent } from '../../src/store/store.ts'
import type { Wire } from '../../src/store/transport.ts'
import type { IoredisLike, Peer } from './client.ts'
import { slotOf } from './slot.ts'
import { ioredisTransport, type IoredisTransportOptions } from './transport.ts'

export type { IoredisLike } from './client.ts'
export { connect, type ConnectOptions } from './connect.ts'
export { ioredisTransport, type IoredisTransportOptions } from './transport.ts'

export interface IoredisStoreOptions extends IoredisTransportOptions {
  /** Longest key, in bytes of UTF-8. @default 1024 */
  readonly maxKeyBytes?: number
  /** Largest value, in bytes of UTF-8. @default 8388608 */
  readonly maxValueBytes?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  readonly onEvent?: (event: StoreEvent) => void
}

/**
 * A store over a client of ioredis 5 or 6 or iovalkey, single, Cluster or Sentinel. Throws `UNSAFE_CLIENT` for a
 * client whose settings could hang a caller or run a command twice: `connect()` makes one with the right ones.
 * `close()` leaves the client alone unless `connect()` made it.
 */
export function ioredisStore(client: IoredisLike, options: IoredisStoreOptions = {}): AtomicStore {
  const { maxKeyBytes = 1024, maxValueBytes = 8 * 1024 * 1024, timeoutMs, onEvent } = options
  const cluster = client?.isCluster === true
  const transport = ioredisTransport(client, options)
  const store = createCommandStore({
    name: 'ioredis',
    traits: { shared: true, ttlStepMs: 1, maxKeyBytes, maxValueBytes, clock: 'server', consistency: 'strong' },
    transport,
    ordered: !cluster,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(cluster ? { slotOf } : {}),
    onEvent,
  })
  if (transport.subscribe) store.subscribe = transport.subscribe
  if (cluster) {
    // SCAN sees one node: every primary is asked in turn.
    store.scan = async function* (pattern) {
      await store.ready()
      for (const node of (client as Peer).nodes?.('master') ?? []) {
        let cursor = '0'
        do {
          const reply = await node.call('SCAN', [cursor, 'MATCH', pattern, 'COUNT', 1000])
          const [next, keys] = reply as readonly [string, readonly Wire[]]
          cursor = next
          for (const key of keys) yield String(key)
        } while (cursor !== '0')
      }
    }
  }
  return store
}
