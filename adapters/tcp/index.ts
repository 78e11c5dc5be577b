import { setQuietTimer } from '../../src/runtime/clock.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import { oneTimer } from '../../src/store/deadline-timer.ts'
import { joinScripts } from '../../src/store/join-scripts.ts'
import { publish, scanKeys } from '../../src/store/over-redis.ts'
import { withWatch } from '../../src/store/redis-watch.ts'
import type { CommandStore } from '../../src/store/store.ts'
import { openTransport, type TcpTransportOptions } from './transport.ts'

export type { TlsOptions } from './connection.ts'
export { type TcpTransport, type TcpTransportOptions, tcpTransport } from './transport.ts'

export interface TcpStoreOptions extends TcpTransportOptions {
  /** Longest key, in bytes of UTF-8. @default 1024 */
  readonly maxKeyBytes?: number
  /** Largest value, in bytes of UTF-8. @default 8388608 */
  readonly maxValueBytes?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
}

/** What an entry has around its value, in bytes at most: its header and 64 tags. */
const AROUND = 1024 * 1024

/**
 * A store over one Redis or Valkey, on a socket of our own: it needs no other package. It connects at the first call;
 * `await store.ready()` asks at once. Takes a url alone, too. Throws `INVALID_URL` or `INVALID_ARGUMENT`.
 */
export function tcpStore(options: TcpStoreOptions | string): CommandStore {
  const given: TcpStoreOptions = typeof options === 'string' ? { url: options } : (options ?? {})
  const { maxKeyBytes = 1024, maxValueBytes = 8 * 1024 * 1024, timeoutMs, ...rest } = given
  const { onEvent } = rest
  const { transport, sendEach } = openTransport({ maxReplyBytes: maxValueBytes + AROUND, ...rest })
  const scripted = createCommandStore({
    name: 'tcp',
    traits: { shared: true, ttlStepMs: 1, maxKeyBytes, maxValueBytes, clock: 'server', consistency: 'strong' },
    transport,
    sendEach,
    joinScripts,
    ordered: true,
    watch: oneTimer(setQuietTimer),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    onEvent,
  })
  return {
    ...withWatch(scripted, transport.exclusive, timeoutMs),
    scan: (pattern, call) => scanKeys(transport.send, pattern, call),
    subscribe: transport.subscribe,
    publish: (channel, message, call) => publish(transport.send, channel, message, call),
  }
}
