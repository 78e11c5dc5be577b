import { HitherError } from '../../src/errors.ts'
import { reconnectDelay } from '../../src/runtime/backoff.ts'
import { parseRedisUrl, splitRedisUrls } from '../../src/store/redis-url.ts'
import type { IoredisLike } from './client.ts'
import { keepName } from './cluster-of.ts'
import { type IoredisClient, type IoredisCluster, loadIoredis } from './package.ts'
import { made } from './transport.ts'

export interface ConnectOptions {
  /**
   * Make a Cluster client. @default true when several urls are given; for one url, the store makes one at the first MOVED reply
   */
  readonly cluster?: boolean
  /** Longest wait for a connection, in milliseconds. @default 5000 */
  readonly connectTimeoutMs?: number
  /** The client's own limit on every command, in milliseconds. The store's calls have deadlines without it. @default none */
  readonly commandTimeoutMs?: number
  /** Further options of ioredis (`tls`, `sentinels`, `natMap`, …). The options that keep commands safe override them. */
  readonly client?: Readonly<Record<string, unknown>>
}

/**
 * Makes an ioredis client with the settings `ioredisStore` asks for, and does not wait for its connection:
 * `await ioredisStore(client).ready()` does. Several urls (or `cluster: true`) make a Cluster.
 * The store's `close()` ends it. Rejects with `INVALID_URL`, or `UNSUPPORTED` when ioredis is not installed.
 */
export async function connect(
  url: string | readonly string[],
  options: ConnectOptions & { readonly cluster: true },
): Promise<IoredisCluster>
export async function connect(
  url: string,
  options: ConnectOptions & { readonly cluster: false },
): Promise<IoredisClient>
export async function connect(
  url: string | readonly string[],
  options?: ConnectOptions,
): Promise<IoredisClient | IoredisCluster>
export async function connect(url: string | readonly string[], options: ConnectOptions = {}): Promise<IoredisLike> {
  const urls = (typeof url === 'string' ? splitRedisUrls(url) : url).map(parseRedisUrl)
  const [first] = urls
  if (!first) throw new HitherError('INVALID_URL', 'connect takes at least one url')
  const { Redis, Cluster } = await loadIoredis('connect()')
  const safe = { enableAutoPipelining: false, keyPrefix: '', lazyConnect: false }
  const node = {
    connectTimeout: options.connectTimeoutMs ?? 5000,
    ...(options.commandTimeoutMs === undefined ? {} : { commandTimeout: options.commandTimeoutMs }),
    // RESP2: replies have the same shape as over REST, whatever the version of the client.
    protocol: 2,
    // The client sets this timer even for a socket that has closed already, and it keeps the process alive. Commands under way
    // have ended before it begins.
    disconnectTimeout: 100,
    reconnectOnError: (error: Error) => error.message.startsWith('READONLY'),
    ...(first.username ? { username: first.username } : {}),
    // A user without a password logs in with an empty one.
    ...(first.username || first.password ? { password: first.password } : {}),
    ...(first.family > 0 ? { family: first.family } : {}),
    ...(first.tls ? { tls: {} } : {}),
    ...options.client,
    maxRetriesPerRequest: 0,
    keyPrefix: '',
  }
  let client: IoredisLike
  if (urls[1] && urls.some(({ path }) => path)) {
    throw new HitherError('INVALID_URL', 'the nodes of a Cluster are reached by host and port, not by a unix: socket')
  }
  if (options.cluster ?? urls.length > 1) {
    const { natMap, dnsLookup, slotsRefreshTimeout = 1000, ...redisOptions } = node as Record<string, unknown>
    client = new Cluster(
      urls.map(({ host, port }) => ({ host, port })),
      {
        ...safe,
        clusterRetryStrategy: reconnectDelay,
        slotsRefreshTimeout,
        ...(natMap ? { natMap } : {}),
        ...(dnsLookup || node.tls ? { dnsLookup: dnsLookup ?? keepName } : {}),
        enableOfflineQueue: false,
        retryDelayOnFailover: 0,
        redisOptions,
      },
    )
  } else {
    const { host, port, path, db } = first
    client = new Redis({
      ...(path ? { path } : { host, port }),
      db,
      retryStrategy: reconnectDelay,
      ...node,
      ...safe,
      enableOfflineQueue: false,
    })
  }
  made.add(client)
  return client
}
