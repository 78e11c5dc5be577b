import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ioredisStore } from '../../adapters/ioredis/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { type AtomicStore, type Cache, type CacheEvent, createCache } from '../../src/index.ts'
import { createHttpProxy } from '../support/http-proxy.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'

/** A way to a real Redis that a test can close. */
interface Way {
  open(): AtomicStore
  refuse(): Promise<void>
  /** Nothing is answered any more. */
  stall(): void
  /** Lets what matches run and loses the answer. */
  lose(matches: (text: string) => boolean): void
  pass(): Promise<void>
  stop(): Promise<void>
}

const url = process.env.REDIS8_URL ?? ''
const ways: Record<string, () => Promise<Way>> = {
  async TCP() {
    const proxy = await createTcpProxy(url)
    const clients: Redis[] = []
    return {
      open() {
        const client = new Redis(proxy.url, {
          enableOfflineQueue: false,
          maxRetriesPerRequest: 0,
          retryStrategy: () => 20,
        })
        client.on('error', () => {})
        clients.push(client)
        return ioredisStore(client)
      },
      refuse: () => proxy.refuse(),
      stall: () => proxy.stall(),
      lose: (matches) => proxy.dropReplies((command) => matches(command.join(' '))),
      pass: () => proxy.pass(),
      async stop() {
        for (const client of clients) client.disconnect()
        await proxy.stop()
      },
    }
  },
  async 'own TCP'() {
    const proxy = await createTcpProxy(url)
    const stores: AtomicStore[] = []
    return {
      open() {
        const store = tcpStore({ url: proxy.url })
        stores.push(store)
        return store
      },
      refuse: () => proxy.refuse(),
      stall: () => proxy.stall(),
      lose: (matches) => proxy.dropReplies((command) => matches(command.join(' '))),
      pass: () => proxy.pass(),
      async stop() {
        await Promise.all(stores.map((store) => store.close()))
        await proxy.stop()
      },
    }
  },
  async REST() {
    const gateway: StartedGateway = await startGateway({ redis: url })
    const proxy = await createHttpProxy(gateway.url)
    return {
      open: () => upstashStore({ url: proxy.url, token: gateway.token }),
      refuse: () => proxy.refuse(),
      stall: () => proxy.fail('stall', { times: Number.POSITIVE_INFINITY }),
      lose: (matches) => proxy.dropReplies(({ body }) => matches(body)),
      pass: () => proxy.pass(),
      async stop() {
        await proxy.stop()
        await gateway.stop()
      },
    }
  },
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const noAnswer = expect.objectContaining({ code: expect.stringMatching(/^(STORE_UNAVAILABLE|TIMEOUT)$/) })

for (const [name, start] of Object.entries(ways)) {
  describe(`a cache whose store is away: ${name}`, { timeout: 60_000 }, () => {
    let way: Way
    let store: AtomicStore
    let cache: Cache
    const events: CacheEvent[] = []
    beforeAll(async () => {
      way = await start()
      store = way.open()
      const namespace = `away-${name.replace(' ', '-')}-${Math.random().toString(36).slice(2)}`
      cache = createCache({ store, namespace, ttl: '5m', storeTimeout: '2s', onEvent: (event) => events.push(event) })
    }, 60_000)
    afterAll(async () => {
      await cache.close()
      await way.stop()
    })
    /** The store answers again. */
    const back = async (): Promise<void> => {
      await way.pass()
      for (;;) {
        try {
          await store.get('ready')
          return
        } catch {
          await pause(10)
        }
      }
    }

    it('rejects what a store must answer, and getOrSet answers by its loader', async () => {
      await cache.set('kept', 'stored')
      await way.refuse()
      events.length = 0
      const calls: Record<string, () => Promise<unknown>> = {
        get: () => cache.get('kept'),
        getMany: () => cache.getMany(['kept']),
        has: () => cache.has('kept'),
        ttl: () => cache.ttl('kept'),
        getEntry: () => cache.getEntry('kept'),
        set: () => cache.set('kept', 2),
        setMany: () => cache.setMany([['kept', 2]]),
        add: () => cache.add('new', 2),
        touch: () => cache.touch('kept'),
        take: () => cache.take('kept'),
        delete: () => cache.delete('kept'),
        increment: () => cache.increment('count'),
      }
      for (const [method, call] of Object.entries(calls)) await expect(call(), method).rejects.toEqual(noAnswer)
      expect(events.filter(({ type }) => type === 'store-error').length).toBeGreaterThanOrEqual(12)
      expect(cache.stats().storeErrors).toBeGreaterThanOrEqual(12)

      events.length = 0
      let runs = 0
      const load = async () => {
        await pause(20)
        return ++runs
      }
      expect(await Promise.all([cache.getOrSet('loaded', load), cache.getOrSet('loaded', load)])).toEqual([1, 1])
      expect(events.some(({ type }) => type === 'write-dropped')).toBe(true)
      await expect(cache.getOrSet('loaded', () => Promise.reject(new Error('both are down')))).rejects.toThrow('both')
      expect(cache.stats().inFlight).toBe(0)

      await back()
      expect(await cache.get('loaded')).toBeUndefined()
      expect(await cache.get('kept')).toBe('stored')
      expect(await cache.getOrSet('loaded', load)).toBe(2)
      expect(await cache.get('loaded')).toBe(2)
      await cache.flush()
    })
    it('says of a write whose answer was lost that it may have run, and runs it once', async () => {
      way.lose((text) => /EVAL/.test(text) && text.includes('increment'))
      await expect(cache.increment('once')).rejects.toMatchObject({ maybeExecuted: true })
      await back()
      expect(await cache.get('once')).toBe(1)
    })
    it('says of a write at its own deadline whether it may have run', async () => {
      await cache.set('slow', 1)
      way.stall()
      const soon = () => ({ deadline: Date.now() + 50 })
      await expect(cache.get('slow', soon())).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false })
      for (const write of [() => cache.set('slow', 2, soon()), () => cache.delete('slow', soon())]) {
        await expect(write()).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: true })
      }
      await back()
    })
    it('answers although the fill finds the store gone, and tells', async () => {
      events.length = 0
      const value = await cache.getOrSet('going', async () => {
        await way.refuse()
        return 'value'
      })
      expect(value).toBe('value')
      await cache.flush()
      expect(events.some(({ type }) => type === 'write-dropped')).toBe(true)
      expect(cache.stats().inFlight).toBe(0)
      await back()
      expect(await cache.get('going')).toBeUndefined()
    })
  })
}
