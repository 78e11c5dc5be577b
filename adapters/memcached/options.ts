import { checkNames, invalid } from '../../src/protocol/arguments.ts'
import { type MemcachedAddress, parseMemcachedUrl } from './address.ts'
import type { Settings } from './connection.ts'

export interface MemcachedStoreOptions {
  /**
   * `memcached://host:11211`, or `memcacheds:` for TLS, with `user:password@` before the host if the server requires them
   * (`memcached -Y`). With several servers, keys are placed by consistent hashing (ketama), whatever the order of the urls.
   */
  readonly servers: readonly string[]
  /** For `memcacheds:` urls: `ca`, `cert`, `key`, `servername`, … as `node:tls` takes them. @default the system's authorities */
  readonly tls?: object
  /**
   * Uses the next server for keys whose own server is unreachable. When that server is reachable again, it serves the values it
   * held before, even those deleted meanwhile; leave this off where that matters. @default false
   */
  readonly failover?: boolean
  /** Longest key in bytes of UTF-8. A key above 250 bytes is stored under its SHA-256. @default 1024 */
  readonly maxKeyBytes?: number
  /** Largest value in bytes of UTF-8. A value above the server's `-I` less 2 KiB is refused anyway. @default 1046528 */
  readonly maxValueBytes?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /** Longest wait for an open connection, in milliseconds. @default 5000 */
  readonly connectTimeoutMs?: number
  /** Longest silence while a reply is awaited, in milliseconds. The connection is then ended. @default 10000 */
  readonly linkTimeoutMs?: number
  /** A connection that was unused for this long, in milliseconds, is replaced before its next use. @default 60000 */
  readonly idleMs?: number
  /** Most commands that wait for a reply on one connection. One more rejects with `OVERLOADED`. @default 100000 */
  readonly maxQueue?: number
}

const KNOWN: { readonly [K in keyof MemcachedStoreOptions]-?: 1 } = {
  servers: 1,
  tls: 1,
  failover: 1,
  maxKeyBytes: 1,
  maxValueBytes: 1,
  timeoutMs: 1,
  connectTimeoutMs: 1,
  linkTimeoutMs: 1,
  idleMs: 1,
  maxQueue: 1,
}
/** memcached's default limit of an item, less its header, the key and the frame of a value. */
const MAX_VALUE = 1024 * 1024 - 2048

export interface Checked {
  readonly links: readonly Settings[]
  readonly failover: boolean
  readonly maxKeyBytes: number
  readonly maxValueBytes: number
  readonly timeoutMs: number
  readonly idleMs: number
}

/** Throws `INVALID_ARGUMENT` or `INVALID_URL`. */
export function checkOptions(options: MemcachedStoreOptions): Checked {
  checkNames('memcachedStore', options, Object.keys(KNOWN))
  const { servers, tls, failover = false } = options ?? {}
  if (!Array.isArray(servers) || servers.length === 0) throw invalid('servers is an array of urls, at least one')
  if (typeof failover !== 'boolean') throw invalid('failover is true or false')
  const number = (name: keyof MemcachedStoreOptions, fallback: number): number => {
    const value = options[name] ?? fallback
    if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
    throw invalid(`${name} is a whole number above 0`)
  }
  const maxValueBytes = number('maxValueBytes', MAX_VALUE)
  const addresses: MemcachedAddress[] = servers.map(parseMemcachedUrl)
  // Sorted, so that the same servers in another order make the same ring.
  addresses.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
  addresses.forEach(({ name }, i) => {
    if (name === addresses[i + 1]?.name) throw invalid('servers names one server twice')
  })
  if (tls && !addresses.some((address) => address.tls)) throw invalid('tls is for memcacheds: urls')
  return {
    links: addresses.map((address) => ({
      address,
      tls: address.tls ? (tls ?? {}) : undefined,
      connectTimeoutMs: number('connectTimeoutMs', 5000),
      linkTimeoutMs: number('linkTimeoutMs', 10_000),
      maxQueue: number('maxQueue', 100_000),
      // A server with a larger limit may hold larger values of other programs. They are read, too.
      maxReplyBytes: Math.max(64 * 1024 * 1024, maxValueBytes + 2048),
    })),
    failover,
    maxKeyBytes: number('maxKeyBytes', 1024),
    maxValueBytes,
    timeoutMs: number('timeoutMs', 5000),
    idleMs: number('idleMs', 60_000),
  }
}
