import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import {
  type AtomicStore,
  type Cache,
  type CacheEvent,
  type CacheOptions,
  createCache,
  type Operation,
} from '../../src/index.ts'
import { createMiniCache } from '../support/mini-face.ts'
import { rounds } from '../support/rounds.ts'
import { same } from '../support/same.ts'
import { systems } from '../support/systems.ts'

/** Two caches over separate connections, in one namespace that no other test uses. */
interface Pair {
  readonly cache: Cache<'frozen'>
  readonly other: Cache<'frozen'>
  /** Number of reads and of operations that the first cache sent to its store. */
  readonly asked: { gets: number; runs: number }
  readonly events: CacheEvent[]
  readonly namespace: string
  readonly store: AtomicStore
}

const ROUNDS = rounds({ quick: 60, soak: 400 })
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const code = (code: string) => expect.objectContaining({ code })
const LIFE = { ttl: '1m' } as const
let tests = 0

/** Returns a promise that the test resolves by hand. */
function gate<T = void>(): { promise: Promise<T>; open(value: T): void } {
  const { promise, resolve } = Promise.withResolvers<T>()
  return { promise, open: resolve }
}

/** Resolves to the remaining lifetime of a key in milliseconds. */
const lifetime: Operation<readonly [], number | null> = {
  name: 'test.lifetime',
  effect: 'read',
  lua: "return redis.call('PTTL', KEYS[1])",
  apply: (current, _, { leftMs }) => ({ next: current, ttl: 'keep', reply: leftMs ?? null }),
}

/** `make` creates the cache under test: `createCache`, or `createMiniCache`, which calls the functions of the small cache. */
function describeCache(
  name: string,
  open: () => Promise<AtomicStore>,
  close?: () => Promise<void>,
  make: (options: CacheOptions) => Cache<'frozen'> = createCache,
): void {
  describe(`cache: ${name}`, () => {
    const stores: AtomicStore[] = []
    beforeAll(async () => {
      stores.push(await open(), await open())
    }, 60_000)
    afterAll(async () => {
      await Promise.all(stores.map((store) => store.close()))
      await close?.()
    })

    const pair = (options: Partial<CacheOptions> = {}): Pair => {
      const [store, second] = stores as [AtomicStore, AtomicStore]
      const asked = { gets: 0, runs: 0 }
      const counted: AtomicStore = {
        ...store,
        get: (...args) => {
          asked.gets++
          return store.get(...args)
        },
        run: (...args) => {
          asked.runs++
          return store.run(...args)
        },
      }
      const events: CacheEvent[] = []
      const namespace = `t${++tests}-${Math.random().toString(36).slice(2)}`
      // With a long `storeTimeout` a busy machine does not make the store look down.
      const shared = { namespace, ttl: '5m', storeTimeout: '20s', ...options } as const
      const cache = make({ ...shared, store: counted, onEvent: (event) => events.push(event) })
      return { cache, other: make({ ...shared, store: second }), asked, events, namespace, store }
    }
    const test = (title: string, body: (pair: Pair) => Promise<void>): void => it(title, () => body(pair()), 60_000)

    describe('values', () => {
      const deep = (levels: number): unknown => {
        let value: unknown = 'bottom'
        for (let i = 0; i < levels; i++) value = i % 2 ? [value] : { value }
        return value
      }
      const own = (json: string): unknown => JSON.parse(json)
      const samples: unknown[] = [
        ...['123', '', 'null', 'true', '{"a":1}', 'žluťoučký 馬 👩‍👩‍👧', 'a\r\n\u0000b', 'a\ud800', '\udc00b'],
        ...[0, -0, 1, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
        ...[null, true, false, 0n, -(2n ** 70n), new Date(0), new Date(Number.NaN), [], {}],
        new Map<unknown, unknown>([[1, new Map([['a', new Date(1)]])]]),
        new Set<unknown>([1, '1', null, undefined]),
        new Uint8Array([0, 1, 255]),
        new Uint8Array(0),
        [undefined, 1, undefined],
        new Map([['a', undefined]]),
        own('{"__proto__":{"x":1},"constructor":1,"$":"m","v":[],"toJSON":2}'),
        { list: [{ date: new Date(5), set: new Set([1n]) }], bytes: new Uint8Array([9]) },
        deep(64),
      ]
      test('are the same on a miss and on a hit, by every method', async ({ cache, other, store }) => {
        const large = 'é1'.repeat(Math.min(349_525, Math.floor(store.traits.maxValueBytes / 3 - 1000)))
        await Promise.all(
          [...samples, large].map(async (value, i) => {
            const miss = await cache.getOrSet(`v${i}`, () => value)
            const hit = await other.getOrSet(`v${i}`, () => 'not loaded')
            const got = await cache.get(`v${i}`)
            const many = (await cache.getMany([`v${i}`])).get(`v${i}`)
            const entry = (await cache.getEntry(`v${i}`)).value
            const taken = await cache.take(`v${i}`)
            await cache.set(`v${i}`, value)
            const set = await other.get(`v${i}`)
            const answers = [miss, hit, got, many, entry, taken, set]
            expect(answers.map((answer) => same(answer, value))).toEqual(answers.map(() => true))
          }),
        )
      })
      test('leave out a property that is undefined, on a miss as on a hit', async ({ cache }) => {
        const load = () => ({ a: undefined, b: 1 })
        expect(Object.keys(await cache.getOrSet('k', load))).toEqual(['b'])
        expect(Object.keys(await cache.getOrSet('k', load))).toEqual(['b'])
      })
      test('are apart for each caller, and from the loader', async ({ cache }) => {
        const loaded = { list: [1] }
        const [one, two] = await Promise.all([cache.getOrSet('k', () => loaded), cache.getOrSet('k', () => loaded)])
        expect(one).not.toBe(loaded)
        expect(one).not.toBe(two)
      })
      test('that cannot be kept are refused, and nothing is written', async ({ cache, store, namespace }) => {
        const cycle: unknown[] = []
        cycle.push(cycle)
        class Point {}
        const refused = [() => 1, Symbol('x'), cycle, new Point(), { a: [new Point()] }, new Error('x'), deep(65)]
        for (const value of refused) {
          await expect(cache.set('k', value)).rejects.toEqual(code('UNENCODABLE'))
          await expect(cache.add('k', value)).rejects.toEqual(code('UNENCODABLE'))
          await expect(cache.getOrSet('k', () => value)).rejects.toEqual(code('UNENCODABLE'))
          await expect(cache.setMany([['ok', 1], ['k', value]])).rejects.toEqual(code('UNENCODABLE')) // biome-ignore format: one line a case
        }
        for (const write of [cache.set, cache.add]) {
          await expect(write('k', undefined)).rejects.toEqual(code('INVALID_VALUE'))
        }
        await expect(cache.set('k', 'x'.repeat(9_000_000))).rejects.toEqual(code('VALUE_TOO_LARGE'))
        expect(await store.getMany([`${namespace}:k`, `${namespace}:ok`])).toEqual([undefined, undefined])
      })
    })

    describe('the verbs', () => {
      test('tell present from absent', async ({ cache }) => {
        expect(await cache.get('k')).toBeUndefined()
        expect(await cache.has('k')).toBe(false)
        expect(await cache.ttl('k')).toBeUndefined()
        expect(await cache.touch('k')).toBe(false)
        expect(await cache.take('k')).toBeUndefined()
        expect(await cache.delete('k')).toBe(0)
        expect(await cache.getEntry('k')).toMatchObject({ status: 'absent', value: undefined, age: 0, ttl: 0 })
        await cache.set('k', null)
        expect(await cache.get('k')).toBeNull()
        expect(await cache.has('k')).toBe(true)
        expect(await cache.add('k', 2)).toBe(false)
        expect(await cache.touch('k', LIFE)).toBe(true)
        expect(await cache.getEntry('k')).toMatchObject({ key: 'k', status: 'fresh', value: null, loadTime: 0 })
        expect(await cache.take('k')).toBeNull()
        expect(await cache.add('k', 2)).toBe(true)
        expect(await cache.get('k')).toBe(2)
        expect(await cache.delete(['k', 'none', 'k'])).toBe(1)
        expect(await cache.delete([])).toBe(0)
        expect(await cache.get('k')).toBeUndefined()
      })
      test('getMany finds what there is, and setMany sets it in order', async ({ cache, other }) => {
        const entries = new Map<string, unknown>([['a', 1], ['b', null], ['c', '']]) // biome-ignore format: pairs
        await cache.setMany(entries)
        await cache.setMany([['d', 1], ['d', 2]]) // biome-ignore format: pairs
        await cache.setMany([])
        expect([...(await other.getMany(['a', 'none', 'b', 'c', 'a', 'd']))]).toEqual([...entries, ['d', 2]])
        expect((await cache.getMany([])).size).toBe(0)
      })
      test('know how long a value stays', async ({ cache, other }) => {
        await cache.set('k', 1, { ttl: '60s' })
        const within = (low: number, high: number) => (ms: number | undefined) => (ms ?? 0) > low && (ms ?? 0) <= high
        expect(await other.ttl('k')).toSatisfy(within(1000, 60_000))
        expect((await other.getEntry('k')).ttl).toSatisfy(within(1000, 65_000))
        expect(await cache.touch('k', { ttl: '7d' })).toBe(true)
        expect(await other.ttl('k')).toSatisfy(within(60_000, 604_800_000))
        const endless = createCache({ store: stores[0] as AtomicStore, namespace: 'endless', storeTimeout: '20s' })
        await endless.set('k', 1)
        expect(await endless.ttl('k')).toBe(Number.POSITIVE_INFINITY)
        expect((await endless.getEntry('k')).ttl).toBe(Number.POSITIVE_INFINITY)
        await endless.touch('k', { ttl: '1m' })
        expect(await endless.ttl('k')).toSatisfy(within(1000, 60_000))
        await endless.touch('k')
        expect(await endless.ttl('k')).toBe(Number.POSITIVE_INFINITY)
        await endless.delete('k')
      })
      test('end a value at the end of its ttl', async ({ cache }) => {
        await Promise.all([
          cache.set('set', 1, { ttl: 40 }),
          cache.add('add', 1, { ttl: '40ms' }),
          cache.setMany([['many', 1]], { ttl: 40 }),
          cache.increment('count', 1, { ttl: 40 }),
          cache.getOrSet('load', () => 1, { ttl: 40 }),
          cache.set('touch', 1).then(() => cache.touch('touch', { ttl: 40 })),
        ])
        await pause(80)
        expect((await cache.getMany(['set', 'add', 'many', 'count', 'load', 'touch'])).size).toBe(0)
        expect(await cache.increment('count', 5)).toBe(5)
      })
      test('count', async ({ cache, other }) => {
        expect(await cache.increment('n')).toBe(1)
        expect(await other.increment('n', 41)).toBe(42)
        expect(await cache.decrement('n')).toBe(41)
        expect(await cache.decrement('n', 50)).toBe(-9)
        expect(await cache.increment('n', 0)).toBe(-9)
        expect(await cache.decrement('n', 0)).toBe(-9)
        expect(await cache.get('n')).toBe(-9)
        await cache.set('n', 5)
        expect(await cache.increment('n')).toBe(6)
        await cache.set('n', Number.MAX_SAFE_INTEGER - 1)
        expect(await cache.increment('n')).toBe(Number.MAX_SAFE_INTEGER)
        await expect(cache.increment('n')).rejects.toEqual(code('OVERFLOW'))
        await expect(cache.increment('n', Number.MAX_SAFE_INTEGER)).rejects.toEqual(code('OVERFLOW'))
        expect(await cache.get('n')).toBe(Number.MAX_SAFE_INTEGER)
        await cache.set('n', -Number.MAX_SAFE_INTEGER)
        await expect(cache.decrement('n')).rejects.toEqual(code('OVERFLOW'))
        for (const value of ['5', 1.5, null, 2 ** 53, true, [1]]) {
          await cache.set('n', value)
          await expect(cache.increment('n')).rejects.toEqual(code('WRONG_TYPE'))
          expect(await cache.get('n')).toEqual(value)
        }
      })
      test('keep the lifetime of a counter', async ({ cache }) => {
        await cache.increment('n', 1, { ttl: '10m' })
        await cache.increment('n', 1, { ttl: '1s' })
        expect(await cache.ttl('n')).toBeGreaterThan(60_000)
      })
      test('let one of 50 take, one of 50 add, and lose no increment', async ({ cache, other }) => {
        const fifty = Array.from({ length: 50 }, (_, i) => (i % 2 ? cache : other))
        await cache.set('take', 'prize')
        const taken = await Promise.all(fifty.map((each) => each.take('take')))
        expect(taken.filter((value) => value !== undefined)).toEqual(['prize'])
        const added = await Promise.all(fifty.map((each, i) => each.add('add', i)))
        expect(added.filter(Boolean)).toHaveLength(1)
        expect(await cache.get('add')).toBe(added.indexOf(true))
        const sums = await Promise.all(fifty.map((each) => each.increment('sum')))
        expect(sums.sort((a, b) => a - b)).toEqual(fifty.map((_, i) => i + 1))
      })
    })

    describe('a stale value', () => {
      const stale = async (cache: Cache<'frozen'>, value: unknown): Promise<void> => {
        await cache.set('k', value, { ttl: 30, grace: '5m' })
        await pause(60)
      }
      test('is absent but to who can use it', async ({ cache }) => {
        await stale(cache, 'old')
        expect(await cache.get('k')).toBeUndefined()
        expect((await cache.getMany(['k'])).size).toBe(0)
        expect(await cache.has('k')).toBe(false)
        expect(await cache.ttl('k')).toBeUndefined()
        expect(await cache.touch('k')).toBe(false)
        expect(await cache.take('k')).toBeUndefined()
        expect(await cache.getEntry('k')).toMatchObject({ status: 'stale', value: 'old', ttl: 0 })
        expect(await cache.add('k', 'new')).toBe(true)
        expect(await cache.get('k')).toBe('new')
      })
      test('is served when the loader fails, and replaced when it does not', async ({ cache, other, events }) => {
        await stale(cache, 'old')
        const fail = () => Promise.reject(new Error('down'))
        expect(await cache.getOrSet('k', fail)).toBe('old')
        expect(await other.getOrSet('k', fail)).toBe('old')
        expect(await cache.getOrSet('k', () => new Promise(() => {}), { hardTimeout: 20 })).toBe('old')
        expect(cache.stats()).toMatchObject({ stale: 2, loadErrors: 2, loads: 2, inFlight: 0 })
        expect(events.filter(({ type }) => type === 'stale')).toHaveLength(2)
        expect(await other.getOrSet('k', () => 'new')).toBe('new')
        await other.flush()
        expect(await cache.getEntry('k')).toMatchObject({ status: 'fresh', value: 'new' })
      })
      test('is gone by delete, and no counter', async ({ cache }) => {
        await stale(cache, 7)
        expect(await cache.increment('k', 1)).toBe(1)
        await stale(cache, 7)
        expect(await cache.delete('k')).toBe(1)
        expect(await cache.getEntry('k')).toMatchObject({ status: 'absent' })
        await expect(cache.getOrSet('k', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
      })
      test('is not served to who gave up', async ({ cache }) => {
        await stale(cache, 'old')
        const controller = new AbortController()
        const reason = new Error('left')
        const answer = cache.getOrSet('k', () => new Promise(() => {}), { signal: controller.signal })
        setTimeout(() => controller.abort(reason), 20)
        await expect(answer).rejects.toBe(reason)
      })
    })

    describe('getOrSet', () => {
      test('runs one loader for 1,000 callers, after one read', async ({ cache, asked }) => {
        let runs = 0
        const load = async () => {
          await pause(5)
          return { run: ++runs }
        }
        const answers = await Promise.all(Array.from({ length: 1000 }, () => cache.getOrSet('k', load)))
        expect(answers.every(({ run }) => run === 1)).toBe(true)
        // One read of the entry and one of the namespace's generation, sent together.
        expect(asked.gets).toBe(2)
        expect(cache.stats()).toMatchObject({ loads: 1, joined: 999, misses: 1000, inFlight: 0 })
        expect(await cache.getOrSet('k', load)).toEqual({ run: 1 })
        expect(cache.stats().hits).toBe(1)
      })
      test('runs one loader for two caches on connections of their own', async ({ cache, other }) => {
        let runs = 0
        const load = async () => {
          runs++
          await pause(20)
          return 'value'
        }
        const calls = Array.from({ length: 100 }, (_, i) => (i % 2 ? cache : other).getOrSet('k', load))
        expect(new Set(await Promise.all(calls))).toEqual(new Set(['value']))
        expect(runs).toBe(1)
      })
      test('lets who comes later share a load it has seen running', async ({ cache }) => {
        const door = gate<string>()
        let runs = 0
        const load = () => {
          runs++
          return door.promise
        }
        const first = cache.getOrSet('k', load)
        while (runs === 0) await pause(1)
        const later = [cache.getOrSet('k', load), cache.getOrSet('k', load)]
        while (cache.stats().joined < 2) await pause(1)
        door.open('value')
        expect(await Promise.all([first, ...later])).toEqual(['value', 'value', 'value'])
        expect(runs).toBe(1)
      })
      for (const [how, write] of [
        ['delete', (cache: Cache<'frozen'>) => cache.delete('k')],
        ['set', (cache: Cache<'frozen'>) => cache.set('k', 'set')],
      ] as const) {
        for (const where of ['the same cache', 'another cache'] as const) {
          test(`parts a load from its key at a ${how} by ${where}`, async ({ cache, other, events }) => {
            const door = gate<string>()
            let started = false
            const early = cache.getOrSet('k', () => {
              started = true
              return door.promise
            })
            while (!started) await pause(1)
            await write(where === 'the same cache' ? cache : other)
            const late = await cache.getOrSet('k', () => 'new')
            expect(late).toBe(how === 'set' ? 'set' : 'new')
            await cache.flush()
            await cache.delete('k')
            door.open('old')
            expect(await early).toBe('old')
            await cache.flush()
            expect(await cache.get('k')).toBeUndefined()
            expect(events.filter(({ type }) => type === 'fill-refused')).toHaveLength(1)
            expect(cache.stats().inFlight).toBe(0)
          })
        }
      }
      test(`answers no later caller with what was there before a delete or set, in ${ROUNDS} rounds`, async (pair) => {
        const caches = [pair.cache, pair.other]
        const chance = (n: number): number => Math.floor(Math.random() * n)
        const either = (): Cache<'frozen'> => caches[chance(2)] as Cache<'frozen'>
        const wait = async (): Promise<void> => {
          const turns = chance(12)
          if (turns > 8) await pause(chance(4))
          else for (let i = 0; i < turns; i++) await Promise.resolve()
        }
        const round = async (n: number): Promise<void> => {
          const key = `round${n}`
          let version = 1
          const load = async (): Promise<number> => {
            const read = version
            await wait()
            return read
          }
          const early = Array.from({ length: 1 + chance(3) }, async () => {
            await wait()
            return either().getOrSet(key, load)
          })
          await wait()
          const writer = either()
          version = 2
          if (chance(2) === 0) await writer.delete(key)
          else await writer.set(key, 2)
          const late = await Promise.all([
            either().getOrSet(key, load),
            either().get(key),
            wait().then(() => either().getOrSet(key, load)),
            ...early.map((each) => each.then(() => either().get(key))),
          ])
          expect(late.filter((seen) => seen !== undefined && seen !== 2)).toEqual([])
          expect((await Promise.all(early)).every((seen) => seen === 1 || seen === 2)).toBe(true)
          expect(await either().getOrSet(key, load)).toBe(2)
        }
        for (let n = 0; n < ROUNDS; n += 10) await Promise.all(Array.from({ length: 10 }, (_, i) => round(n + i)))
        expect(caches.map((cache) => cache.stats().inFlight)).toEqual([0, 0])
      })
      test('hands a failure to every waiter, keeps nothing of it, and frees the lease', async ({
        cache,
        other,
        asked,
      }) => {
        const failure = new Error('down')
        let runs = 0
        const fail = async () => {
          runs++
          await pause(5)
          throw failure
        }
        const waiters = Array.from({ length: 20 }, () => cache.getOrSet('k', fail))
        const outcomes = await Promise.allSettled(waiters)
        expect(outcomes.every((each) => each.status === 'rejected' && each.reason === failure)).toBe(true)
        expect(runs).toBe(1)
        const before = asked.runs
        expect(await cache.getOrSet('k', () => 'at once')).toBe('at once')
        await cache.flush()
        // The lease was free: one operation took it and one stored the value.
        expect(asked.runs - before).toBe(2)
        expect(await other.get('k')).toBe('at once')
        expect(cache.stats()).toMatchObject({ loadErrors: 1, inFlight: 0 })
      })
      test('hands on what a loader throws at once', async ({ cache }) => {
        const thrown = { not: 'an error' }
        const answer = cache.getOrSet('k', () => {
          throw thrown
        })
        await expect(answer).rejects.toBe(thrown)
      })
      test('stores nothing for undefined, and frees the lease', async ({ cache, asked }) => {
        expect(await cache.getOrSet('k', () => undefined)).toBeUndefined()
        await cache.flush()
        expect((await cache.getEntry('k')).status).toBe('absent')
        const before = asked.runs
        expect(await cache.getOrSet('k', () => 1)).toBe(1)
        expect(asked.runs - before).toBe(2)
      })
      test('tells the loader its key, and gives it a signal', async ({ cache }) => {
        const seen = await cache.getOrSet('k:1', ({ key, signal }) => [key, signal.aborted])
        expect(seen).toEqual(['k:1', false])
      })
      test('an abort before sends nothing, one during leaves the others alone', async ({ cache, asked }) => {
        const reason = new Error('left')
        let runs = 0
        const door = gate<string>()
        let signal: AbortSignal | undefined
        const load = (context: { signal: AbortSignal }) => {
          runs++
          signal = context.signal
          return door.promise
        }
        await expect(cache.getOrSet('k', load, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
        expect([asked.gets, runs]).toEqual([0, 0])
        const controller = new AbortController()
        const leaver = cache.getOrSet('k', load, { signal: controller.signal })
        const stayer = cache.getOrSet('k', load)
        while (runs === 0) await pause(1)
        controller.abort(reason)
        await expect(leaver).rejects.toBe(reason)
        expect(signal?.aborted).toBe(false)
        door.open('value')
        expect(await stayer).toBe('value')
        expect(runs).toBe(1)
      })
      test('ends the loader when its last caller leaves, and frees the lease', async ({ cache, other }) => {
        const controllers = [new AbortController(), new AbortController()]
        let signal: AbortSignal | undefined
        const load = (context: { signal: AbortSignal }) => {
          signal = context.signal
          return new Promise<never>(() => {})
        }
        const callers = controllers.map((controller) => cache.getOrSet('k', load, { signal: controller.signal }))
        while (!signal || cache.stats().joined === 0) await pause(1)
        const reason = new Error('left')
        controllers[0]?.abort(reason)
        await expect(callers[0]).rejects.toBe(reason)
        expect(signal.aborted).toBe(false)
        controllers[1]?.abort(reason)
        await expect(callers[1]).rejects.toBe(reason)
        expect(signal.aborted).toBe(true)
        expect(await other.getOrSet('k', () => 'next')).toBe('next')
        await cache.flush()
        expect(cache.stats().inFlight).toBe(0)
      })
      test('rejects at the deadline of its caller', async ({ cache, other }) => {
        const never = () => new Promise<never>(() => {})
        await expect(cache.getOrSet('k', never, { deadline: Date.now() - 1 })).rejects.toEqual(code('TIMEOUT'))
        await expect(cache.getOrSet('k', never, { deadline: Date.now() + 40 })).rejects.toEqual(code('TIMEOUT'))
        expect(await other.getOrSet('k', () => 'next')).toBe('next')
      })
      test('ends a loader at hardTimeout, and frees the lease', async ({ cache, asked }) => {
        let signal: AbortSignal | undefined
        const answer = cache.getOrSet(
          'k',
          (context) => {
            signal = context.signal
            return new Promise<never>(() => {})
          },
          { hardTimeout: 30 },
        )
        await expect(answer).rejects.toEqual(code('TIMEOUT'))
        expect(signal?.reason).toEqual(code('TIMEOUT'))
        await cache.flush()
        const before = asked.runs
        expect(await cache.getOrSet('k', () => 'next')).toBe('next')
        expect(asked.runs - before).toBe(2)
      })
      test('takes over from a holder that went away', async ({ cache, store, namespace }) => {
        const text = await leaseOf(cache, store, `${namespace}:gone`)
        await store.set(`${namespace}:k`, text.replace(/\d{15}(?=[\w-]{16}\d{8}$)/, '000000000000001'))
        expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded')
      })
      test('reads past what no cache wrote', async ({ cache, store, namespace }) => {
        for (const text of ['', 'x', 'h', `h${'x'.repeat(300)}`, `h${'é'.repeat(200)}`, '{"a":1}']) {
          await store.set(`${namespace}:k`, text)
          expect(await cache.get('k')).toBeUndefined()
          expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded')
          await store.set(`${namespace}:k`, text)
          expect(await cache.add('k', 'added')).toBe(true)
        }
      })
      test('replaces what it cannot decode, stale or fresh', async ({ cache, events, namespace }) => {
        const marked = { mark: 'Q', encode: () => 'secret', decode: () => 'opened' }
        const sealed = createCache({ store: stores[1] as AtomicStore, namespace, codec: marked, storeTimeout: '20s' })
        await sealed.set('k', 1)
        expect(await sealed.get('k')).toBe('opened')
        expect(await cache.get('k')).toBeUndefined()
        expect((await cache.getEntry('k')).status).toBe('absent')
        expect([await cache.has('k'), await cache.ttl('k'), await cache.take('k'), await cache.touch('k')]).toEqual([
          false,
          undefined,
          undefined,
          false,
        ])
        expect(await sealed.get('k')).toBe('opened')
        expect([await cache.add('k', 'added'), await cache.add('k', 'twice')]).toEqual([true, false])
        await sealed.set('k', 1)
        expect(await cache.increment('k', 2)).toBe(2)
        await sealed.set('k', 1)
        expect(await cache.getOrSet('k', () => 'mine')).toBe('mine')
        expect(await cache.get('k')).toBe('mine')
        await sealed.set('k', 1, { ttl: 30, grace: '1m' })
        await pause(60)
        expect(await cache.getOrSet('k', () => 'mine')).toBe('mine')
        expect(events.some(({ type }) => type === 'decode-failed')).toBe(true)
      })
    })

    describe('an acknowledged write is there', () => {
      const tags = ['t', 'u'] as const
      const ends: Record<string, (pair: Pair) => Promise<unknown>> = {
        clear: ({ other }) => other.clear(),
        invalidateTags: ({ other }) => other.invalidateTags(['u']),
        'invalidateTags, kept stale': ({ other }) => other.invalidateTags(['u'], { keepStale: true }),
        'an empty server': ({ store, namespace }) =>
          store.delete([`:${namespace}:g`, `:${namespace}:t:t`, `:${namespace}:t:u`]),
      }
      for (const [what, end] of Object.entries(ends)) {
        test(`after ${what} by another process`, async (pair) => {
          const { cache, other } = pair
          for (let round = 0; round < 5; round++) {
            await cache.set('before', 1, { tags })
            await end(pair)
            await cache.set('set', round, { tags })
            await end(pair)
            await cache.setMany([['one', round], ['two', round]], { tags }) // biome-ignore format: pairs
            // The value set before the last `end` is gone.
            expect(await other.get('set')).toBeUndefined()
            await cache.set('set', round, { tags })
            const found = await other.getMany(['set', 'one', 'two'], { tags })
            expect([...found.values()]).toEqual([round, round, round])
            await end(pair)
            expect(await cache.add('add', round, { tags })).toBe(true)
            expect(await other.get('add')).toBe(round)
            await other.delete(['add'])
          }
        })
      }
      test('a counter too', async ({ cache, other }) => {
        expect(await cache.increment('n')).toBe(1)
        await other.clear()
        expect(await cache.increment('n', 5)).toBe(5)
        expect(await other.get('n')).toBe(5)
      })
      test('and its tags live as long', async ({ cache, other, store, namespace }) => {
        const left = async (tag: string): Promise<number> =>
          (await store.run(lifetime, `:${namespace}:t:${tag}`, [])) ?? 0
        await cache.set('short', 1, { tags, ttl: 1000 })
        expect(await left('t')).toBeLessThan(120_000)
        await cache.set('long', 1, { tags, ttl: '2d' })
        expect(await left('t')).toBeGreaterThan(2 * 86_400_000)
        expect(await other.touch('long', { ttl: '6d' })).toBe(true)
        expect(await left('u')).toBeGreaterThan(6 * 86_400_000)
        const load = ({ setTtl }: { setTtl(ttl: '3d'): void }): number => {
          setTtl('3d')
          return 1
        }
        await cache.getOrSet('loaded', load, { tags: ['v'], ttl: '1m' })
        await cache.flush()
        expect(await left('v')).toBeGreaterThan(3 * 86_400_000)
      })
    })

    describe('around it', () => {
      test('a view of a namespace has keys of its own', async ({ cache }) => {
        const child = cache.namespace('child')
        const grandchild = child.namespace('deeper')
        await Promise.all([cache.set('k', 1), child.set('k', 2), grandchild.set('k', 3)])
        expect(await Promise.all([cache, child, grandchild].map((each) => each.get('k')))).toEqual([1, 2, 3])
        await child.delete('k')
        expect(await Promise.all([cache, child, grandchild].map((each) => each.get('k')))).toEqual([1, undefined, 3])
        expect(() => cache.namespace('a:b')).toThrow(code('INVALID_KEY'))
        expect(() => cache.namespace('')).toThrow(code('INVALID_KEY'))
      })
      test('a view of a request ends its calls and hands on what continues', async ({ cache, other }) => {
        const works: Promise<unknown>[] = []
        const controller = new AbortController()
        const view = cache.with({ waitUntil: (work) => void works.push(work), signal: controller.signal })
        expect(await view.namespace('n').getOrSet('k', () => 'value')).toBe('value')
        expect(works).toHaveLength(1)
        await Promise.all(works)
        expect(await other.namespace('n').get('k')).toBe('value')
        const reason = new Error('gone')
        controller.abort(reason)
        await expect(view.get('k')).rejects.toBe(reason)
        await expect(view.set('k', 1)).rejects.toBe(reason)
        await expect(view.getOrSet('k', () => 1)).rejects.toBe(reason)
        await expect(cache.with({ deadline: Date.now() - 1 }).get('k')).rejects.toEqual(code('TIMEOUT'))
        expect(await cache.get('k')).toBeUndefined()
        expect(() => cache.with({ until: 1 } as object)).toThrow(code('INVALID_ARGUMENT'))
      })
      test('flush waits for what continues', async ({ cache, other }) => {
        await cache.with({ waitUntil: () => {} }).getOrSet('k', () => 'value')
        await cache.flush()
        expect(await other.get('k')).toBe('value')
      })
      test('events tell what happened without keys and values; a listener that throws is ignored', async (pair) => {
        const { events, namespace, store } = pair
        await pair.cache.getOrSet('private-key', () => 'private-value')
        await pair.cache.getOrSet('private-key', () => 'private-value')
        expect(events.map(({ type }) => type)).toEqual(['miss', 'load', 'hit'])
        expect(events.every((event) => event.namespace === namespace)).toBe(true)
        expect(JSON.stringify(events)).not.toContain('private')
        const throwing = createCache({
          store,
          namespace,
          storeTimeout: '20s',
          onEvent: () => {
            throw new Error('listener')
          },
        })
        expect(await throwing.getOrSet('k', () => 1)).toBe(1)
        expect(await throwing.getOrSet('k', () => 2)).toBe(1)
        await expect(throwing.getOrSet('f', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
      })
      test('wrap keys a call by its name and arguments', async ({ cache }) => {
        let runs = 0
        const fn = cache.wrap((...args: unknown[]) => [++runs, args.length], { name: 'fn', ttl: '1m' })
        const calls: unknown[][] = [
          [1],
          ['1'],
          [true],
          [],
          [null],
          [{ a: 1, b: 2 }],
          [[1]],
          [1, 2],
          [new Date(1)],
          [1n],
        ]
        for (const [i, args] of calls.entries()) expect(await fn(...args)).toEqual([i + 1, args.length])
        for (const [i, args] of calls.entries()) expect(await fn(...args)).toEqual([i + 1, args.length])
        expect(await fn({ b: 2, a: 1 })).toEqual(await fn({ a: 1, b: 2 }))
        const { signal } = new AbortController()
        expect(await fn(1, signal)).toEqual([1, 1])
        expect(await fn({ a: 1, b: 2, signal })).toEqual(await fn({ a: 1, b: 2 }))
        const other = cache.wrap(() => 'other', { name: 'other' })
        expect(await other()).toBe('other')
        const keyed = cache.wrap((user: { id: number }) => user.id, { name: 'keyed', key: ({ id }) => `${id % 2}` })
        expect([await keyed({ id: 1 }), await keyed({ id: 3 }), await keyed({ id: 2 })]).toEqual([1, 1, 2])
        // A wrapped function has separate keys, which no other call of the cache reaches.
        expect(await cache.get('keyed:1')).toBeUndefined()
        expect(() => cache.wrap(() => 1, { name: '' })).toThrow(code('INVALID_ARGUMENT'))
        expect(() => cache.wrap(() => 1, {} as { name: string })).toThrow(code('INVALID_ARGUMENT'))
        await expect(fn(() => 1)).rejects.toEqual(code('UNENCODABLE'))
        await expect(fn('x'.repeat(2000))).rejects.toEqual(code('INVALID_KEY'))
      })
      it('close ends the store, and so does leaving the block', async () => {
        const store = await open()
        {
          await using cache = createCache({ store, namespace: 'closing', storeTimeout: '20s' })
          await cache.set('k', 1, LIFE)
        }
        const cache = createCache({ store, namespace: 'closing' })
        await cache.close()
        const calls = [
          cache.get('k'),
          cache.set('k', 1),
          cache.getOrSet('k', () => 1),
          cache.delete('k'),
          cache.has('k'),
        ]
        for (const call of calls) await expect(call).rejects.toEqual(code('CLOSED'))
        await cache.flush()
      })
    })

    test('bad input gets a stable code from every method, and writes nothing', async ({ cache, store, namespace }) => {
      type Call = (key: string, options?: never) => Promise<unknown>
      const calls: Record<string, Call> = {
        get: (key, options) => cache.get(key, options),
        getMany: (key, options) => cache.getMany(['ok', key], options),
        getOrSet: (key, options) => cache.getOrSet(key, () => 1, options),
        set: (key, options) => cache.set(key, 1, options),
        setMany: (key, options) => cache.setMany([['ok', 1], [key, 1]], options), // biome-ignore format: pairs
        add: (key, options) => cache.add(key, 1, options),
        has: (key, options) => cache.has(key, options),
        ttl: (key, options) => cache.ttl(key, options),
        touch: (key, options) => cache.touch(key, options),
        take: (key, options) => cache.take(key, options),
        delete: (key, options) => cache.delete(['ok', key], options),
        increment: (key, options) => cache.increment(key, 1, options),
        decrement: (key, options) => cache.decrement(key, 1, options),
        getEntry: (key, options) => cache.getEntry(key, options),
        wrap: (key, options) =>
          cache.wrap(() => 1, { name: 'w', key: () => key, ...(options as object | undefined) })(),
      }
      const room = 1024 - namespace.length - 1
      const keys = ['', 7, null, undefined, {}, 'k'.repeat(room + 1), 'é'.repeat(room / 2 + 1), 'a\ud800'] as string[]
      for (const [name, call] of Object.entries(calls)) {
        if (name !== 'wrap') for (const key of keys) await expect(call(key), name).rejects.toEqual(code('INVALID_KEY'))
        await expect(call('k', { nope: 1 } as never), name).rejects.toEqual(code('INVALID_ARGUMENT'))
        const aborted = { signal: AbortSignal.abort(new Error('left')) }
        await expect(call('k', aborted as never), name).rejects.toThrow('left')
        await expect(call('k', { deadline: Date.now() - 1 } as never), name).rejects.toEqual(code('TIMEOUT'))
      }
      const writes = ['getOrSet', 'set', 'setMany', 'add', 'touch', 'increment', 'decrement', 'wrap']
      for (const name of writes) {
        for (const ttl of ['5 apples', Number.NaN, -1, 0, '0s', 1e15, {}, '']) {
          await expect(calls[name]?.('k', { ttl } as never), name).rejects.toEqual(code('INVALID_DURATION'))
        }
      }
      for (const name of ['getOrSet', 'set', 'setMany', 'add', 'touch', 'wrap']) {
        for (const grace of ['5 apples', Number.NaN, -1]) {
          await expect(calls[name]?.('k', { grace } as never), name).rejects.toEqual(code('INVALID_DURATION'))
        }
      }
      for (const hardTimeout of ['5 apples', Number.NaN, -1, 0]) {
        await expect(calls.getOrSet?.('k', { hardTimeout } as never)).rejects.toEqual(code('INVALID_DURATION'))
      }
      for (const by of [0.5, Number.NaN, 2 ** 53, '1', null, Number.POSITIVE_INFINITY] as number[]) {
        await expect(cache.increment('k', by)).rejects.toEqual(code('INVALID_ARGUMENT'))
        await expect(cache.decrement('k', by)).rejects.toEqual(code('INVALID_ARGUMENT'))
      }
      const many = Array.from({ length: 10_001 }, (_, i) => `m${i}`)
      await expect(cache.getMany(many)).rejects.toEqual(code('BATCH_TOO_LARGE'))
      await expect(cache.delete(many)).rejects.toEqual(code('BATCH_TOO_LARGE'))
      await expect(cache.setMany(many.map((key) => [key, 1]))).rejects.toEqual(code('BATCH_TOO_LARGE'))
      const touched = ['ok', 'k', 'w:k', 'm0'].map((key) => `${namespace}:${key}`)
      expect(await store.getMany(touched)).toEqual(touched.map(() => undefined))
      const longest = 'k'.repeat(room)
      await cache.set(longest, 1)
      expect(await cache.get(longest)).toBe(1)
    })
  })
}

/** Starts a load and resolves to the text stored under its key while it runs. */
async function leaseOf(cache: Cache<'frozen'>, store: AtomicStore, stored: string): Promise<string> {
  let text: string | undefined
  await cache.getOrSet(stored.slice(stored.indexOf(':') + 1), async () => {
    text = await store.get(stored)
    return 1
  })
  return text as string
}

const env = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: the test setup starts the servers`)
  return value
}
const over = (make: () => Redis | Cluster) => {
  const clients: (Redis | Cluster)[] = []
  return [
    async () => {
      const client = make()
      clients.push(client)
      return ioredisStore(client)
    },
    async () => {
      for (const client of clients) client.disconnect()
    },
  ] as const
}
const single = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }

/** Opens stores in this process. The first two share their data, as two connections to one server do. */
const inProcess = (): (() => Promise<AtomicStore>) => {
  const memory = memoryStore()
  let opened = 0
  return async () => (opened++ < 2 ? { ...memory, close: async () => {} } : memoryStore())
}
describeCache('memory', inProcess())
const embedded = (): (() => Promise<AtomicStore>) => {
  const store = embeddedStore()
  let opened = 0
  return async () => (opened++ < 2 ? { ...store, close: async () => {} } : embeddedStore())
}
describeCache('embedded', embedded())
describeCache('embedded, mini', embedded(), undefined, createMiniCache)
describeCache('memory, mini', inProcess(), undefined, createMiniCache)
describeCache('ioredis → Redis 7', ...over(() => new Redis(env('REDIS7_URL'), single)))
describeCache('ioredis → Redis 8', ...over(() => new Redis(env('REDIS8_URL'), single)))
describeCache('ioredis → Redis 8, mini', ...over(() => new Redis(env('REDIS8_URL'), single)), createMiniCache)
describeCache('ioredis → Valkey', ...over(() => new Redis(env('VALKEY_URL'), single)))
describeCache(
  'ioredis → Cluster',
  ...over(
    () =>
      new Cluster(
        env('CLUSTER_NODES')
          .split(',')
          .map((node) => ({ host: node.split(':')[0] as string, port: Number(node.split(':')[1]) })),
        { enableOfflineQueue: false, retryDelayOnFailover: 0, redisOptions: { maxRetriesPerRequest: 0 } },
      ),
  ),
)
for (const [name, variable] of [
  ['Redis 7', 'REDIS7_URL'],
  ['Redis 8', 'REDIS8_URL'],
  ['Valkey', 'VALKEY_URL'],
] as const) {
  describeCache(`tcp → ${name}`, async () => tcpStore({ url: env(variable) }))
}
for (const [name, make] of [
  ['REST → gateway → Redis 8', createCache],
  ['REST → gateway → Redis 8, mini', createMiniCache],
] as const) {
  let gateway: Promise<StartedGateway> | undefined
  const open = async () => {
    gateway ??= startGateway({ redis: env('REDIS8_URL') })
    return upstashStore(await gateway)
  }
  describeCache(name, open, async () => (await gateway)?.stop(), make)
}
const admin = new Redis(env('REDIS7_URL'), { lazyConnect: true })
describeCache(
  'ioredis, scripts refused',
  async () => {
    await admin.call('ACL', 'SETUSER', 'cache-noscripts', 'on', '>secret', '~*', '&*', '+@all', '-@scripting')
    const url = new URL(env('REDIS7_URL'))
    url.username = 'cache-noscripts'
    url.password = 'secret'
    return ioredisStore(await connect(url.href))
  },
  async () => admin.disconnect(),
)
for (const { name, open, close } of systems()) describeCache(name, open, close)
