import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ioredisStore } from '../../adapters/ioredis/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { type AtomicStore, type Cache, type CacheEvent, createCache, HitherError } from '../../src/index.ts'
import { messageFeed, nearTier } from '../../src/near/index.ts'
import { createHttpProxy } from '../support/http-proxy.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'

/** A connection to a real Redis that a test can break. */
interface Way {
  open(): AtomicStore
  refuse(): Promise<void>
  /** Holds all replies. */
  stall(): void
  /** Lets commands that match run, and loses their replies. */
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
    /** Resolves once the store replies again. */
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

    describe('docs/failures.md', () => {
      const table = failureTable()
      const { rows } = table
      const present = async (own: Cache<'frozen'>, key: string): Promise<void> => {
        if (key === 'wrap') {
          const wrapped = own.wrap(() => 'value', { name: 'wrap', key: () => 'it' })
          for (let i = 0; i < 3; i++) await wrapped()
          await own.flush()
          await wrapped()
          return
        }
        await own.set(key, key === 'increment' ? 1 : 'value', key === 'invalidateTags' ? { tags: ['tag'] } : {})
        await own.get(key)
        await own.get(key)
      }
      const open = (held: boolean, from: AtomicStore = store): Cache<'frozen'> => {
        const namespace = `table-${Math.random().toString(36).slice(2)}`
        const tier = held
          ? { near: nearTier({ maxAge: '1m', ...(from === store ? {} : { feed: messageFeed() }) }) }
          : {}
        return createCache({ store: from, namespace, ttl: '5m', grace: '1m', storeTimeout: '2s', ...tier })
      }
      const outcomes = async (own: Cache<'frozen'>, away: () => Promise<void>): Promise<string[]> => {
        for (const name of rows) if (name !== '`clear`') await present(own, keyOf(name))
        await away()
        const found: string[] = []
        for (const name of rows) found.push(await outcomeOf(own, name))
        return found
      }

      it('says what each call answers while the store is away', async () => {
        expect(await outcomes(open(false), () => way.refuse())).toEqual(table.column(1))
        await back()
      })
      it('says what each call answers while the store is away, and the near tier holds the value', async () => {
        expect(await outcomes(open(true), () => way.refuse())).toEqual(table.column(2))
        await back()
      })
      it('says what each call answers while the feed is away', async () => {
        const silent = (): Promise<never> => Promise.reject(new HitherError('STORE_UNAVAILABLE', 'no feed'))
        const own = open(true, { ...store, subscribe: silent, publish: silent })
        expect(await outcomes(own, async () => {})).toEqual(table.column(3))
      })
      it('says what a load answers whose loader fails', async () => {
        const failure = new Error('the database is away')
        const fail = (): never => {
          throw failure
        }
        const own = open(true)
        const answer = (key: string, options = {}) =>
          own.getOrSet(key, fail, options).then(
            (value) => value,
            (error: unknown) => error,
          )
        await own.set('fresh', 'value')
        const short = { ttl: 40, grace: '1m' } as const
        await own.set('stale', 'value', short)
        // On a busy machine the value may end before it is read, so it is set again until a read finds it.
        do await own.set('near', 'value', short)
        while ((await own.get('near')) === undefined)
        await pause(60)
        expect(await answer('fresh')).toBe('value')
        expect(await answer('stale')).toBe('value')
        expect(await answer('nothing')).toBe(failure)
        const never = own.getOrSet('slow', () => new Promise(() => {}), { hardTimeout: 30 })
        await expect(never).rejects.toMatchObject({ code: 'TIMEOUT' })
        await own.flush()
        await way.refuse()
        expect(await answer('near')).toBe('value')
        expect(await answer('nothing')).toBe(failure)
        await back()
      })
    })
  })
}

const keyOf = (name: string): string => name.replace(/\W+/g, '-').replace(/^-|-$/g, '')

/** Reads the first table of docs/failures.md. */
function failureTable(): { readonly rows: readonly string[]; column(i: number): string[] } {
  const page = readFileSync(new URL('../../docs/failures.md', import.meta.url), 'utf8')
  const [, body = ''] = /^\| call \|.*\n\|[-|]+\n((?:\|.*\n)+)/m.exec(page) ?? []
  const cells = body
    .trim()
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
  return { rows: cells.map((row) => row[1] as string), column: (i) => cells.map((row) => row[i + 1] as string) }
}

/** Makes the call of a row on its own key, and resolves to its outcome in the words of the table. */
async function outcomeOf(cache: Cache<'frozen'>, name: string): Promise<string> {
  const key = keyOf(name)
  const load = (): string => 'loaded'
  const calls: Record<string, () => unknown> = {
    '`get`': () => cache.get(key),
    '`getMany`': async () => (await cache.getMany([key])).get(key),
    '`getOrSet`': () => cache.getOrSet(key, load),
    '`getOrSetMany`': async () => (await cache.getOrSetMany([key], () => ({ [key]: load() }))).get(key),
    '`wrap`': () => cache.wrap(load, { name: 'wrap', key: () => 'it' })(),
    '`getEntry`': async () => (await cache.getEntry(key)).value,
    '`peek`': () => cache.peek(key),
    '`has`': () => cache.has(key),
    '`ttl`': async () => (Number(await cache.ttl(key)) > 0 ? 'milliseconds' : 'none'),
    '`set`': () => done(cache.set(key, 'new')),
    '`setMany`': () => done(cache.setMany([[key, 'new']])),
    "`set`, `onWriteFailure: 'event'`": () => done(cache.set(key, 'new', { onWriteFailure: 'event' })),
    '`add`': () => cache.add(key, 'new'),
    '`touch`': () => cache.touch(key),
    '`take`': () => cache.take(key),
    '`increment`': async () => ((await cache.increment(key)) === 2 ? 'the sum' : 'another number'),
    '`delete`': () => cache.delete(key),
    '`expire`': () => cache.expire(key),
    '`invalidateTags`': () => done(cache.invalidateTags(['tag'])),
    '`clear`': () => done(cache.clear()),
    '`capture`': () => done(cache.capture(['tag'])),
  }
  const call = calls[name]
  if (!call) throw new Error(`no call is made for the row ${name}`)
  try {
    const answer = String(await call())
    return { value: 'the value', loaded: "the loader's value" }[answer] ?? answer
  } catch (error) {
    expect(error, name).toEqual(noAnswer)
    return 'rejects'
  }
}

async function done(call: Promise<unknown>): Promise<string> {
  await call
  return 'done'
}
