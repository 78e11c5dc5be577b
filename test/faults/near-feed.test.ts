import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { Redis as Valkey, Cluster as ValkeyCluster } from 'iovalkey'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { connect, type IoredisLike, ioredisStore } from '../../adapters/ioredis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { ask, type ClusterServers, startCluster } from '../../scripts/servers.ts'
import { plain } from '../../src/cache/parts/format-plain.ts'
import { type AtomicStore, type Cache, type CacheEvent, createCache } from '../../src/index.ts'
import { messageFeed, nearTier } from '../../src/near/index.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import { besideOthers } from '../support/side-by-side.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const options = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const redis = (Made: new (url: string, options: object) => IoredisLike) => async (url: string) => {
  const client = new Made(url, options)
  client.on('error', () => {})
  await new Promise((resolve) => client.on('ready', resolve))
  return ioredisStore(client)
}
const ways: readonly [string, (url: string) => Promise<AtomicStore>][] = [
  ['ioredis 6', redis(Redis)],
  ['ioredis 5', redis(Redis5)],
  ['iovalkey', redis(Valkey)],
  ['connect()', async (url) => ioredisStore(await connect(url))],
  ['hither/tcp', async (url) => tcpStore({ url })],
]
/** A dead connection is detected by three PINGs, 500 ms apart; in milliseconds. */
const DEAD_LINK_MS = 1600

const gone = async (cache: Pick<Cache, 'peek'>, key: string, withinMs: number): Promise<number> => {
  const since = Date.now()
  while (cache.peek(key) !== undefined) {
    if (Date.now() - since > withinMs) throw new Error(`still there after ${withinMs} ms`)
    await pause(1)
  }
  return Date.now() - since
}

/** Returns a list for the caches that a test opens. They are closed after each test. */
function opened(): { close(): Promise<unknown> }[] {
  const open: { close(): Promise<unknown> }[] = []
  afterEach(async () => {
    for (const one of open.splice(0)) await one.close().catch(() => {})
  })
  return open
}

const overOne = (make: (url: string) => Promise<AtomicStore>) => (): void => {
  const open = opened()
  async function two(): Promise<{ a: Cache<'frozen'>; b: Cache<'frozen'>; line: TcpProxy; gaps(): number }> {
    const line = await createTcpProxy(process.env.REDIS7_URL as string)
    const namespace = `feed-${Math.random().toString(36).slice(2)}`
    let gaps = 0
    const onEvent = ({ type }: CacheEvent): void => {
      if (type === 'feed-gap') gaps++
    }
    const near = () => nearTier({ maxAge: '1m', feed: messageFeed() })
    // Only the reader's connection has faults.
    const a = createCache({ store: await make(line.url), near: near(), namespace, ttl: '5m', onEvent })
    const b = createCache({ store: await make(process.env.REDIS7_URL as string), near: near(), namespace, ttl: '5m' })
    open.push(a, b, { close: () => line.stop() })
    return { a, b, line, gaps: () => gaps }
  }
  /** Resolves once the near tier of `a` holds the key and its subscription is up. */
  async function hold(a: Cache<'frozen'>, key: string): Promise<void> {
    await a.set(key, 'old', { tags: ['t'] })
    for (let i = 0; i < 100; i++) {
      await a.get(key)
      await pause(10)
      if (a.peek(key) === 'old' && i > 10) return
    }
    throw new Error('nothing is held near')
  }
  it('a delete, a set and an invalidation are seen within 250 ms', async () => {
    const { a, b, gaps } = await two()
    for (const end of [() => b.delete('k'), () => b.set('k', 'new'), () => b.invalidateTags(['t']), () => b.clear()]) {
      await hold(a, 'k')
      const before = gaps()
      await end()
      await gone(a, 'k', 250)
      expect(gaps()).toBe(before)
    }
  })
  it('a link that is cut empties the tier at once', async () => {
    const { a, line, gaps } = await two()
    await hold(a, 'k')
    const before = gaps()
    line.cut()
    await gone(a, 'k', 250)
    expect(gaps()).toBeGreaterThan(before)
  })
  it('a link that is silent empties it when three PINGs are due, and hears again afterwards', async () => {
    const { a, b, line } = await two()
    await hold(a, 'k')
    line.stall()
    await b.delete('k')
    await gone(a, 'k', DEAD_LINK_MS)
    await line.pass()
    await pause(500)
    await hold(a, 'j')
    await b.delete('j')
    await gone(a, 'j', 250)
  }, 20_000)
}

/** The channel of near tiers in plain format. */
const CHANNEL = '::near'
type Nodes = { host: string; port: number }[]
/** Makes clients of a Cluster whose connections have a name, by which the server lists them. */
const clusterWays: readonly [string, (nodes: Nodes, connectionName: string) => Promise<IoredisLike>][] = [
  ...(
    [
      ['ioredis 6', Cluster],
      ['ioredis 5', Cluster5],
      ['iovalkey', ValkeyCluster],
    ] as [string, new (nodes: Nodes, options: object) => IoredisLike][]
  ).map(([name, Made]): (typeof clusterWays)[number] => [
    name,
    async (nodes, connectionName) =>
      new Made(nodes, {
        enableOfflineQueue: false,
        retryDelayOnFailover: 0,
        redisOptions: { maxRetriesPerRequest: 0, connectionName },
      }),
  ]),
  [
    'connect()',
    (nodes, connectionName) =>
      connect(
        nodes.map(({ host, port }) => `redis://${host}:${port}`),
        { client: { connectionName } },
      ),
  ],
]

const overCluster = (make: (nodes: Nodes, connectionName: string) => Promise<IoredisLike>) => (): void => {
  const open = opened()
  let cluster: ClusterServers
  let made = 0
  beforeAll(async () => {
    cluster = await startCluster()
    // A node that hangs here must not be voted out of the Cluster.
    for (const { port } of cluster.nodes) await ask(port, 'CONFIG SET cluster-node-timeout 60000')
  }, 60_000)
  afterAll(() => cluster.stop(), 30_000)

  interface One {
    readonly name: string
    readonly cache: ReturnType<typeof near>
    gaps(): number
    close(): Promise<void>
  }
  const near = (store: AtomicStore, onEvent: (event: CacheEvent) => void) =>
    createCache({ store, near: nearTier({ maxAge: '1m', feed: messageFeed() }), format: plain(), ttl: '5m', onEvent })
  async function one(): Promise<One> {
    const name = `one${++made}end`
    const client = await make(
      cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
      name,
    )
    client.on('error', () => {})
    let gaps = 0
    const store = ioredisStore(client)
    const cache = near(store, ({ type }) => {
      if (type === 'feed-gap') gaps++
    })
    const close = async (): Promise<void> => {
      await cache.close()
      await store.close()
      client.disconnect()
    }
    const self: One = { name, cache, gaps: () => gaps, close }
    open.push(self)
    return self
  }
  const connections = async (name: string, nodes = [0, 1, 2]): Promise<{ at: number; id: string; line: string }[]> => {
    const found = await Promise.all(
      nodes.map(async (at) =>
        (await ask(cluster.nodes[at]?.port as number, 'CLIENT LIST'))
          .split('\n')
          .filter((line) => line.includes(name))
          .map((line) => ({ at, id: /id=(\d+)/.exec(line)?.[1] as string, line })),
      ),
    )
    return found.flat()
  }
  const subscriptions = async (name: string, nodes?: number[]) =>
    (await connections(name, nodes)).filter(({ line }) => line.includes(' sub=1'))
  const ownerOf = (key: string): number => Math.floor(slotOf(key) / 5461)
  const keyAt = (node: number, not = ''): string => {
    for (let i = 0; ; i++) if (ownerOf(`key${i}`) === node && `key${i}` !== not) return `key${i}`
  }
  async function hold({ cache }: One, key: string): Promise<void> {
    await cache.set(key, 'old')
    await until(async () => {
      await cache.get(key)
      return cache.peek(key) === 'old'
    })
  }
  /** Kills the cache's subscription until the client opens it again at that node. */
  async function move(one: One, to: number): Promise<void> {
    await one.cache.set('any', '1')
    await one.cache.get('any')
    for (;;) {
      await until(async () => (await subscriptions(one.name)).length === 1)
      const [at] = await subscriptions(one.name)
      if (at?.at === to) break
      await ask(cluster.nodes[at?.at ?? 0]?.port as number, `CLIENT KILL ID ${at?.id}`)
      await until(async () => (await subscriptions(one.name)).some((now) => now.at !== at?.at || now.id !== at.id))
    }
  }
  const until = async (done: () => Promise<boolean>): Promise<void> => {
    for (let left = 1000; !(await done()); left--) {
      if (left === 0) throw new Error('it does not happen')
      await pause(10)
    }
  }
  /** Resolves once a delete through `b` drops the key from the near tier of `a` without a gap in the feed of `a`. */
  async function hears(a: One, b: One, key: string): Promise<void> {
    await until(async () => {
      await hold(a, key)
      const before = a.gaps()
      await b.cache.delete(key)
      await gone(a.cache, key, 250).catch(() => {})
      return a.cache.peek(key) === undefined && a.gaps() === before
    })
  }

  it('a subscription that the server ends empties the tier at once, and hears again', async () => {
    const [a, b] = [await one(), await one()]
    await move(a, 0)
    const key = keyAt(1)
    await hold(a, key)
    const [at] = await subscriptions(a.name)
    await ask(cluster.nodes[0]?.port as number, `CLIENT KILL ID ${at?.id}`)
    await gone(a.cache, key, 250)
    await hears(a, b, key)
  }, 30_000)
  it('a node that hangs empties the tier when three PINGs are due, and another one is heard', async () => {
    const [a, b] = [await one(), await one()]
    // `hung` owns the slot of the channel; the client tries `next` after it.
    const hung = ownerOf(CHANNEL)
    const next = (hung + 1) % 3
    const other = (hung + 2) % 3
    await move(a, hung)
    await move(b, hung)
    const key = keyAt(other)
    await hears(a, b, key)
    await hold(a, key)
    for (const at of [hung, next]) await cluster.nodes[at]?.kill('SIGSTOP')
    try {
      await gone(a.cache, key, DEAD_LINK_MS)
      await until(async () => (await subscriptions(a.name, [other])).length === 1)
      await hears(a, b, keyAt(other, key))
    } finally {
      for (const at of [hung, next]) await cluster.nodes[at]?.kill('SIGCONT')
    }
  }, 30_000)
  it('a change told to a node that hangs is told again', async () => {
    const [a, b] = [await one(), await one()]
    await move(a, 0)
    await move(b, 1)
    const key = keyAt(0)
    await hears(a, b, key)
    await hold(a, key)
    await cluster.nodes[1]?.kill('SIGSTOP')
    try {
      await b.cache.delete(key)
      await gone(a.cache, key, 2 * DEAD_LINK_MS)
    } finally {
      await cluster.nodes[1]?.kill('SIGCONT')
    }
  }, 30_000)
  it('is one connection, and closing leaves none, of a node that hangs as well', async () => {
    const [a, b] = [await one(), await one()]
    await move(a, 0)
    await move(b, 1)
    await hears(a, b, keyAt(2))
    expect((await subscriptions(a.name)).length).toBe(1)
    await cluster.nodes[0]?.kill('SIGSTOP')
    try {
      await a.close()
    } finally {
      await cluster.nodes[0]?.kill('SIGCONT')
    }
    await b.close()
    await until(async () => (await connections(a.name)).length + (await connections(b.name)).length === 0)
  }, 30_000)
  it('a node that leaves is left, since it is told nothing more', async () => {
    const [a, b] = [await one(), await one()]
    await move(a, 2)
    const key = keyAt(1)
    await hears(a, b, key)
    await hold(a, key)
    for (const { port } of cluster.nodes) await ask(port, 'CLUSTER DELSLOTSRANGE 10923 16383')
    await ask(cluster.nodes[1]?.port as number, 'CLUSTER ADDSLOTSRANGE 10923 16383')
    await until(async () =>
      (await Promise.all(cluster.nodes.map(({ port }) => ask(port, 'CLUSTER INFO')))).every((info) =>
        info.includes('cluster_state:ok'),
      ),
    )
    await until(async () => {
      await a.cache.get(keyAt(2)).catch(() => {})
      return (await subscriptions(a.name, [0, 1])).length === 1
    })
    expect(a.cache.peek(key)).toBeUndefined()
    await hears(a, b, key)
  }, 30_000)
  it('a node that is killed empties the tier at once, and another one is heard', async () => {
    const [a, b] = [await one(), await one()]
    await move(a, 1)
    const key = keyAt(0)
    await hears(a, b, key)
    await hold(a, key)
    await cluster.nodes[1]?.kill('SIGKILL')
    await gone(a.cache, key, 250)
    await hears(a, b, keyAt(0, key))
    expect((await subscriptions(a.name, [0])).length).toBe(1)
  }, 30_000)
}

for (const [name, make] of ways) besideOthers(`messages between near tiers over ${name}`, overOne(make))
for (const [name, make] of clusterWays)
  besideOthers(`messages between near tiers over a Cluster of ${name}`, overCluster(make))
