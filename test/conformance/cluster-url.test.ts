import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { Redis as Valkey } from 'iovalkey'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, type IoredisLike, ioredisStore } from '../../adapters/ioredis/index.ts'
import { serve, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { createCache, type HitherError } from '../../src/index.ts'
import type { AtomicStore, CommandStore, StoreEvent } from '../../src/store/store.ts'
import type { Transport } from '../../src/store/transport.ts'
import { list, stream } from '../../src/structures/index.ts'
import { describeStore, testCounter } from '../../src/testing/index.ts'
import { startClusterNode } from '../support/cluster-node.ts'

// One url, or one gateway, with a Cluster behind it. Nothing in the program says that it is a Cluster.

const closing: (() => unknown)[] = []
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})
const node = startClusterNode()
const many = (): string => `redis://${(process.env.CLUSTER_NODES as string).split(',')[0]}`
const safe = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const manySafe = { enableOfflineQueue: false, retryDelayOnFailover: 0, redisOptions: { maxRetriesPerRequest: 0 } }

type Options = { readonly onEvent?: (event: StoreEvent) => void }
/** Starts a gateway before this transport, for a REST store. */
const gatewayBefore = async (transport: Transport): Promise<{ url: string; token: string }> => {
  const served = await serve(createGateway({ transport, tokens: ['full-token-of-the-test'] }), {})
  closing.push(() => served.stop())
  return { url: served.url, token: 'full-token-of-the-test' }
}
let gateway: ReturnType<typeof startGateway> | undefined
let overCluster: ReturnType<typeof gatewayBefore> | undefined

const ways: Record<string, (options: Options) => Promise<AtomicStore>> = {
  'tcp, one node': async (options) => tcpStore({ url: (await node).url, ...options }),
  'ioredis, one node': async (options) => ioredisStore(await connect((await node).url), options),
  'REST, gateway of one url': async (options) => {
    gateway ??= node.then(({ url }) => startGateway({ redis: url }))
    return upstashStore({ ...(await gateway), ...options })
  },
  'REST, gateway over an ioredis Cluster': async (options) => {
    const open = (): Transport => {
      const { hostname: host, port } = new URL(many())
      const client = new Cluster([{ host, port: Number(port) }], manySafe)
      closing.push(() => client.disconnect())
      return ioredisStore(client).transport as Transport
    }
    overCluster ??= gatewayBefore(open())
    return upstashStore({ ...(await overCluster), ...options })
  },
  'ioredis, one url of three nodes': async (options) => ioredisStore(await connect(many()), options),
  'ioredis 5, a client of one of three nodes': async (options) => borrowed(new Redis5(many(), safe), options),
  'iovalkey, a client of one of three nodes': async (options) => borrowed(new Valkey(many(), safe), options),
}
const borrowed = (client: IoredisLike, options: Options): AtomicStore => {
  closing.push(() => client.disconnect())
  return ioredisStore(client, options)
}

beforeAll(async () => {
  const started = await node
  closing.unshift(() => started.stop())
  closing.push(async () => (await gateway)?.stop())
})

describe.each(Object.entries(ways))('%s', (name, open) => {
  describeStore({ describe, it, afterAll }, `Cluster by ${name}`, {
    open: () => open({}),
    elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
    foreign: async (key) => {
      const store = await open({})
      await store.transport?.send({ args: ['RPUSH', key, 'x'], effect: 'once' })
      await store.close()
    },
  })
  it('a cache hits, and its loader runs once', async () => {
    const store = await open({})
    const cache = createCache({ store, namespace: `url-${name.length}`, ttl: '1m', grace: '1h' })
    let loads = 0
    const get = (key: string) =>
      cache.getOrSet(
        key,
        () => {
          loads++
          return key
        },
        { tags: ['all', `of-${key}`] },
      )
    for (let round = 0; round < 3; round++) {
      expect(await Promise.all(['a', 'b', 'c'].map(get))).toEqual(['a', 'b', 'c'])
    }
    expect(loads).toBe(3)
    expect([...(await cache.getMany(['a', 'b', 'none'])).keys()]).toEqual(['a', 'b'])
    await cache.invalidateTags(['of-a', 'of-b'])
    await Promise.all(['a', 'b', 'c'].map(get))
    expect(loads).toBe(5)
    await cache.close()
  })
  it('keys that were refused together go apart from then on', async () => {
    const store = await open({})
    const keys = Array.from({ length: 40 }, (_, i) => `apart:${name}:${i}`)
    for (let round = 0; round < 3; round++) {
      await Promise.all(keys.map((key, i) => store.set(key, `${i}`, 60_000)))
      expect(await store.getMany(keys)).toEqual(keys.map((_, i) => `${i}`))
      expect(await store.delete([...keys, 'apart:none'])).toBe(40)
      expect(await store.getMany(keys)).toEqual(keys.map(() => undefined))
      expect(await Promise.all(keys.map((key) => store.run(testCounter, key, [1, 60_000])))).toEqual(keys.map(() => 1))
      expect(await store.delete(keys)).toBe(40)
    }
    await store.close()
  })
})

it('a consumer of each node reads, also where the client has no calls that wait', async () => {
  const store = (await ways['ioredis, one url of three nodes']?.({})) as CommandStore
  const space = { store, namespace: `consume-${Date.now()}` }
  const waited = new Set<unknown>()
  for (let i = 0; i < 9; i++) {
    const jobs = stream<number>(space, `jobs:${i}`)
    const entries = jobs.group('g').consume({ consumer: 'a' })
    const next = entries.next()
    await jobs.append(i)
    expect((await next).value?.value).toBe(i)
    await entries.return?.()
    const none = list(space, `none:${i}`).takeFirst({ wait: 10 })
    waited.add(await none.catch((error: Partial<HitherError>) => error.code))
  }
  // Of the node that the url names, and of the others.
  expect(waited).toEqual(new Set([undefined, 'UNSUPPORTED']))
  await store.close()
})

describe('what is learned', () => {
  it('is learned once: one MGET is refused, and no other is sent', async () => {
    const url = (await node).url
    const admin = new Redis(url)
    closing.push(() => admin.disconnect())
    const refusals = async (): Promise<number> =>
      Number(/errorstat_CROSSSLOT:count=(\d+)/.exec(await admin.info('errorstats'))?.[1] ?? 0)
    for (const way of ['tcp, one node', 'ioredis, one node', 'REST, gateway of one url']) {
      const store = await ways[way]?.({})
      const before = await refusals()
      for (let round = 0; round < 5; round++) await store?.getMany(['a', 'b', 'c'])
      expect((await refusals()) - before, way).toBeLessThanOrEqual(1)
      await store?.close()
    }
  })
})
