import { clearTimeout, setTimeout } from 'node:timers'
import { entryTable } from '../../src/cache/steps/entry.ts'
import { HitherError } from '../../src/errors.ts'
import { checkNames } from '../../src/protocol/arguments.ts'
import { checkLimits } from '../../src/store/checks.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import { oneTimer } from '../../src/store/deadline-timer.ts'
import { endsInTime } from '../../src/store/ends-in-time.ts'
import { createExclusivePool, type Lendable } from '../../src/store/exclusive-pool.ts'
import { foreign } from '../../src/store/foreign-error.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import { joinScripts } from '../../src/store/join-scripts.ts'
import { publish, timed } from '../../src/store/over-redis.ts'
import { withWatch } from '../../src/store/redis-watch.ts'
import { createScriptGuard } from '../../src/store/script-guard.ts'
import type { CommandStore, StoreEvent } from '../../src/store/store.ts'
import { ReplyError, type Wire } from '../../src/store/transport.ts'
import { waitOn } from '../../src/store/wait-on.ts'
import type { IoredisLike, Peer } from './client.ts'
import { type IoredisTransportOptions, openClient } from './transport.ts'

export type { IoredisLike } from './client.ts'
export { type ConnectOptions, connect } from './connect.ts'
export type { IoredisClient, IoredisCluster } from './package.ts'
export { type IoredisTransportOptions, ioredisTransport } from './transport.ts'

export interface IoredisStoreOptions extends IoredisTransportOptions {
  /** Longest key, in bytes of UTF-8. @default 1024 */
  readonly maxKeyBytes?: number
  /** Largest value, in bytes of UTF-8. @default 8388608 */
  readonly maxValueBytes?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  readonly onEvent?: (event: StoreEvent) => void
}

/** Most connections that wait for the server at a time (BLPOP and its kin). */
const MAX_WAITING = 64

/**
 * A store over a client of ioredis 5 or 6 or iovalkey, single, Cluster or Sentinel. Throws `UNSAFE_CLIENT` for a
 * client whose settings could hang a caller or run a command twice: `connect()` makes one with the right ones.
 * `close()` leaves the client alone unless `connect()` made it.
 */
export function ioredisStore(client: IoredisLike, options: IoredisStoreOptions = {}): CommandStore {
  checkNames('ioredisStore', options, ['owned', 'maxKeyBytes', 'maxValueBytes', 'timeoutMs', 'onEvent'])
  checkLimits(options)
  const { maxKeyBytes = 1024, maxValueBytes = 8 * 1024 * 1024, timeoutMs, onEvent } = options
  const cluster = client?.isCluster === true
  const { transport, untimed, sendEach, scan, part } = openClient(client, options)
  const openOwn = (): Lendable => ownOf(client.duplicate() as Peer)
  const pool = cluster ? undefined : createExclusivePool(openOwn)
  const waiting = cluster ? undefined : createExclusivePool(openOwn, MAX_WAITING)
  const wait = waiting && waitOn(waiting.acquire)
  const guard = createScriptGuard(transport.send, pool?.acquire)
  const scripted = createCommandStore({
    name: 'ioredis',
    traits: { shared: true, ttlStepMs: 1, maxKeyBytes, maxValueBytes, clock: 'server', consistency: 'strong' },
    transport: untimed,
    ordered: !cluster,
    watch: oneTimer(lasting),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    sendEach,
    joinScripts,
    ...(cluster ? { slotOf } : {}),
    guard,
    toOutage: foreign,
    onEvent,
  })
  const store = withWatch(scripted, { acquire: pool?.acquire, timeoutMs, table: entryTable, guard, onEvent })
  return endsInTime({
    ...store,
    transport:
      pool && wait
        ? { ...transport, exclusive: pool.acquire, wait: async (...asked) => notMoved(await wait(...asked)) }
        : transport,
    scan: (pattern, call) => scan(pattern, call, timeoutMs),
    ...(part && { part }),
    subscribe: transport.subscribe as NonNullable<typeof transport.subscribe>,
    publish: (channel, message, call) => publish(timed(transport.send, timeoutMs), channel, message, call),
    async close() {
      await store.close()
      await Promise.all([pool?.close(), waiting?.close()])
    },
  })
}

/** Throws for a reply of MOVED: a single client does not know the nodes of the Cluster to which its server turns out to belong. */
function notMoved(reply: Wire): Wire {
  if (!(reply instanceof ReplyError && reply.word === 'MOVED')) return reply
  throw new HitherError('UNSUPPORTED', 'over a Cluster of ioredis no call waits')
}

/**
 * Wraps a duplicate of the client for a pool. If it is released as broken it is cut at once: a command that still waits on the
 * server, such as BLPOP, would take an element that nobody receives.
 */
function ownOf(client: Peer): Lendable {
  const { transport } = openClient(client, { owned: true }, true)
  const close = (broken?: boolean): Promise<void> => {
    if (broken) {
      client.disconnect()
      client.stream?.destroy?.()
    }
    return transport.close()
  }
  let hasEnded = false
  client.on('close', () => {
    hasEnded = true
  })
  /** Throws after a reconnect by the client: the server has forgotten the WATCH, so EXEC would run unguarded. */
  const checkEnded = (): void => {
    if (hasEnded) throw new HitherError('STORE_UNAVAILABLE', 'the connection ended', { retryable: true })
  }
  return {
    async send(command, call) {
      checkEnded()
      return transport.send(command, call)
    },
    async transaction(commands, call) {
      checkEnded()
      return transport.transaction(commands, call)
    },
    get ended() {
      return hasEnded
    },
    close,
  }
}

/**
 * Node's timer, since Deno's global one cannot be unreferenced. It keeps no process alive: while commands are under way, the
 * client's socket does.
 */
function lasting(fn: () => void, ms: number): () => void {
  const timer = setTimeout(fn, Math.min(Math.max(ms, 0), 2 ** 31 - 1))
  timer.unref()
  return () => {
    clearTimeout(timer)
  }
}
