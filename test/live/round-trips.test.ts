import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { startGateway } from '../../adapters/node/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { ask, startCluster, startServer } from '../../scripts/servers.ts'
import { type AtomicStore, type Cache, createCache } from '../../src/index.ts'
import { nearTier } from '../../src/near/index.ts'
import { createHttpProxy } from '../support/http-proxy.ts'
import { createWaveProxy } from './support/wave-proxy.ts'

// Counts round trips on the way to the server. On a Cluster, commands sent to several nodes at once count as one.

interface Place {
  open(): Promise<AtomicStore>
  waves(): number
  /** The ports of the servers. */
  readonly servers: readonly number[]
  stop(): Promise<void>
}

const places: Readonly<Record<string, () => Promise<Place>>> = {
  async 'a single node'() {
    const server = await startServer('redis8')
    const proxy = await createWaveProxy([server.port])
    const stop = async (): Promise<void> => {
      await proxy.stop()
      await server.stop()
    }
    const open = async (): Promise<AtomicStore> => ioredisStore(await connect(`redis://127.0.0.1:${proxy.ports[0]}`))
    return { open, waves: () => proxy.waves, servers: [server.port], stop }
  },
  async 'a Cluster'() {
    const { nodes, stop: end } = await startCluster()
    const ports = nodes.map(({ port }) => port)
    const proxy = await createWaveProxy(ports)
    const natMap = Object.fromEntries(
      ports.map((port, i) => [`127.0.0.1:${port}`, { host: '127.0.0.1', port: proxy.ports[i] as number }]),
    )
    const urls = proxy.ports.map((port) => `redis://127.0.0.1:${port}`)
    const stop = async (): Promise<void> => {
      await proxy.stop()
      await end()
    }
    const open = async (): Promise<AtomicStore> => ioredisStore(await connect(urls, { client: { natMap } }))
    return { open, waves: () => proxy.waves, servers: ports, stop }
  },
  async REST() {
    const server = await startServer('redis8')
    const gateway = await startGateway({ redis: server.url })
    const proxy = await createHttpProxy(gateway.url)
    const stop = async (): Promise<void> => {
      await proxy.stop()
      await gateway.stop()
      await server.stop()
    }
    const open = async (): Promise<AtomicStore> => upstashStore({ url: proxy.url, token: gateway.token })
    return { open, waves: () => proxy.stats.requests, servers: [server.port], stop }
  },
}

const options = { ttl: '1m', storeTimeout: '20s' } as const
const TAGS = Array.from({ length: 10 }, (_, i) => `tag${i}`)

for (const [name, start] of Object.entries(places)) {
  describe(`round trips, ${name}`, { timeout: 60_000 }, () => {
    let place: Place
    let store: AtomicStore
    let writer: Cache
    /** Makes a cache without any memory of earlier calls, as a new process has. */
    const fresh = (): Cache => createCache({ store, ...options })
    beforeAll(async () => {
      place = await start()
      store = await place.open()
      writer = createCache({ store: await place.open(), ...options })
      // Connects to every node and loads every script into the servers.
      const keys = Array.from({ length: 30 }, (_, i) => `warm${i}`)
      for (const cache of [writer, fresh()]) {
        for (let i = 0; i < 2; i++) {
          await cache.getOrSetMany(keys, (missing) => new Map(missing.map((key) => [key, i])), { tags: TAGS })
          await cache.flush()
          await cache.delete(keys)
        }
      }
    }, 60_000)
    afterAll(async () => {
      await store.close()
      await writer.close()
      await place.stop()
    }, 30_000)

    const count = async (call: () => Promise<unknown>): Promise<number> => {
      const before = place.waves()
      await call()
      return place.waves() - before
    }
    /** Resolves to how often the servers ran each command for `call`, including commands that scripts ran. */
    const commands = async (call: () => Promise<unknown>): Promise<Record<string, number>> => {
      await Promise.all(place.servers.map((port) => ask(port, 'CONFIG RESETSTAT')))
      await call()
      const ran: Record<string, number> = {}
      for (const info of await Promise.all(place.servers.map((port) => ask(port, 'INFO commandstats')))) {
        for (const [, command = '', calls] of info.matchAll(/cmdstat_([\w|]+):calls=(\d+)/g)) {
          if (!/^(config|info)/.test(command)) ran[command] = (ran[command] ?? 0) + Number(calls)
        }
      }
      return ran
    }

    it('a hit takes one, with 0, 1, 3 or 10 tags that are named', async () => {
      for (const n of [0, 1, 3, 10]) {
        const tags = TAGS.slice(0, n)
        await writer.set(`hit${n}`, n, { tags })
        const cache = fresh()
        expect([n, await count(() => cache.get(`hit${n}`, { tags }))]).toEqual([n, 1])
        expect([n, await count(() => cache.getOrSet(`hit${n}`, () => 'missed', { tags }))]).toEqual([n, 1])
        expect(await cache.get(`hit${n}`, { tags })).toBe(n)
      }
      const ran = await commands(() => writer.get('hit10', { tags: TAGS }))
      if (name !== 'a Cluster') expect(ran).toEqual({ mget: 1 })
      else expect(Object.keys(ran).filter((command) => !/^m?get$/.test(command))).toEqual([])
    })
    it('a hit takes one more for tags that only the entry knows', async () => {
      await writer.set('unnamed', 1, { tags: TAGS })
      expect(await count(() => fresh().get('unnamed'))).toBe(2)
    })
    it('a tagged set takes two, and one once its versions are remembered', async () => {
      const cache = fresh()
      expect(await count(() => cache.set('set', 1, { tags: TAGS }))).toBe(2)
      expect(await count(() => cache.set('set', 2, { tags: TAGS }))).toBe(1)
      expect(await cache.get('set', { tags: TAGS })).toBe(2)
    })
    it('a set whose versions another process has ended takes two, and is there', async () => {
      const cache = fresh()
      await cache.set('ended', 1, { tags: TAGS })
      for (const end of [() => writer.clear(), () => writer.invalidateTags(TAGS.slice(3, 4))]) {
        await end()
        expect(await count(() => cache.set('ended', 2, { tags: TAGS }))).toBe(2)
        expect(await writer.get('ended', { tags: TAGS })).toBe(2)
        expect(await count(() => cache.set('ended', 3, { tags: TAGS }))).toBe(1)
        expect(await writer.get('ended', { tags: TAGS })).toBe(3)
      }
    })
    it('a touch takes two, and one more for tags that only the entry knows', async () => {
      await writer.set('touched', 1)
      expect(await count(() => fresh().touch('touched', { ttl: '2m' }))).toBe(2)
      await writer.set('touched', 1, { tags: TAGS })
      expect(await count(() => fresh().touch('touched', { ttl: '2m' }))).toBe(3)
    })
    it('increment, add, take and touch take two, and one once the generation is remembered', async () => {
      const cache = fresh()
      expect(await count(() => cache.increment('counted'))).toBe(2)
      for (let i = 2; i < 4; i++) {
        expect(await count(async () => expect(await cache.increment('counted')).toBe(i))).toBe(1)
      }
      const one = async (call: () => Promise<unknown>, reply: unknown): Promise<void> => {
        expect(await count(async () => expect(await call()).toBe(reply))).toBe(1)
      }
      await one(() => cache.increment('counted anew'), 1)
      await one(() => cache.decrement('counted anew'), 0)
      await one(() => cache.add('added', 'first'), true)
      await one(() => cache.add('added', 'second'), false)
      await one(() => cache.touch('added', { ttl: '2m' }), true)
      await one(() => cache.touch('nothing', { ttl: '2m' }), false)
      await one(() => cache.take('added'), 'first')
      await one(() => cache.take('added'), undefined)
      expect(await count(() => fresh().take('added'))).toBe(1)
      expect(await count(() => fresh().add('added', 1))).toBe(2)
    })
    it('increment, add, take and touch run once more after a clear by another process', async () => {
      const cache = fresh()
      const calls: readonly (readonly [call: () => Promise<unknown>, reply: unknown, trips: number])[] = [
        [() => cache.increment('counted'), 1, 2],
        [() => cache.increment('counted'), 2, 1],
        [() => cache.add('counted', 1), true, 2],
        [() => cache.take('counted'), undefined, 1],
        [() => cache.touch('counted'), false, 1],
      ]
      for (const [call, reply, trips] of calls) {
        await cache.set('counted', 1)
        await cache.delete('counted')
        await cache.increment('counted')
        if (reply !== 2) await writer.clear()
        await writer.set('any', 1)
        expect([trips, await count(async () => expect(await call()).toBe(reply))]).toEqual([trips, trips])
      }
    })
    it('of what has tags, add, take and touch read their versions first', async () => {
      const cache = fresh()
      await cache.set('tagged', 1, { tags: TAGS.slice(0, 1) })
      expect(await count(async () => expect(await cache.add('tagged', 2)).toBe(false))).toBe(2)
      expect(await count(async () => expect(await cache.touch('tagged', { ttl: '2m' })).toBe(true))).toBe(3)
      expect(await cache.take('tagged')).toBe(1)
      await cache.set('tagged', 1, { tags: TAGS.slice(0, 1) })
      await writer.invalidateTags(TAGS.slice(0, 1))
      expect(await cache.touch('tagged')).toBe(false)
      expect(await cache.take('tagged')).toBe(undefined)
      expect(await cache.add('tagged', 2)).toBe(true)
      expect(await cache.get('tagged')).toBe(2)
    })
    it('what makes values go takes one', async () => {
      const cache = fresh()
      expect(await count(() => cache.invalidateTags(TAGS.slice(0, 1)))).toBe(1)
      expect(await count(() => cache.invalidateTags(TAGS))).toBe(1)
      expect(await count(() => cache.delete(['hit0', 'hit1', 'hit3', 'hit10']))).toBe(1)
      expect(await count(() => cache.expire('set'))).toBe(1)
      expect(await count(() => cache.clear())).toBe(1)
      await writer.set('one', 1, { tags: TAGS })
      expect(await commands(() => writer.invalidateTags(['tag0']))).toEqual({ unlink: 1 })
    })
    it('a miss takes two before its loader, and one after, for which the caller does not wait', async () => {
      await writer.set('any', 1)
      for (const tags of [[], TAGS.slice(0, 3)]) {
        const cache = fresh()
        let before = 0
        const total = await count(async () => {
          const start = place.waves()
          await cache.getOrSet(
            `miss${tags.length}`,
            () => {
              before = place.waves() - start
              return 1
            },
            { tags },
          )
          expect(place.waves() - start).toBeLessThanOrEqual(3)
          await cache.flush()
        })
        expect([before, total]).toEqual([2, 3])
      }
    })
    it('the misses of many keys take two before their loader, and one after', async () => {
      const cache = fresh()
      const keys = Array.from({ length: 20 }, (_, i) => `many${i}`)
      await writer.setMany(keys.slice(0, 5).map((key) => [key, 0]))
      let before = 0
      const total = await count(async () => {
        const start = place.waves()
        await cache.getOrSetMany(keys, (missing) => {
          before = place.waves() - start
          return new Map(missing.map((key) => [key, 1]))
        })
        await cache.flush()
      })
      expect([before, total]).toEqual([2, 3])
    })
    it('a near hit takes none', async () => {
      await writer.set('near', 'held', { tags: TAGS })
      const cache = createCache({ store, ...options, near: nearTier({ maxAge: '1m' }) })
      expect(await count(() => cache.getOrSet('near', () => 'missed', { tags: TAGS }))).toBe(1)
      expect(
        await count(async () => {
          expect(await cache.getOrSet('near', () => 'missed', { tags: TAGS })).toBe('held')
          expect(await cache.get('near', { tags: TAGS })).toBe('held')
          expect(await cache.get('near')).toBe('held')
          expect(cache.peek('near')).toBe('held')
        }),
      ).toBe(0)
    })
  })
}
