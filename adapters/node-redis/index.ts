import { entryTable } from '../../src/cache/steps/entry.ts'
import { checkNames } from '../../src/protocol/arguments.ts'
import { checkLimits } from '../../src/store/checks.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import { publish } from '../../src/store/over-redis.ts'
import { withWatch } from '../../src/store/redis-watch.ts'
import { createScriptGuard } from '../../src/store/script-guard.ts'
import type { CommandStore, StoreEvent } from '../../src/store/store.ts'
import { type NodeRedisLike, serversOf } from './peer.ts'
import { nodeRedisTransport } from './transport.ts'

export type { NodeRedisLike } from './peer.ts'
export { type NodeRedisTransport, nodeRedisTransport } from './transport.ts'

export interface NodeRedisStoreOptions {
  /** Longest key, in bytes of UTF-8. @default 1024 */
  readonly maxKeyBytes?: number
  /** Largest value, in bytes of UTF-8. @default 8388608 */
  readonly maxValueBytes?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  readonly onEvent?: (event: StoreEvent) => void
}

/**
 * A store over a client or a Cluster of node-redis (`redis` 5 or 6) that the program has made and connected, with
 * `disableOfflineQueue: true`; closing the store leaves it open. Throws `INVALID_ARGUMENT` or `UNSAFE_CLIENT`.
 */
export function nodeRedisStore(client: NodeRedisLike, options: NodeRedisStoreOptions = {}): CommandStore {
  checkNames('nodeRedisStore', options, ['maxKeyBytes', 'maxValueBytes', 'timeoutMs', 'onEvent'])
  checkLimits(options)
  const { maxKeyBytes = 1024, maxValueBytes = 8 * 1024 * 1024, timeoutMs, onEvent } = options
  const transport = nodeRedisTransport(client)
  const { isCluster } = serversOf(client)
  const guard = createScriptGuard(transport.send, transport.exclusive)
  const store = createCommandStore({
    name: 'node-redis',
    traits: { shared: true, ttlStepMs: 1, maxKeyBytes, maxValueBytes, clock: 'server', consistency: 'strong' },
    transport,
    ordered: !isCluster,
    ...(isCluster ? { slotOf } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    guard,
    onEvent,
  })
  return {
    ...withWatch(store, { acquire: transport.exclusive, timeoutMs, table: entryTable, guard, onEvent }),
    scan: transport.scan,
    subscribe: transport.subscribe,
    publish: (channel, message, call) => publish(transport.send, channel, message, call),
  }
}
