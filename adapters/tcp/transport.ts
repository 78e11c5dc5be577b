import { HitherError } from '../../src/errors.ts'
import { checkNames, checkWhole } from '../../src/protocol/arguments.ts'
import { now } from '../../src/runtime/clock.ts'
import { tell } from '../../src/runtime/listener.ts'
import { createExclusivePool, type ExclusivePool, type Lendable } from '../../src/store/exclusive-pool.ts'
import { parseRedisUrl } from '../../src/store/redis-url.ts'
import type { Call, StoreEvent } from '../../src/store/store.ts'
import type { Exclusive, SendEach, Transport } from '../../src/store/transport.ts'
import { createCalls, kindOf } from './calls.ts'
import { type Connection, closed, openConnection, type Settings, type TlsOptions } from './connection.ts'
import { createLink } from './link.ts'
import { createListeners } from './listener.ts'
import { createSubscriber } from './subscriber.ts'

export interface TcpTransportOptions {
  /** `redis://user:password@host:6379/0`, `rediss:` for TLS, `unix:///path` for a socket; the user is optional, as are `?db=`, `family=` and `tls=`. */
  readonly url: string
  /** For a `rediss:` url. @default the system's authorities, and no certificate of one's own */
  readonly tls?: TlsOptions
  /** Replies keep one shape over 2, the one that REST and ioredis have; 3 nests some and flattens others. @default 2 */
  readonly protocol?: 2 | 3
  /** Longest wait for an open connection, TLS and credentials included, in milliseconds. @default 5000 */
  readonly connectTimeoutMs?: number
  /** Longest silence while a reply is awaited, in milliseconds; the connection is then given up. @default 10000 */
  readonly linkTimeoutMs?: number
  /** A connection unused for so long, in milliseconds, is replaced before it is used again. @default 60000 */
  readonly idleMs?: number
  /** Most commands that wait for an answer on one connection; one more rejects with `OVERLOADED`. At least 10,000. @default 100000 */
  readonly maxQueue?: number
  /** Longest string that is read from a reply, in bytes; a longer one is an error in its place. @default 16777216 */
  readonly maxReplyBytes?: number
  /**
   * Most that is held of the replies to one `sendMany` or `transaction`, in bytes; past it each further reply is an error
   * in its place. @default 67108864, or `maxReplyBytes` where that is more
   */
  readonly maxCallBytes?: number
  /** Most bytes of one reply in all its parts; a larger one is an error as a whole. @default 64 of the longest strings, 512 MiB at most */
  readonly maxTotalReplyBytes?: number
  readonly onEvent?: (event: StoreEvent) => void
}

/** Most connections that wait for the server at a time (BLPOP and its kin). */
const MAX_WAITING = 64
const GRACE_MS = 1000
const MAX_CALL_BYTES = 64 * 1024 * 1024
/** A public batch, which always fits. */
const LEAST_QUEUE = 10_000

export interface TcpTransport extends Transport {
  readonly subscribe: NonNullable<Transport['subscribe']>
  readonly exclusive: NonNullable<Transport['exclusive']>
  readonly listen: NonNullable<Transport['listen']>
}

/**
 * The raw way to one Redis or Valkey over a socket of our own. It connects at the first call. Commands of one run of
 * microtasks share a write, and are answered in order; a command that waits (BLPOP, XREAD BLOCK, …) has a connection
 * of its own, as have subscriptions and what `exclusive` lends. While a connection opens calls wait, up to their
 * deadlines; between two attempts they reject at once. Nothing is ever sent twice.
 *
 * Throws `INVALID_URL` or `INVALID_ARGUMENT`. A node of a Cluster that answers MOVED is `UNSUPPORTED`.
 */
export function tcpTransport(options: TcpTransportOptions): TcpTransport {
  return openTransport(options).transport
}

export interface OpenTransport {
  readonly transport: TcpTransport
  readonly sendEach: SendEach
}

export function openTransport(options: TcpTransportOptions): OpenTransport {
  let cluster = false
  const settings = toSettings(options, () => {
    cluster = true
  })
  const idleMs = checkWhole(options.idleMs ?? 60_000, 'idleMs', 1)
  const link = createLink(settings, idleMs)
  const { sendEach, ...shared } = createCalls(link.pick, true)
  const pool = createExclusivePool(() => openOwn(settings, idleMs, false))
  const waiting = createExclusivePool(() => openOwn(settings, idleMs, true), MAX_WAITING)
  const emit = emitter(options)
  const subscriber = createSubscriber(settings, () => emit('feed-gap', 'SUBSCRIBE'))
  const listeners = createListeners(settings)
  let over = false

  const acquire = async (from: ExclusivePool, call: Call | undefined): Promise<Exclusive> => {
    if (over) throw closed()
    return from.acquire(call)
  }
  const transport: TcpTransport = {
    ...shared,
    get cluster() {
      return cluster
    },
    send: (command, call) =>
      kindOf(command.args) === 'waits' ? sendAlone(acquire(waiting, call), command, call) : shared.send(command, call),
    exclusive: (call) => acquire(pool, call),
    async subscribe(channel, onMessage, onGap) {
      if (over) throw closed()
      return subscriber.subscribe(channel, onMessage, onGap)
    },
    async listen(command, onReply, onEnd) {
      if (over) throw closed()
      return listeners.listen(command, onReply, onEnd)
    },
    async close() {
      if (over) return
      over = true
      subscriber.close()
      listeners.close()
      await Promise.all([link.close(), pool.close(), waiting.close()])
    },
  }
  return { transport, sendEach }
}

const sendAlone: (
  acquired: Promise<Exclusive>,
  ...args: Parameters<Transport['send']>
) => ReturnType<Transport['send']> = async (acquired, command, call) => {
  const connection = await acquired
  let broken = true
  try {
    const reply = await connection.send(command, call)
    broken = false
    return reply
  } finally {
    // A caller that left would still be served, and nobody would have what it was given.
    connection.release(broken)
  }
}

/** A connection that is never opened again: what its server remembers of it would be lost. */
function openOwn(settings: Settings, idleMs: number, patient: boolean): Lendable {
  let fault: HitherError | undefined
  const connection: Connection = openConnection(settings, {
    patient,
    onEnd(error) {
      fault = error
    },
  })
  const pick = (): Connection => {
    if (fault) throw fault
    return connection
  }
  return {
    ...createCalls(pick, false),
    get ended() {
      return connection.state !== 'ready' || now() - connection.heardAt > idleMs
    },
    close: (broken) => connection.leave(broken ? 0 : GRACE_MS),
  }
}

const KNOWN: { readonly [K in keyof TcpTransportOptions]-?: 1 } = {
  url: 1,
  tls: 1,
  protocol: 1,
  connectTimeoutMs: 1,
  linkTimeoutMs: 1,
  idleMs: 1,
  maxQueue: 1,
  maxReplyBytes: 1,
  maxCallBytes: 1,
  maxTotalReplyBytes: 1,
  onEvent: 1,
}

function toSettings(options: TcpTransportOptions, onCluster: () => void): Settings {
  if (typeof options !== 'object' || options === null) {
    throw new HitherError('INVALID_ARGUMENT', "options are an object, such as { url: 'redis://127.0.0.1:6379' }")
  }
  checkNames('hither/tcp', options, Object.keys(KNOWN))
  const { url, tls = {}, protocol = 2, maxQueue = 100_000, maxReplyBytes = 16 * 1024 * 1024 } = options
  const address = parseRedisUrl(url)
  if (options.tls && !address.tls) throw new HitherError('INVALID_ARGUMENT', 'tls is for a rediss: url')
  if (protocol !== 2 && protocol !== 3) throw new HitherError('INVALID_ARGUMENT', 'protocol is 2 or 3')
  const emit = emitter(options)
  return {
    address,
    tls,
    protocol,
    maxQueue: checkWhole(maxQueue, 'maxQueue', LEAST_QUEUE),
    connectTimeoutMs: checkWhole(options.connectTimeoutMs ?? 5000, 'connectTimeoutMs', 1),
    linkTimeoutMs: checkWhole(options.linkTimeoutMs ?? 10_000, 'linkTimeoutMs', 1),
    maxReplyBytes: checkWhole(maxReplyBytes, 'maxReplyBytes', 1),
    maxCallBytes: checkWhole(options.maxCallBytes ?? Math.max(maxReplyBytes, MAX_CALL_BYTES), 'maxCallBytes', 1),
    maxTotalReplyBytes:
      options.maxTotalReplyBytes === undefined
        ? undefined
        : checkWhole(options.maxTotalReplyBytes, 'maxTotalReplyBytes', 1),
    onLate: (command) => emit('late-reply', command),
    onCluster,
  }
}

function emitter({ onEvent }: TcpTransportOptions): (type: StoreEvent['type'], command: string) => void {
  return (type, command) => tell(onEvent, { type, command })
}
