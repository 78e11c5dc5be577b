import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tcpStore, trackingFeed } from '../../adapters/tcp/index.ts'
import { find } from '../../scripts/servers/find.ts'
import { type Server, startCluster, startServer } from '../../scripts/servers.ts'
import { plain } from '../../src/cache/parts/format-plain.ts'
import { createCache } from '../../src/index.ts'
import { nearTier } from '../../src/near/index.ts'

let spaces = 0
/** Opens a cache whose near tier entries may live for 1 h: if one is missing, the feed has dropped it. */
function open(url: string | readonly string[], namespace = `track${spaces++}`) {
  const events: string[] = []
  const feed = trackingFeed({ url, onEvent: ({ type }) => events.push(type) })
  const near = nearTier({ maxAge: '1h', feed })
  const store = tcpStore({ url: url as string })
  const cache = createCache({ store, namespace, ttl: '1h', near, storeTimeout: '20s' })
  /** Reads until the near tier has the keys: then the feed is up and has reported this cache's own writes. */
  const keepNear = async (...keys: string[]): Promise<void> => {
    for (const key of keys) await expect.poll(() => isNear(key), { timeout: 20_000 }).toBe(true)
  }
  const isNear = async (key: string): Promise<boolean> => {
    const before = cache.stats().near?.hits ?? 0
    await cache.get(key)
    return (cache.stats().near?.hits ?? 0) > before
  }
  const close = async (): Promise<void> => {
    await cache.close()
    await store.close()
  }
  return { cache, store, events, namespace, keepNear, close }
}

/** Resolves to the connections to which the server reports changes, once there are at least `count`. */
async function tracking(admin: Redis, count: number): Promise<readonly string[]> {
  const list = async () =>
    String(await admin.call('CLIENT', 'LIST'))
      .split('\n')
      .filter((line) => /flags=\w*B/.test(line))
  await expect.poll(async () => (await list()).length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count)
  return list()
}

describe.each([
  ['Redis 7', 'redis7'],
  ['Redis 8', 'redis8'],
  ['Valkey', 'valkey'],
] as const)('what another program changes, %s', (_name, program) => {
  let server: Server
  let foreign: Redis
  beforeAll(async () => {
    server = await startServer(program)
    foreign = new Redis(server.url)
  })
  afterAll(async () => {
    foreign.disconnect()
    await server.stop()
  })
  it('is dropped from the near tier: SET, DEL, EXPIRE, RENAME, and a lifetime that ends', async () => {
    const { cache, namespace, keepNear, close } = open(server.url)
    const changes: Record<string, (key: string) => Promise<unknown>> = {
      set: (key) => foreign.set(key, 'x'),
      del: (key) => foreign.del(key),
      expire: (key) => foreign.pexpire(key, 1),
      rename: (key) => foreign.rename(key, `${key}:other`),
      unlink: (key) => foreign.unlink(key),
    }
    for (const [name, change] of Object.entries(changes)) {
      await cache.set(name, 1)
      await keepNear(name)
      await change(`${namespace}:${name}`)
      await expect.poll(() => cache.get(name)).toBe(undefined)
    }
    await close()
  })
  it('is dropped when it is all deleted, and when it is evicted', async () => {
    const { cache, namespace, keepNear, close } = open(server.url)
    await cache.set('a', 1)
    await keepNear('a')
    await foreign.flushall()
    await expect.poll(() => cache.get('a')).toBe(undefined)
    await cache.set('b', 1)
    await keepNear('b')
    await foreign.config('SET', 'maxmemory-policy', 'allkeys-random')
    await foreign.config('SET', 'maxmemory', '1')
    await foreign.set('other', 'x').catch(() => {})
    await foreign.config('SET', 'maxmemory', '0')
    expect(await foreign.exists(`${namespace}:b`)).toBe(0)
    await expect.poll(() => cache.get('b')).toBe(undefined)
    await close()
  })
  it('leaves alone what it did not change, also keys of a namespace that begins the same', async () => {
    const first = open(server.url)
    const { cache, namespace, keepNear, close } = first
    await cache.set('a', 1)
    await cache.set('b', 1)
    await keepNear('a')
    await tracking(foreign, 1)
    await keepNear('a', 'b')
    await foreign.set(`${namespace}x:a`, 'x')
    await foreign.set('a', 'x')
    await foreign.del(`${namespace}:b`)
    await expect.poll(() => cache.get('b')).toBe(undefined)
    const { hits = 0 } = cache.stats().near ?? {}
    expect(await cache.get('a')).toBe(1)
    expect(cache.stats().near?.hits).toBe(hits + 1)
    await close()
  })
  it('is heard of by every process: values, tags, a whole namespace and a view of it', async () => {
    const one = open(server.url)
    const two = open(server.url, one.namespace)
    await one.cache.set('k', 1, { tags: ['t'] })
    await one.cache.set('gone', 1)
    await one.cache.namespace('view').set('v', 1)
    const reads = () =>
      Promise.all([two.cache.get('k', { tags: ['t'] }), two.cache.get('gone'), two.cache.namespace('view').get('v')])
    expect(await reads()).toEqual([1, 1, 1])
    await two.keepNear('gone')
    await one.cache.namespace('view').set('v', 2)
    await expect.poll(async () => (await reads())[2]).toBe(2)
    await one.cache.invalidateTags(['t'])
    await expect.poll(reads).toEqual([undefined, 1, 2])
    await one.cache.clear()
    await expect.poll(reads).toEqual([undefined, undefined, 2])
    await one.close()
    await two.close()
  })
  it('a load that renews its tag leaves what others keep of the tag', async () => {
    const one = open(server.url)
    const two = open(server.url, one.namespace)
    await one.cache.getOrSet('a', () => 1, { tags: ['t'] })
    const near = async (): Promise<boolean> => {
      const { hits = 0 } = two.cache.stats().near ?? {}
      await two.cache.get('a', { tags: ['t'] })
      return (two.cache.stats().near?.hits ?? 0) > hits
    }
    await expect.poll(near).toBe(true)
    /** Resolves once every earlier change has been reported to `two`. */
    const reported = async (): Promise<void> => {
      await two.cache.set('marker', 1)
      await two.keepNear('marker')
      await foreign.del(`${one.namespace}:marker`)
      await expect.poll(() => two.cache.get('marker')).toBe(undefined)
    }
    // At the first report of a change of the tag's key, nobody can tell whether the change invalidated the tag. From then on the
    // tag's version is known.
    await one.cache.getOrSet('first', () => 1, { tags: ['t'] })
    await reported()
    await expect.poll(near).toBe(true)
    for (let i = 0; i < 20; i++) await one.cache.getOrSet(`other:${i}`, () => 1, { tags: ['t'] })
    await reported()
    expect(await near()).toBe(true)
    await one.close()
    await two.close()
  })
  it('of plain entries is dropped as well', async () => {
    const near = nearTier({ maxAge: '1h', feed: trackingFeed(server.url) })
    const store = tcpStore(server.url)
    const cache = createCache({ store, format: plain(), near, ttl: '1h' })
    await cache.set('p', 1)
    await expect
      .poll(async () => {
        const { hits = 0 } = cache.stats().near ?? {}
        await cache.get('p')
        return (cache.stats().near?.hits ?? 0) > hits
      })
      .toBe(true)
    await foreign.set('p', '2')
    await expect.poll(() => cache.get('p')).toBe(2)
    await cache.close()
    await store.close()
  })
})

describe('a link that is lost', () => {
  it('empties the tier, and again when it is back', async () => {
    const server = await startServer('redis8')
    const foreign = new Redis(server.url)
    const { cache, namespace, events, keepNear, close } = open(server.url)
    await cache.set('a', 1)
    await keepNear('a')
    const [line = ''] = await tracking(foreign, 1)
    await keepNear('a')
    // Kills only the feed's connection, so that the change made meanwhile is not reported.
    await foreign.call('CLIENT', 'KILL', 'ID', /id=(\d+)/.exec(line)?.[1] as string)
    await foreign.set(`${namespace}:a`, 'x')
    await expect.poll(() => cache.get('a')).toBe(undefined)
    expect(events).toContain('feed-gap')
    await cache.set('b', 1)
    await keepNear('b')
    await foreign.del(`${namespace}:b`)
    await expect.poll(() => cache.get('b'), { timeout: 20_000 }).toBe(undefined)
    foreign.disconnect()
    await close()
    await server.stop()
  })
  it('is noticed where the server just stops', async () => {
    const server = await startServer('redis7')
    const { cache, events, keepNear, close } = open(server.url)
    await cache.set('a', 1)
    await keepNear('a')
    await server.kill('SIGSTOP')
    await expect.poll(() => events, { timeout: 30_000 }).toContain('feed-gap')
    await server.kill('SIGCONT')
    await close()
    await server.stop()
  })
})

describe('a server that refuses', () => {
  it('is reported once; the cache goes on by maxAge', async () => {
    const server = await startServer('redis8')
    const admin = new Redis(server.url)
    await admin.call('ACL', 'SETUSER', 'default', '-client|tracking')
    const { cache, events, close } = open(server.url)
    await cache.set('a', 1)
    expect(await cache.get('a')).toBe(1)
    await expect.poll(() => events, { timeout: 20_000 }).toEqual(['feed-refused'])
    expect(await cache.get('a')).toBe(1)
    admin.disconnect()
    await close()
    await server.stop()
  })
  it('is Garnet', async () => {
    const found = await find('garnet')
    if (!found) return console.log('skipped: Garnet is not on this machine')
    const server = await startServer('garnet', { args: ['--lua', '--lua-transaction-mode'] })
    const { cache, events, close } = open(server.url)
    await cache.set('a', 1)
    await cache.get('a')
    await expect.poll(() => events, { timeout: 30_000 }).toEqual(['feed-refused'])
    await close()
    await server.stop()
  })
})

describe('a Cluster', () => {
  it('is heard at each node, also at those that a single url has led to', async () => {
    const { nodes, stop } = await startCluster('redis8')
    const urls = nodes.map(({ url }) => url)
    const foreign = tcpStore(urls)
    for (const url of [urls, urls[0] as string]) {
      const { cache, namespace, keepNear, close } = open(url)
      const keys = Array.from({ length: 12 }, (_, i) => `k${i}`)
      for (const key of keys) await cache.set(key, 1)
      await keepNear(...keys)
      for (const key of keys) await foreign.delete([`${namespace}:${key}`])
      await expect
        .poll(() => Promise.all(keys.map((key) => cache.get(key))), { timeout: 20_000 })
        .toEqual(keys.map(() => undefined))
      await close()
    }
    await foreign.close()
    await stop()
  })
})
