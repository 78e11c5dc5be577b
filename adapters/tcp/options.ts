import { HitherError } from '../../src/errors.ts'
import { checkNames, checkWhole, invalid } from '../../src/protocol/arguments.ts'
import { tell } from '../../src/runtime/listener.ts'
import { parseRedisUrl, type RedisAddress, splitRedisUrls } from '../../src/store/redis-url.ts'
import type { StoreEvent } from '../../src/store/store.ts'
import type { Settings, TlsOptions } from './settings.ts'
import type { NatMap } from './topology.ts'

export interface SentinelOptions {
  /** Sentinels, as `redis://user:password@host:26379`. They are asked one after another. */
  readonly urls: string | readonly string[]
  /** The name under which the Sentinels watch the primary. */
  readonly name: string
  /** User of the primary itself. `password`, `db` and `tls` are the primary's too. @default none */
  readonly username?: string
  readonly password?: string
  /** @default 0 */
  readonly db?: number
  /** @default false */
  readonly tls?: boolean
}

export interface TcpTransportOptions {
  /**
   * `redis://user:password@host:6379/0`, `rediss:` for TLS, `unix:///path` for a socket; the user is optional, as are `?db=`,
   * `family=` and `tls=`. Several, in a list or separated by commas, are nodes of a Cluster, which share user, password and
   * TLS; a single one that turns out to be a node of a Cluster is used as one.
   */
  readonly url?: string | readonly string[]
  /** In place of `url`: Sentinels that know the primary. They are asked for it again at each connection. */
  readonly sentinel?: SentinelOptions
  /** For a `rediss:` url. @default the system's authorities, and no client certificate */
  readonly tls?: TlsOptions
  /** Version of RESP. With 2, replies have the same shape as over REST and ioredis; 3 nests or flattens some. @default 2 */
  readonly protocol?: 2 | 3
  /**
   * Where plain reads go on a Cluster. A replica lags behind, so that a read may miss an acknowledged write, even one by this
   * store. @default 'primary'
   */
  readonly reads?: 'primary' | 'replica'
  /**
   * For a Cluster behind an address translation: where to reach the node that other nodes call `host:port`. @default at that
   * address
   */
  readonly natMap?: NatMap
  /** Connections to each server that calls share; calls on one key always share one. 1 to 64. @default 1 */
  readonly connections?: number
  /** Longest wait for an open connection, TLS and credentials included, in milliseconds. @default 5000 */
  readonly connectTimeoutMs?: number
  /** Longest silence while a reply is awaited, in milliseconds. The connection is then ended. @default 10000 */
  readonly linkTimeoutMs?: number
  /** A connection unused for so long, in milliseconds, is replaced before it is used again. @default 60000 */
  readonly idleMs?: number
  /** Most commands on one connection that wait for a reply. One more rejects with `OVERLOADED`. From 10,000. @default 100000 */
  readonly maxQueue?: number
  /** Longest string that is kept of a reply, in bytes. An error takes the place of a longer one. @default 16777216 */
  readonly maxReplyBytes?: number
  /**
   * Most bytes that are kept of the replies to one `sendMany` or `transaction`. An error takes the place of each reply beyond
   * that. @default 67108864, or `maxReplyBytes` where that is more
   */
  readonly maxCallBytes?: number
  /**
   * Most bytes of one reply with all its parts. An error replaces the whole of a larger one. @default 64 of the longest strings,
   * 512 MiB at most
   */
  readonly maxTotalReplyBytes?: number
  readonly onEvent?: (event: StoreEvent) => void
}

/** The checked options. */
export interface Plan {
  readonly settings: Settings
  readonly seeds: readonly RedisAddress[]
  readonly clustered: boolean
  readonly sentinels: { readonly addresses: readonly RedisAddress[]; readonly name: string } | undefined
  readonly natMap: NatMap
  readonly replicas: boolean
  readonly connections: number
  readonly idleMs: number
  emit(type: StoreEvent['type'], command: string): void
}

const MAX_CALL_BYTES = 64 * 1024 * 1024
/** Least `maxQueue`: the size of a public batch, which must always fit. */
const LEAST_QUEUE = 10_000
const MAX_CONNECTIONS = 64

const KNOWN: { readonly [K in keyof TcpTransportOptions]-?: 1 } = {
  url: 1,
  sentinel: 1,
  tls: 1,
  protocol: 1,
  reads: 1,
  natMap: 1,
  connections: 1,
  connectTimeoutMs: 1,
  linkTimeoutMs: 1,
  idleMs: 1,
  maxQueue: 1,
  maxReplyBytes: 1,
  maxCallBytes: 1,
  maxTotalReplyBytes: 1,
  onEvent: 1,
}

/** Throws `INVALID_URL` or `INVALID_ARGUMENT`. */
export function readOptions(options: TcpTransportOptions): Plan {
  if (typeof options !== 'object' || options === null) {
    throw invalid("options are an object, such as { url: 'redis://127.0.0.1:6379' }")
  }
  checkNames('hither/tcp', options, Object.keys(KNOWN))
  const { url, sentinel, tls = {}, protocol = 2, reads = 'primary', natMap = {}, connections = 1 } = options
  if (url !== undefined && sentinel !== undefined) throw invalid('give url or sentinel, not both')
  const found = sentinel === undefined ? servers(url) : primaryOf(sentinel)
  const [address] = found.seeds as [RedisAddress]
  if (options.tls && !address.tls) {
    throw invalid(sentinel ? 'tls needs sentinel.tls: true' : 'tls is for a rediss: url')
  }
  if (protocol !== 2 && protocol !== 3) throw invalid('protocol is 2 or 3')
  if (reads !== 'primary' && reads !== 'replica') throw invalid("reads is 'primary' or 'replica'")
  if (sentinel && reads === 'replica') throw invalid('reads is for a Cluster')
  if (typeof tls !== 'object' || tls === null) throw invalid('tls is an object, such as { ca }')
  checkNatMap(natMap)
  const { maxQueue = 100_000, maxReplyBytes = 16 * 1024 * 1024, maxTotalReplyBytes } = options
  const emit: Plan['emit'] = (type, command) => tell(options.onEvent, { type, command })
  return {
    ...found,
    natMap,
    replicas: reads === 'replica',
    connections: checkWhole(connections, 'connections', 1, MAX_CONNECTIONS),
    idleMs: checkWhole(options.idleMs ?? 60_000, 'idleMs', 1),
    emit,
    settings: {
      address,
      tls,
      protocol,
      maxQueue: checkWhole(maxQueue, 'maxQueue', LEAST_QUEUE),
      connectTimeoutMs: checkWhole(options.connectTimeoutMs ?? 5000, 'connectTimeoutMs', 1),
      linkTimeoutMs: checkWhole(options.linkTimeoutMs ?? 10_000, 'linkTimeoutMs', 1),
      maxReplyBytes: checkWhole(maxReplyBytes, 'maxReplyBytes', 1),
      maxCallBytes: checkWhole(options.maxCallBytes ?? Math.max(maxReplyBytes, MAX_CALL_BYTES), 'maxCallBytes', 1),
      maxTotalReplyBytes:
        maxTotalReplyBytes === undefined ? undefined : checkWhole(maxTotalReplyBytes, 'maxTotalReplyBytes', 1),
      onLate: (command) => emit('late-reply', command),
      onCluster() {},
    },
  }
}

function checkNatMap(natMap: NatMap): void {
  const isMap = typeof natMap === 'object' && natMap !== null && !Array.isArray(natMap)
  for (const to of isMap ? Object.values(natMap) : [undefined]) {
    const { host, port } = to ?? {}
    if (typeof host !== 'string' || !host || !(Number(port) === port && port > 0 && port < 65_536))
      throw invalid("natMap is an object of { 'host:port': { host, port } }")
  }
}

type Servers = Pick<Plan, 'seeds' | 'clustered' | 'sentinels'>

function servers(url: TcpTransportOptions['url']): Servers {
  const urls = typeof url === 'string' ? splitRedisUrls(url) : Array.isArray(url) ? url : [url as unknown as string]
  const seeds = urls.map(parseRedisUrl)
  const [first] = seeds
  if (!first) throw new HitherError('INVALID_URL', 'url is an empty list: name a node of the Cluster')
  const clustered = Array.isArray(url) || seeds.length > 1
  for (const seed of clustered ? seeds : []) {
    if (seed.path || seed.db > 0)
      throw new HitherError('INVALID_URL', 'a Cluster has database 0 alone, and no Unix socket')
    const same = seed.username === first.username && seed.password === first.password && seed.tls === first.tls
    if (!same) throw new HitherError('INVALID_URL', 'the urls of a Cluster share user, password and TLS')
  }
  return { seeds, clustered, sentinels: undefined }
}

const KNOWN_SENTINEL: { readonly [K in keyof SentinelOptions]-?: 1 } = {
  urls: 1,
  name: 1,
  username: 1,
  password: 1,
  db: 1,
  tls: 1,
}

function primaryOf(sentinel: SentinelOptions): Servers {
  if (typeof sentinel !== 'object' || sentinel === null) throw invalid('sentinel is an object of urls and name')
  checkNames('sentinel', sentinel, Object.keys(KNOWN_SENTINEL))
  const { urls, name, username = '', password = '', db = 0, tls = false } = sentinel
  if (typeof name !== 'string' || !name) throw invalid('sentinel.name is the name under which the primary is watched')
  checkWhole(db, 'sentinel.db', 0)
  if (typeof username !== 'string' || typeof password !== 'string' || typeof tls !== 'boolean') {
    throw invalid('sentinel.username and sentinel.password are texts, sentinel.tls is true or false')
  }
  if (typeof urls !== 'string' && !Array.isArray(urls)) throw invalid('sentinel.urls is a url, or a list of urls')
  const addresses = (typeof urls === 'string' ? splitRedisUrls(urls) : [...urls]).map(parseRedisUrl)
  if (addresses.length === 0) throw new HitherError('INVALID_URL', 'sentinel.urls is an empty list')
  const primary = { host: '', port: 0, path: '', family: 0, db, username, password, tls }
  return { seeds: [primary], clustered: false, sentinels: { addresses, name } }
}
