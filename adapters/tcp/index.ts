import { entryTable } from '../../src/cache/steps/entry.ts'
import { setQuietTimer } from '../../src/runtime/clock.ts'
import { checkLimits } from '../../src/store/checks.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import { oneTimer } from '../../src/store/deadline-timer.ts'
import { endsInTime } from '../../src/store/ends-in-time.ts'
import { foreign } from '../../src/store/foreign-error.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import { joinScripts } from '../../src/store/join-scripts.ts'
import { publish, timed } from '../../src/store/over-redis.ts'
import { withWatch } from '../../src/store/redis-watch.ts'
import { createScriptGuard } from '../../src/store/script-guard.ts'
import type { CommandStore } from '../../src/store/store.ts'
import type { TcpTransportOptions } from './options.ts'
import { openTransport } from './transport.ts'

export type { SentinelOptions, TcpTransportOptions } from './options.ts'
export type { TlsOptions } from './settings.ts'
export type { NatMap } from './topology.ts'
export { trackingFeed } from './tracking-feed.ts'
export { type TcpTransport, tcpTransport } from './transport.ts'
export { type TransportStoreOptions, transportStore } from './transport-store.ts'

export interface TcpStoreOptions extends TcpTransportOptions {
  /** Longest key, in bytes of UTF-8. @default 1024 */
  readonly maxKeyBytes?: number
  /** Largest value, in bytes of UTF-8. @default 8388608 */
  readonly maxValueBytes?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
}

/** Most bytes that an entry has beside its value: its header and 64 tags. */
const AROUND = 1024 * 1024

/**
 * A store over Redis or Valkey. It opens its own sockets and needs no other package. One url is one server, several are nodes
 * of a Cluster, and `sentinel` leads to the primary that Sentinels watch. It connects at the first call; `await store.ready()`
 * connects at once. In place of options it takes a url, or a list of urls. Throws `INVALID_URL` or `INVALID_ARGUMENT`.
 */
export function tcpStore(options: TcpStoreOptions | string | readonly string[]): CommandStore {
  const urls = typeof options === 'string' || Array.isArray(options)
  const given: TcpStoreOptions = urls ? { url: options } : ((options as TcpStoreOptions) ?? {})
  checkLimits(given)
  const { maxKeyBytes = 1024, maxValueBytes = 8 * 1024 * 1024, timeoutMs, ...rest } = given
  const { onEvent, reads, connections = 1 } = rest
  const opened = openTransport({ maxReplyBytes: maxValueBytes + AROUND, ...rest })
  const { transport, sendEach, clustered, part, scan } = opened
  const consistency = reads === 'replica' ? 'eventual' : 'strong'
  const guard = createScriptGuard(transport.send, transport.exclusive)
  const scripted = createCommandStore({
    name: 'tcp',
    traits: {
      ...{ shared: true, ttlStepMs: 1, maxKeyBytes, maxValueBytes, clock: 'server', consistency },
      readsApart: connections > 1,
    },
    transport,
    sendEach,
    joinScripts,
    ordered: !clustered && connections === 1,
    ...(clustered ? { slotOf } : {}),
    watch: oneTimer(setQuietTimer),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    guard,
    toOutage: foreign,
    onEvent,
  })
  return endsInTime({
    ...withWatch(scripted, { acquire: transport.exclusive, timeoutMs, table: entryTable, guard, onEvent }),
    scan: (pattern, call) => scan(pattern, call, timeoutMs),
    ...(clustered ? { part } : {}),
    subscribe: transport.subscribe,
    publish: (channel, message, call) => publish(timed(transport.send, timeoutMs), channel, message, call),
  })
}
