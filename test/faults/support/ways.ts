import { performance } from 'node:perf_hooks'
import { createCluster } from 'redis'
import { type ConnectOptions, connect, type IoredisLike, ioredisStore } from '../../../adapters/ioredis/index.ts'
import { startGateway } from '../../../adapters/node/index.ts'
import { nodeRedisStore } from '../../../adapters/node-redis/index.ts'
import { tcpStore } from '../../../adapters/tcp/index.ts'
import { upstashStore } from '../../../adapters/upstash/index.ts'
import { type ClusterServers, type Server, startCluster, startServer } from '../../../scripts/servers.ts'
import { firstKey, slotOf } from '../../../src/store/hash-slot.ts'
import type { AtomicStore, StoreEvent } from '../../../src/store/store.ts'
import type { Transport } from '../../../src/store/transport.ts'
import { createHttpProxy } from '../../support/http-proxy.ts'
import { createClusterProxy, createTcpProxy, type RespCommand, type TcpProxy } from '../../support/tcp-proxy.ts'

/** One kind of connection to a separate server or Cluster, through a fault proxy. */
export interface Way {
  /** Opens a store with separate connections through the proxy. `stop` closes it. */
  open(options?: OpenOptions): Promise<FaultyStore>
  /** Lets commands that match run, and loses their replies. The text is a command's words joined, or a request's body. */
  lose(matches: (text: string) => boolean): void
  /** Holds all bytes, on open and new connections. */
  stall(): void
  /** Refuses new connections and ends the open ones. */
  refuse(): Promise<void>
  /** Resets every connection. */
  cut(): void
  /** Delivers replies byte by byte, where the way is TCP. */
  slice(on: boolean): void
  pass(): Promise<void>
  /** A store connected to the servers without the proxy. */
  readonly direct: AtomicStore
  /** Resolves to how often the servers ran a command since the last call of `executions`. */
  executions(command: string): Promise<number>
  /** The proxies, one for each node, where the way is TCP. */
  readonly nodes: readonly TcpProxy[]
  readonly servers: readonly Server[]
  stop(): Promise<void>
}

export interface OpenOptions {
  readonly timeoutMs?: number
  readonly onEvent?: (event: StoreEvent) => void
}

export interface FaultyStore extends AtomicStore {
  readonly transport: Transport
  readonly client?: IoredisLike
}

/** `TCP` goes through ioredis, as `Cluster` does; `own TCP` and `own Cluster` are `hither/tcp`. */
export type WayName = 'TCP' | 'own TCP' | 'Cluster' | 'own Cluster' | 'REST'
export const wayNames: readonly WayName[] = ['TCP', 'own TCP', 'Cluster', 'own Cluster', 'REST']

export function startWay(name: WayName | 'node-redis Cluster'): Promise<Way> {
  if (name === 'REST') return startRest()
  if (name === 'Cluster') return startClusterWay(throughIoredisCluster)
  if (name === 'own Cluster') return startClusterWay(throughOwnCluster)
  if (name === 'node-redis Cluster') return startClusterWay(throughNodeRedisCluster)
  return name === 'TCP' ? startTcp(throughIoredis) : startTcp(throughOwn)
}

type Open = (url: string, options?: OpenOptions) => Promise<FaultyStore>

const throughIoredis = async (
  url: string | readonly string[],
  options?: OpenOptions,
  given: ConnectOptions = {},
): Promise<FaultyStore> => {
  const client = await connect(url, given)
  const store = ioredisStore(client, options)
  return { ...store, client, transport: store.transport as Transport }
}
const throughOwn: Open = async (url, options) => tcpStore({ url, ...options }) as FaultyStore

type NatMap = Readonly<Record<string, { readonly host: string; readonly port: number }>>
type OpenCluster = (urls: readonly string[], natMap: NatMap, options?: OpenOptions) => Promise<FaultyStore>

const throughIoredisCluster: OpenCluster = (urls, natMap, options) =>
  throughIoredis(urls, options, { client: { natMap } })
const throughOwnCluster: OpenCluster = async (url, natMap, options) =>
  tcpStore({ url, natMap, ...options }) as FaultyStore

const throughNodeRedisCluster: OpenCluster = async (urls, nodeAddressMap, options) => {
  const rootNodes = urls.map((url) => ({ url }))
  const socket = { reconnectStrategy: 20 }
  const client = createCluster({ rootNodes, nodeAddressMap, defaults: { disableOfflineQueue: true, socket } })
  client.on('error', () => {})
  await client.connect()
  const store = nodeRedisStore(client as never, options)
  const close = async (): Promise<void> => {
    await store.close()
    client.destroy()
  }
  return { ...store, close, transport: store.transport as Transport }
}

async function statsOf(ports: readonly number[], command: string): Promise<number> {
  let sum = 0
  for (const port of ports) {
    const client = await connect(`redis://127.0.0.1:${port}`)
    const transport = ioredisStore(client).transport as Transport
    const info = String(await transport.send({ args: ['INFO', 'commandstats'], effect: 'read' }))
    sum += Number(new RegExp(`cmdstat_${command.toLowerCase()}:calls=(\\d+)`).exec(info)?.[1] ?? 0)
    await transport.send({ args: ['CONFIG', 'RESETSTAT'], effect: 'repeat' })
    await transport.close()
    client.disconnect()
  }
  return sum
}

/** Returns the node of a three-node Cluster that runs the command; the others reply MOVED. */
function ownerOf(command: RespCommand): number {
  const slot = slotOf(firstKey(command))
  return slot <= 5460 ? 0 : slot <= 10922 ? 1 : 2
}

/** Makes the parts of a way that TCP and Cluster share. */
function overTcp(
  proxies: readonly TcpProxy[],
  ports: readonly number[],
  open: (options?: OpenOptions) => Promise<FaultyStore>,
  direct: AtomicStore,
): Omit<Way, 'servers' | 'stop'> & { close(): Promise<void> } {
  const opened: AtomicStore[] = []
  const all = (act: (proxy: TcpProxy) => Promise<void> | void): Promise<unknown> => Promise.all(proxies.map(act))
  return {
    async open(options) {
      const store = await open(options)
      opened.push(store)
      return store
    },
    lose: (matches) =>
      proxies.forEach((proxy, i) => {
        const runsThere = (command: RespCommand): boolean => proxies.length === 1 || ownerOf(command) === i
        proxy.dropReplies((command) => runsThere(command) && matches(command.join(' ')))
      }),
    stall: () => proxies.forEach((proxy) => void proxy.stall()),
    cut: () => proxies.forEach((proxy) => void proxy.cut()),
    slice: (on) => proxies.forEach((proxy) => void proxy.slice(on)),
    refuse: async () => void (await all((proxy) => proxy.refuse())),
    pass: async () => void (await all((proxy) => proxy.pass())),
    direct,
    nodes: proxies,
    executions: (command) => statsOf(ports, command),
    async close() {
      await all((proxy) => proxy.pass())
      await Promise.all([...opened, direct].map((store) => store.close()))
      await all((proxy) => proxy.stop())
    },
  }
}

async function startTcp(open: Open): Promise<Way> {
  const server = await startServer('redis8')
  const proxy = await createTcpProxy(server.url)
  const direct = ioredisStore(await connect(server.url))
  const way = overTcp([proxy], [server.port], (options) => open(proxy.url, options), direct)
  return {
    ...way,
    servers: [server],
    async stop() {
      await way.close()
      await server.stop()
    },
  }
}

async function startClusterWay(open: OpenCluster): Promise<Way> {
  const cluster = await startCluster()
  const way = await throughCluster(cluster, open)
  return {
    ...way,
    servers: cluster.nodes,
    async stop() {
      await way.close()
      await cluster.stop()
    },
  }
}

async function throughCluster(cluster: ClusterServers, open: OpenCluster): Promise<ReturnType<typeof overTcp>> {
  const nodes = cluster.nodes.map(({ port }) => `127.0.0.1:${port}`)
  const { proxies, natMap } = await createClusterProxy(nodes.join())
  const urls = proxies.map(({ url }) => url)
  const direct = ioredisStore(await connect(nodes.map((node) => `redis://${node}`)))
  return overTcp(
    proxies,
    cluster.nodes.map(({ port }) => port),
    (options) => open(urls, natMap, options),
    direct,
  )
}

async function startRest(): Promise<Way> {
  const server = await startServer('redis8')
  const gateway = await startGateway({ redis: server.url })
  const proxy = await createHttpProxy(gateway.url)
  const direct = ioredisStore(await connect(server.url))
  const opened: AtomicStore[] = []
  const forever = { times: Number.POSITIVE_INFINITY }
  return {
    async open(options) {
      const store = upstashStore({ url: proxy.url, token: gateway.token, ...options })
      opened.push(store)
      return store as FaultyStore
    },
    lose: (matches) => proxy.dropReplies(({ body }) => matches(body)),
    stall: () => proxy.fail('stall', forever),
    cut: () => proxy.cut(),
    slice: () => {},
    refuse: () => proxy.refuse(),
    pass: () => proxy.pass(),
    direct,
    nodes: [],
    executions: (command) => statsOf([server.port], command),
    servers: [server],
    async stop() {
      await proxy.stop()
      await Promise.all([...opened, direct].map((store) => store.close()))
      await gateway.stop()
      await server.stop()
    },
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Runs `body` for 0 … rounds − 1, with `lanes` rounds at a time. */
export async function inLanes(
  lanes: number,
  rounds: number,
  body: (round: number, lane: number) => Promise<void>,
): Promise<void> {
  let next = 0
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      while (next < rounds) await body(next++, lane)
    }),
  )
}

/** Resolves to the outcome of the call. Repeats a call whose error says that it was never sent. */
export async function sentOnce<T>(call: () => Promise<T>): Promise<{ value: T } | { error: unknown }> {
  for (;;) {
    try {
      return { value: await call() }
    } catch (error) {
      const { code, maybeExecuted } = error as { code?: unknown; maybeExecuted?: unknown }
      if (code !== 'STORE_UNAVAILABLE' || maybeExecuted !== false) return { error }
      await pause(5)
    }
  }
}

/** How often the meter looks. A thread that waits longer than this and a millisecond for its next event was not woken in time. */
const LOOK_MS = 5

/**
 * Measures how long, since the meter was made, this thread was ready to run but did not get to, in milliseconds: the time that
 * passed, without the time in which it computed or had nothing to do. Tests subtract it from what they compare with a bound, since
 * the machine may be overloaded. What the thread computes itself, however long, counts as its own.
 */
export function createStallMeter(): { lostMs(): number; stop(): void } {
  const read = () => {
    const { user, system } = process.threadCpuUsage()
    return { at: performance.now(), ran: (user + system) / 1000, idle: performance.eventLoopUtilization().idle }
  }
  let last = read()
  let lost = 0
  const lostSince = ({ at, ran, idle }: typeof last): number =>
    Math.max(0, at - last.at - (ran - last.ran) - Math.min(idle - last.idle, LOOK_MS + 1))
  const look = (): void => {
    const now = read()
    lost += lostSince(now)
    last = now
  }
  const timer = setInterval(look, LOOK_MS)
  return { lostMs: () => lost + lostSince(read()), stop: () => clearInterval(timer) }
}
