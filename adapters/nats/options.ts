import type { ConnectionOptions, NatsConnection } from '@nats-io/nats-core'
import { HitherError } from '../../src/errors.ts'
import { checkNames, invalid } from '../../src/protocol/arguments.ts'

interface BucketOptions {
  /** Name of the bucket: letters, digits, `_` and `-`. The store creates it if it does not exist. */
  readonly bucket: string
  /** Number of copies of a bucket that the store creates, 1 to 5. @default 1 */
  readonly replicas?: number
  /** Where a bucket that the store creates is kept. @default 'file' */
  readonly storage?: 'file' | 'memory'
  /** Most bytes in a bucket that the store creates; a write beyond them is refused. @default none */
  readonly maxBytes?: number
  /**
   * Which server reads go to. `leader`: the server that takes the writes, so that a read sees every acknowledged write.
   * `any`: also a copy, which may lag behind. @default 'leader'
   */
  readonly reads?: 'leader' | 'any'
  /** Longest key in bytes of UTF-8, at most 1200. @default 1024 */
  readonly maxKeyBytes?: number
  /** Largest value in bytes of UTF-8. One above the server's `max_payload` less 2 KiB is refused anyway. @default 1046528 */
  readonly maxValueBytes?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
}

/** Opens a connection at the first call, and closes it with the store. */
export interface NatsServersOptions extends BucketOptions {
  /** `nats://host:4222` or `tls://`, over TCP by `@nats-io/transport-node`; `ws://` or `wss://` by `@nats-io/nats-core`. */
  readonly servers: string | readonly string[]
  /** Passed to the client: user, password, token, tls, authenticator, … */
  readonly connect?: Omit<ConnectionOptions, 'servers'>
  readonly connection?: never
}

/** Uses a connection of the caller, which `close` leaves open. */
export interface NatsConnectionOptions extends BucketOptions {
  readonly connection: NatsConnection
  readonly servers?: never
  readonly connect?: never
}

export type NatsStoreOptions = NatsServersOptions | NatsConnectionOptions

export interface Checked extends Required<Omit<BucketOptions, 'maxBytes'>> {
  readonly maxBytes: number | undefined
  readonly servers: readonly string[]
  readonly isWeb: boolean
  readonly connect: Omit<ConnectionOptions, 'servers'>
  readonly connection: NatsConnection | undefined
}

const KNOWN: { readonly [K in keyof NatsServersOptions | keyof NatsConnectionOptions]-?: 1 } = {
  bucket: 1,
  replicas: 1,
  storage: 1,
  maxBytes: 1,
  reads: 1,
  maxKeyBytes: 1,
  maxValueBytes: 1,
  timeoutMs: 1,
  servers: 1,
  connect: 1,
  connection: 1,
}
const WEB = /^wss?:\/\//i
const TCP = /^(?:nats|tls):\/\/|^[\w.[\]:-]+$/i

/** Throws for a url with parts that the client would ignore silently. */
function checkUrl(url: string, isWeb: boolean): void {
  const whole = url.includes('://') ? url : `nats://${url}`
  const malformed = new HitherError('INVALID_URL', 'a url of NATS looks like nats://host:4222')
  if (!URL.canParse(whole)) throw malformed
  const { hostname, username, password, pathname, search, hash } = new URL(whole)
  if (username || password) throw new HitherError('INVALID_URL', 'user and password of NATS go into connect')
  if (!hostname || (!isWeb && (search || hash || pathname.length > 1))) throw malformed
}

/** Throws `INVALID_ARGUMENT`, `INVALID_URL` or `INVALID_KEY` (the bucket's name). */
export function checkOptions(options: NatsStoreOptions): Checked {
  checkNames('natsStore', options, Object.keys(KNOWN))
  const { bucket, storage = 'file', reads = 'leader', connection, connect = {} } = options ?? {}
  const servers: unknown = typeof options?.servers === 'string' ? [options.servers] : (options?.servers ?? [])
  if (typeof bucket !== 'string' || !/^[\w-]{1,128}$/.test(bucket)) {
    throw new HitherError('INVALID_KEY', 'bucket is a name of letters, digits, _ and -')
  }
  if (storage !== 'file' && storage !== 'memory') throw invalid("storage is 'file' or 'memory'")
  if (reads !== 'leader' && reads !== 'any') throw invalid("reads is 'leader' or 'any'")
  if (!Array.isArray(servers)) throw invalid('servers is a url, or an array of urls')
  if ((connection === undefined) === (servers.length === 0)) throw invalid('natsStore takes servers or a connection')
  if (typeof connect !== 'object' || connect === null || (connection && options.connect)) {
    throw invalid('connect is an object of options for the client, beside servers')
  }
  if (connection && typeof connection.publish !== 'function') {
    throw invalid('connection is one that connect() of @nats-io/transport-node resolved to, not its promise')
  }
  const isWeb = servers.some((url) => WEB.test(url))
  // No WebSocket takes TLS options; the client would ignore them.
  if (isWeb && (connect as { readonly tls?: unknown }).tls) {
    throw invalid('connect.tls is not for ws:// and wss://: NODE_EXTRA_CA_CERTS names a further authority to Node')
  }
  for (const url of servers) {
    if (typeof url !== 'string' || !(isWeb ? WEB : TCP).test(url)) {
      throw new HitherError('INVALID_URL', 'servers are all nats:// or tls://, or all ws:// or wss://')
    }
    checkUrl(url, isWeb)
  }
  const number = (name: keyof BucketOptions, fallback: number, most = Number.MAX_SAFE_INTEGER): number => {
    const value = options[name] ?? fallback
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= most) return value
    throw invalid(`${name} is a whole number from 1 to ${most}`)
  }
  return {
    bucket,
    storage,
    reads,
    servers,
    isWeb,
    connect,
    connection,
    replicas: number('replicas', 1, 5),
    maxBytes: options.maxBytes === undefined ? undefined : number('maxBytes', 1),
    maxKeyBytes: number('maxKeyBytes', 1024, 1200),
    maxValueBytes: number('maxValueBytes', 1024 * 1024 - 2048),
    timeoutMs: number('timeoutMs', 5000),
  }
}
