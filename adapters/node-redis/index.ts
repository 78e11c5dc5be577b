import { entryTable } from '../../src/cache/steps/entry.ts'
import { checkNames } from '../../src/protocol/arguments.ts'
import { checkLimits } from '../../src/store/checks.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import { createExclusivePool, type Lendable } from '../../src/store/exclusive-pool.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import { publish, timed } from '../../src/store/over-redis.ts'
import { withWatch } from '../../src/store/redis-watch.ts'
import { createScriptGuard } from '../../src/store/script-guard.ts'
import type { Call, CommandStore, StoreEvent } from '../../src/store/store.ts'
import { waitOn } from '../../src/store/wait-on.ts'
import { type NodeRedisLike, serversOf } from './peer.ts'
import { limited, type NodeRedisTransport, unlimitedTransport } from './transport.ts'

export type { NodeRedisLike } from './peer.ts'
export { type NodeRedisTransport, nodeRedisTransport } from './transport.ts'

/** Most connections that wait for the server at a time (BLPOP and its kin). */
const MAX_WAITING = 64

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
  const transport = unlimitedTransport(client)
  const raw = limited(transport)
  const { isCluster } = serversOf(client)
  const openOwn = (): Lendable => lendableOf(transport)
  const pool = isCluster ? undefined : createExclusivePool(openOwn)
  const waiting = isCluster ? undefined : createExclusivePool(openOwn, MAX_WAITING)
  const acquire = pool?.acquire ?? transport.exclusive
  const guard = createScriptGuard(transport.send, acquire)
  const store = createCommandStore({
    name: 'node-redis',
    traits: { shared: true, ttlStepMs: 1, maxKeyBytes, maxValueBytes, clock: 'server', consistency: 'strong' },
    transport,
    sendEach: transport.sendEach,
    ordered: !isCluster,
    ...(isCluster ? { slotOf } : {}),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    guard,
    onEvent,
  })
  return {
    ...withWatch(store, { acquire, timeoutMs, table: entryTable, guard, onEvent }),
    transport: pool && waiting ? { ...raw, exclusive: pool.acquire, wait: waitOn(waiting.acquire) } : raw,
    scan: (pattern, call) => transport.scan(pattern, call, timeoutMs),
    subscribe: transport.subscribe,
    publish: (channel, message, call) => publish(timed(raw.send, timeoutMs), channel, message, call),
    async close() {
      // Also ends the connections that were opened beside the client.
      await store.close()
      await Promise.all([pool?.close(), waiting?.close()])
    },
  }
}

/** A connection beside the client. Its first call opens it, within the limits of that call. */
function lendableOf({ exclusive }: NodeRedisTransport): Lendable {
  let own: ReturnType<NodeRedisTransport['exclusive']> | undefined
  let isBroken = (): boolean => false
  const open = async (call?: Call): ReturnType<NodeRedisTransport['exclusive']> => {
    if (!own) {
      own = exclusive(call)
      own.then(
        (opened) => {
          isBroken = () => opened.ended
        },
        () => {
          isBroken = () => true
        },
      )
    }
    return own
  }
  return {
    send: async (command, call) => (await open(call)).send(command, call),
    transaction: async (commands, call) => (await open(call)).transaction(commands, call),
    get ended() {
      return isBroken()
    },
    close: async () => own?.then(({ release }) => release(false)).catch(() => {}),
  }
}
