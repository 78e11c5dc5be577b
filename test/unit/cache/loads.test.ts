import { type AtomicStore, type Cache, type CacheOptions, createCache, HitherError } from 'hither'
import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { plain } from 'hither/plain'
import { atFraction } from 'hither/refresh'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { NONE, parseEntry } from '../../../src/protocol/entry.ts'
import { pause } from './slow-store.ts'

// How a load ends and who gets its result: failures with and without `shareFailure`, `close`, leases that nobody holds,
// callers with less patience than the loader (`finish`, `onDeadline`), loaders that return undefined or set a lifetime,
// `flush` within a loader, the options of a load, and a delete during the first load of a key.

/** Caches over one store, one for each process. */
function many(count: number, options: Partial<CacheOptions> = {}, store = memoryStore()): Cache<'frozen'>[] {
  return Array.from({ length: count }, () => createCache({ store, ttl: '1m', ...options }))
}
function two(options: Partial<CacheOptions> = {}, store = memoryStore()): [Cache<'frozen'>, Cache<'frozen'>] {
  return many(2, options, store) as [Cache<'frozen'>, Cache<'frozen'>]
}
function gate<T = void>(): { promise: Promise<T>; open(value: T): void; fail(error: unknown): void } {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  promise.catch(() => {})
  return { promise, open: resolve, fail: reject }
}
const code = (code: string) => expect.objectContaining({ code })

/** A first load that the test ends by hand, and loads in other processes that wait for it. */
async function waitingFor(
  caches: readonly Cache<'frozen'>[],
  first: () => unknown,
  then: () => unknown,
  options?: Parameters<Cache<'frozen'>['getOrSet']>[2],
): Promise<{ open(): void; leader: Promise<unknown>; followers: Promise<unknown>[]; most(): number }> {
  const start = gate()
  const [leader, ...rest] = caches as [Cache<'frozen'>, ...Cache[]]
  const leading = leader.getOrSet(
    'k',
    async () => {
      await start.promise
      return first()
    },
    options,
  )
  leading.catch(() => {})
  await pause(5)
  let running = 0
  let most = 0
  const all = gate()
  const followers = rest.map((cache) =>
    cache.getOrSet(
      'k',
      async () => {
        most = Math.max(most, ++running)
        if (running === rest.length) all.open()
        // Each load ends once all have started. If one waited for another, none would ever end.
        await all.promise
        return then()
      },
      options,
    ),
  )
  for (const follower of followers) follower.catch(() => {})
  await pause(40)
  return { open: () => start.open(), leader: leading, followers, most: () => most }
}

describe('those who wait for a load of another process that ends without a value load at once', () => {
  const fails = (): never => {
    throw new Error('down')
  }
  it('when it throws, and each gets its own answer', async () => {
    const { open, leader, followers, most } = await waitingFor(many(8), fails, fails)
    open()
    await expect(leader).rejects.toThrow('down')
    for (const follower of followers) await expect(follower).rejects.toThrow('down')
    expect(most()).toBe(7)
  })
  it('when it throws, and one of them stores what it loads', async () => {
    const caches = many(8)
    const { open, leader, followers } = await waitingFor(caches, fails, () => 'value')
    open()
    await expect(leader).rejects.toThrow('down')
    expect(await Promise.all(followers)).toEqual(Array(7).fill('value'))
    await Promise.all(caches.map((cache) => cache.flush()))
    expect(await caches[0]?.get('k')).toBe('value')
  })
  it('when it throws and there is a stale copy, which they get', async () => {
    const caches = many(8, { grace: '1h' })
    await caches[0]?.set('k', 'stale')
    await caches[0]?.expire('k')
    const { open, leader, followers, most } = await waitingFor(caches, fails, fails)
    open()
    expect(await Promise.all([leader, ...followers])).toEqual(Array(8).fill('stale'))
    expect(most()).toBe(7)
  })
  it('when it answers undefined', async () => {
    const { open, leader, followers } = await waitingFor(
      many(4),
      () => undefined,
      () => 'value',
    )
    open()
    expect(await Promise.all([leader, ...followers])).toEqual([undefined, 'value', 'value', 'value'])
  })
  it('when it is too large', async () => {
    const store = memoryStore()
    const traits = { ...store.traits, maxValueBytes: 2000 }
    const run: AtomicStore['run'] = async (operation, key, args, call) => {
      if (String(args.at(-1)).length > 2000) {
        throw new HitherError('VALUE_TOO_LARGE', 'too large')
      }
      return store.run(operation, key, args, call)
    }
    const caches = many(4, {}, { ...store, traits, run } as never)
    const { open, leader, followers } = await waitingFor(
      caches,
      () => 'x'.repeat(5000),
      () => 'value',
    )
    open()
    expect(await leader).toHaveLength(5000)
    expect(await Promise.all(followers)).toEqual(['value', 'value', 'value'])
  })
  it('when it skips, or names a tag too late', async () => {
    for (const how of ['skip', 'tag', 'ttl'] as const) {
      const caches = many(4)
      const start = gate()
      const first = caches[0]?.getOrSet('k', async ({ skip, setTags, setTtl }) => {
        await start.promise
        if (how === 'tag') setTags(['late'])
        if (how === 'ttl') setTtl(0)
        return how === 'skip' ? skip('first') : 'first'
      })
      await pause(5)
      let running = 0
      const all = gate()
      const rest = caches.slice(1).map((cache) =>
        cache.getOrSet('k', async () => {
          if (++running === 3) all.open()
          await all.promise
          return 'value'
        }),
      )
      await pause(40)
      start.open()
      expect(await first).toBe('first')
      expect(await Promise.all(rest)).toEqual(['value', 'value', 'value'])
    }
  })
  it('leave nothing where nobody waits', async () => {
    const store = memoryStore()
    const [cache] = two({}, store)
    await expect(cache.getOrSet('k', fails)).rejects.toThrow('down')
    expect(await cache.getOrSet('k', () => undefined)).toBeUndefined()
    expect(await store.get('hither:k')).toBeUndefined()
    expect(await cache.delete('k')).toBe(0)
  })
  it('but behind one another when it was deleted, or its callers have left', async () => {
    for (const how of ['delete', 'leave'] as const) {
      const [leader, other, ...rest] = many(6) as [Cache<'frozen'>, Cache<'frozen'>, ...Cache[]]
      const stop = new AbortController()
      const leading = leader.getOrSet('k', () => new Promise(() => {}), { signal: stop.signal, hardTimeout: 500 })
      leading.catch(() => {})
      await pause(5)
      let loads = 0
      const following = [other, ...rest].map((cache) =>
        cache.getOrSet('k', async () => {
          loads++
          await pause(50)
          return 'value'
        }),
      )
      await pause(40)
      if (how === 'delete') await leader.delete('k')
      else stop.abort(new Error('left'))
      expect(await Promise.all(following)).toEqual(Array(5).fill('value'))
      expect(loads).toBe(1)
    }
  })
})

describe('shareFailure', () => {
  it('answers those who wait, and who come soon, by the failure of another process', async () => {
    const [here, there] = two()
    const options = { shareFailure: '1m' } as const
    const start = gate()
    const first = here.getOrSet('k', () => start.promise, options)
    await pause(5)
    let loads = 0
    const load = (): string => `value ${++loads}`
    const second = there.getOrSet('k', load, options)
    await pause(20)
    start.fail(new Error('down'))
    await expect(first).rejects.toThrow('down')
    await expect(second).rejects.toEqual(code('LOAD_FAILED'))
    await expect(here.getOrSet('k', load, options)).rejects.toEqual(code('LOAD_FAILED'))
    expect(loads).toBe(0)
    expect(await there.getOrSet('k', load)).toBe('value 1')
    expect(await there.getOrSet('k', load, options)).toBe('value 1')
  })
  it('serves the stale copy meanwhile, and loads once its time is over', async () => {
    const [here, there] = two({ grace: '1h' })
    await here.set('k', 'stale')
    await here.expire('k')
    const fail = (): never => {
      throw new Error('down')
    }
    expect(await here.getOrSet('k', fail, { shareFailure: 50 })).toBe('stale')
    expect(await there.getOrSet('k', () => 'early', { shareFailure: 50 })).toBe('stale')
    await pause(80)
    expect(await there.getOrSet('k', () => 'new', { shareFailure: 50 })).toBe('new')
  })
  it('shares no load that was forced, skipped or answered undefined', async () => {
    const [here, there] = two()
    const options = { shareFailure: '1m' } as const
    expect(await here.getOrSet('k', () => undefined, options)).toBeUndefined()
    expect(await there.getOrSet('k', ({ skip }) => skip(1), options)).toBe(1)
    expect(await here.getOrSet('k', () => 2, options)).toBe(2)
    await expect(here.getOrSet('m', () => Promise.reject(new Error('down')), options)).rejects.toThrow('down')
    expect(await there.getOrSet('m', () => 3, { ...options, forceFresh: true })).toBe(3)
  })
  it('is not for a caller that does not name it, though it waits with one that does', async () => {
    const [here, there] = two()
    const start = gate()
    const first = here.getOrSet('k', () => start.promise, { shareFailure: '1m' })
    await pause(5)
    const second = there.getOrSet('k', () => 'never', { shareFailure: '1m' })
    const third = there.getOrSet('k', () => 'value')
    await pause(20)
    start.fail(new Error('down'))
    await expect(first).rejects.toThrow('down')
    await expect(second).rejects.toEqual(code('LOAD_FAILED'))
    expect(await third).toBe('value')
  })
  it('takes a duration', async () => {
    const [cache] = two()
    await expect(cache.getOrSet('k', () => 1, { shareFailure: 'soon' as never })).rejects.toEqual(
      code('INVALID_DURATION'),
    )
  })
})

describe('close', () => {
  it('lets a load end and stores its value, so that another process has it', async () => {
    const [here, there] = two()
    const start = gate()
    const first = here.getOrSet('k', async () => {
      await start.promise
      return 'of a'
    })
    await pause(5)
    const closing = here.close()
    const second = there.getOrSet('k', () => 'of b')
    start.open()
    await closing
    expect([await first, await second]).toEqual(['of a', 'of a'])
  })
  it('gives the lease of a load that takes longer back, and its callers get their value', async () => {
    const store = memoryStore()
    // The store outlives both caches: neither closes it.
    const [here, there] = two({}, { ...store, close: async () => {} })
    const start = gate<string>()
    const first = here.getOrSet('k', () => start.promise)
    await pause(5)
    await here.close()
    expect(parseEntry((await store.get('hither:k')) ?? '')?.lease ?? NONE).toBe(NONE)
    expect(await there.getOrSet('k', () => 'of b')).toBe('of b')
    start.open('of a')
    expect(await first).toBe('of a')
    expect(await there.get('k')).toBe('of b')
  })
  it('lets a caller that waits for another process have its value, where that comes meanwhile', async () => {
    for (const near of [undefined, nearTier()]) {
      const memory = memoryStore()
      let isClosed = false
      // Each call takes 5 ms, as over a network, and rejects if the store is closed by then.
      const distant = <A extends unknown[], T>(call: (...args: A) => Promise<T>) => {
        return async (...args: A): Promise<T> => {
          const closed = (): void => {
            if (isClosed) throw new HitherError('CLOSED', 'the store is closed')
          }
          closed()
          await pause(5)
          closed()
          return call(...args)
        }
      }
      const close = async (): Promise<void> => {
        isClosed = true
      }
      const store = { ...memory, get: distant(memory.get), run: distant(memory.run) as typeof memory.run, close }
      const here = createCache({ store, ttl: '1m', ...(near && { near }) })
      const there = createCache({ store: memory, ttl: '1m' })
      const start = gate<string>()
      const leading = there.getOrSet('k', () => start.promise)
      await pause(5)
      let loads = 0
      const waiting = Promise.all([
        here.getOrSet('k', () => `here ${++loads}`),
        here.getOrSet('k', () => `here ${++loads}`),
        here.getOrSetMany(['k'], () => new Map([['k', `here ${++loads}`]])),
      ])
      await pause(40)
      const closing = here.close()
      await pause(5)
      start.open('there')
      expect([await leading, await waiting, loads]).toEqual(['there', ['there', 'there', new Map([['k', 'there']])], 0])
      await closing
      expect(isClosed).toBe(true)
    }
  })
  it('keeps no process for a caller’s own deadline, and the caller gets its value or its end', async () => {
    const probe = setTimeout(() => {}) as Partial<NodeJS.Timeout>
    if (typeof probe.hasRef !== 'function') return console.log('skipped: timers of this runtime keep no process')
    const store = memoryStore()
    const [here] = two({ grace: '1m' }, { ...store, close: async () => {} })
    await here.set('stale', 'stale')
    await here.expire('stale')
    await pause(5)
    const made = vi.spyOn(globalThis, 'setTimeout')
    const ended = vi.spyOn(globalThis, 'clearTimeout')
    /** Number of running timers of more than 1.4 s that keep the process alive. */
    const timers = (): number => {
      const gone = new Set<unknown>(ended.mock.calls.map(([id]) => id))
      const left = made.mock.calls.map(([, ms], i) => ({
        ms: ms ?? 0,
        id: made.mock.results[i]?.value as NodeJS.Timeout,
      }))
      return left.filter(({ ms, id }) => ms > 1400 && !gone.has(id) && id.hasRef()).length
    }
    const start = gate<string>()
    const deadline = Date.now() + 60_000
    const options = { softTimeout: '20s' } as const
    const calls = [
      here.getOrSet('a', () => start.promise, { deadline }),
      here.with({ deadline }).getOrSet('b', () => start.promise),
      here.getOrSet('stale', () => start.promise, { deadline, ...options }),
      here
        .getOrSet('a', () => start.promise, { deadline: Date.now() + 1500 })
        .catch((error: HitherError) => error.code),
    ]
    await pause(20)
    expect(timers()).toBeGreaterThan(3)
    await here.close()
    expect(timers()).toBe(0)
    vi.restoreAllMocks()
    expect(await calls[3]).toBe('TIMEOUT')
    start.open('value')
    expect(await Promise.all(calls.slice(0, 3))).toEqual(['value', 'value', 'value'])
  })
  it('ends what waits for another process, and leaves no timer', async () => {
    const store = memoryStore()
    const [here, there] = two({}, { ...store, close: async () => {} })
    const start = gate<string>()
    const leading = there.getOrSet('k', () => start.promise)
    const own = here.getOrSet('own', () => start.promise)
    await pause(5)
    const waiting = here.getOrSet('k', () => 'here')
    waiting.catch(() => {})
    await pause(5)
    await here.close()
    await expect(waiting).rejects.toEqual(code('CLOSED'))
    start.open('value')
    expect([await leading, await own]).toEqual(['value', 'value'])
  })
})

describe('a lease that nobody holds', () => {
  const header = (lease: string, until: number, mark = '-'): string =>
    `h${mark}${NONE}${'0'.repeat(25)}${'0'.repeat(30)}${lease}${String(until).padStart(15, '0')}${NONE}00000000`
  it('is none when it has no token, however far ahead it ends', async () => {
    const store = memoryStore()
    await store.set('hither:k', header(NONE, Date.now() + 3_600_000), 3_600_000)
    expect(await createCache({ store, ttl: '1m' }).getOrSet('k', () => 'value')).toBe('value')
  })
  it('is taken over past hardTimeout and a margin, and then held as any other', async () => {
    vi.useFakeTimers()
    const store = memoryStore()
    await store.set('hither:k', header('tokentokentoken1', Date.now() + 3_600_000), 3_600_000)
    const [here, there] = two({ hardTimeout: 1000 }, store)
    const answers = Promise.all([here.getOrSet('k', () => 'value'), there.getOrSet('k', () => 'other')])
    await vi.advanceTimersByTimeAsync(4000)
    const [first, second] = await answers
    expect(second).toBe(first)
    expect(await here.get('k')).toBe(first)
  })
  it('keeps no follower from its stale copy', async () => {
    vi.useFakeTimers()
    const store = memoryStore()
    const [here] = two({ hardTimeout: 1000, grace: '1h' }, store)
    await here.set('k', 'stale')
    await here.expire('k')
    const text = (await store.get('hither:k')) as string
    const until = String(Date.now() + 3_600_000).padStart(15, '0')
    await store.set('hither:k', `${text.slice(0, 73)}tokentokentoken1${until}${text.slice(104)}`, 3_600_000)
    const answer = here.getOrSet('k', () => Promise.reject(new Error('down')))
    await vi.advanceTimersByTimeAsync(4000)
    expect(await answer).toBe('stale')
  })
  it('is waited for as long by a caller with less patience than its holder, which then loads beside it', async () => {
    vi.useFakeTimers()
    const events: string[] = []
    const [here, there] = two({ onEvent: ({ type }) => events.push(type) })
    const start = gate<string>()
    const slow = here.getOrSet('k', () => start.promise)
    await vi.advanceTimersByTimeAsync(10)
    const quick = there.getOrSet('k', () => 'quick', { hardTimeout: 1000 })
    await vi.advanceTimersByTimeAsync(4000)
    expect(await quick).toBe('quick')
    expect(events).not.toContain('write-dropped')
    start.open('slow')
    expect(await slow).toBe('slow')
    expect(await there.get('k')).toBe('slow')
  })
  afterEach(() => {
    vi.useRealTimers()
  })
})

describe('finish', () => {
  it('stores what is loaded when every caller has left', async () => {
    const [cache] = two()
    for (const how of ['deadline', 'signal'] as const) {
      const start = gate<string>()
      let seen: AbortSignal | undefined
      const stop = new AbortController()
      const limit = how === 'deadline' ? { deadline: Date.now() + 200 } : { signal: stop.signal }
      const call = cache.getOrSet(
        how,
        ({ signal }) => {
          seen = signal
          return start.promise
        },
        { ...limit, finish: true },
      )
      call.catch(() => {})
      await pause(10)
      stop.abort(new Error('left'))
      await expect(call).rejects.toEqual(how === 'deadline' ? code('TIMEOUT') : new Error('left'))
      await pause(5)
      expect(seen?.aborted).toBe(false)
      start.open('value')
      await cache.flush()
      expect(await cache.get(how)).toBe('value')
    }
  })
  it('is so by the option of any of its callers, and is off by default', async () => {
    const [cache] = two()
    const start = gate<string>()
    const signals: AbortSignal[] = []
    const load = ({ signal }: { signal: AbortSignal }): Promise<string> => {
      signals.push(signal)
      return start.promise
    }
    const deadline = Date.now() + 300
    const calls = [
      cache.getOrSet('a', load, { deadline }),
      cache.getOrSet('a', load, { deadline, finish: true }),
      cache.getOrSet('b', load, { deadline }),
    ]
    for (const call of calls) await expect(call).rejects.toEqual(code('TIMEOUT'))
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, true])
    start.open('value')
    await cache.flush()
    expect([await cache.get('a'), await cache.get('b')]).toEqual(['value', undefined])
    await expect(cache.getOrSet('c', load, { finish: 1 as never })).rejects.toEqual(code('INVALID_ARGUMENT'))
  })
  it('is for plain keys, too', async () => {
    const cache = createCache({ store: memoryStore(), ttl: '1m', format: plain() })
    const start = gate<string>()
    const call = cache.getOrSet('k', () => start.promise, { deadline: Date.now() + 200, finish: true })
    await expect(call).rejects.toEqual(code('TIMEOUT'))
    start.open('value')
    await cache.flush()
    expect(await cache.get('k')).toBe('value')
  })
})

describe("onDeadline: 'load'", () => {
  it('runs one more load, however many callers are past their deadlines', async () => {
    const [cache] = two()
    let loads = 0
    const start = gate<string>()
    const load = async (): Promise<string> => {
      loads++
      return `${await start.promise} ${loads}`
    }
    const call = (): Promise<string> =>
      cache.getOrSet('k', load, { deadline: Date.now() + 200, onDeadline: 'load' }) as Promise<string>
    const calls = Array.from({ length: 250 }, call)
    await vi.waitFor(() => expect(loads).toBe(2), { timeout: 20_000 })
    // These callers come while both loads run, and wait until they are past their deadlines as well.
    calls.push(...Array.from({ length: 250 }, call))
    await pause(400)
    expect(loads).toBe(2)
    start.open('value')
    expect(new Set(await Promise.all(calls))).toEqual(new Set(['value 2']))
  })
  it('keeps the load that it waited for, whose value is stored', async () => {
    const [cache, other] = two()
    const first = gate<string>()
    const second = gate<string>()
    let signal: AbortSignal | undefined
    let loads = 0
    const value = cache.getOrSet(
      'k',
      (context) => {
        if (++loads > 1) return second.promise
        signal = context.signal
        return first.promise
      },
      { deadline: Date.now() + 300, onDeadline: 'load' },
    )
    await vi.waitFor(() => expect(loads).toBe(2), { timeout: 20_000 })
    await pause(1)
    expect(signal?.aborted).toBe(false)
    first.open('first')
    await vi.waitFor(async () => expect(await other.get('k')).toBe('first'), { timeout: 20_000 })
    second.open('second')
    expect(await value).toBe('second')
  })
  it('does not share what was loaded before a delete with who came after it', async () => {
    const [cache] = two()
    const gates: ReturnType<typeof gate<string>>[] = []
    const load = (): Promise<string> => {
      const next = gate<string>()
      gates.push(next)
      return next.promise
    }
    const call = (): Promise<unknown> => cache.getOrSet('k', load, { deadline: Date.now() + 200, onDeadline: 'load' })
    const before = call()
    await vi.waitFor(() => expect(gates).toHaveLength(2), { timeout: 20_000 })
    await cache.delete('k')
    const after = call()
    await vi.waitFor(() => expect(gates).toHaveLength(4), { timeout: 20_000 })
    gates[1]?.open('old')
    gates[3]?.open('new')
    expect([await before, await after]).toEqual(['old', 'new'])
  })
})

describe('a loader that answers undefined', () => {
  const fail = (): never => {
    throw new Error('down')
  }
  it('ends the stale copy, here and there, near and in the store', async () => {
    for (const near of [false, true]) {
      const tier = () => (near ? { near: nearTier({ maxAge: '5s' }) } : {})
      const store = memoryStore()
      let isAway = false
      const get: AtomicStore['get'] = (...args) =>
        isAway ? Promise.reject(new HitherError('STORE_UNAVAILABLE', 'away')) : store.get(...args)
      const here = createCache({ store: { ...store, get }, ttl: '1m', grace: '1h', ...tier() })
      const there = createCache({ store, ttl: '1m', grace: '1h' })
      await here.set('k', 'old')
      await here.expire('k')
      expect(await here.getOrSet('k', fail)).toBe('old')
      expect(await here.getOrSet('k', () => undefined)).toBeUndefined()
      await here.flush()
      await expect(here.getOrSet('k', fail)).rejects.toThrow('down')
      await expect(there.getOrSet('k', fail)).rejects.toThrow('down')
      expect((await here.getEntry('k')).status).toBe('absent')
      isAway = true
      await expect(here.getOrSet('k', fail)).rejects.toThrow('down')
    }
  })
  it('ends a fresh value that it was to replace: forced, or ahead of time', async () => {
    const [cache, other] = two({ grace: '1h' })
    await cache.set('k', 'old')
    expect(await cache.getOrSet('k', () => undefined, { forceFresh: true })).toBeUndefined()
    expect([await cache.get('k'), await other.get('k')]).toEqual([undefined, undefined])
    await cache.set('k', 'old')
    await pause(5)
    expect(await cache.getOrSet('k', () => undefined, { refresh: atFraction(1e-9) })).toBe('old')
    await cache.flush()
    expect(await cache.get('k')).toBeUndefined()
  })
  it('leaves what was written meanwhile', async () => {
    const [cache, other] = two({ grace: '1h' })
    await cache.set('k', 'old')
    await cache.expire('k')
    const start = gate<undefined>()
    const call = cache.getOrSet('k', () => start.promise)
    await pause(5)
    await other.set('k', 'new')
    start.open(undefined)
    expect(await call).toBeUndefined()
    expect(await other.get('k')).toBe('new')
  })
  it('leaves the copy when it says skip', async () => {
    const [cache] = two({ grace: '1h' })
    await cache.set('k', 'old')
    await cache.expire('k')
    expect(await cache.getOrSet('k', ({ skip }) => skip(undefined))).toBeUndefined()
    expect(await cache.getOrSet('k', fail)).toBe('old')
  })
  it('of many keys ends those it leaves out', async () => {
    const [cache] = two({ grace: '1h' })
    await cache.setMany([
      ['a', 1],
      ['b', 2],
    ])
    await cache.expire('a')
    await cache.expire('b')
    expect(await cache.getOrSetMany(['a', 'b'], () => ({ a: 3 }))).toEqual(new Map([['a', 3]]))
    await expect(cache.getOrSet('b', fail)).rejects.toThrow('down')
  })
})

describe('a lifetime that a loader sets to none', () => {
  it('answers the value and stores nothing, forced or not', async () => {
    const [cache] = two({ grace: '1h' })
    for (const ttl of [0, Number.NaN, -1, '0s'] as const) {
      for (const forceFresh of [false, true]) {
        const key = `${ttl} ${forceFresh}`
        const load = ({ setTtl }: { setTtl(ttl: number | '0s'): void }): string => {
          setTtl(ttl)
          return 'value'
        }
        expect(await cache.getOrSet(key, load, { forceFresh, tags: ['t'] })).toBe('value')
        await cache.flush()
        expect((await cache.getEntry(key)).status).toBe('absent')
        expect(await cache.getOrSet(key, () => 'next')).toBe('next')
      }
    }
  })
  it('is as if it had not been set, once another is', async () => {
    const [cache] = two()
    await cache.getOrSet('k', ({ setTtl }) => {
      setTtl(0)
      setTtl('1m', Number.NaN)
      return 'value'
    })
    expect(await cache.get('k')).toBe('value')
  })
})

describe('flush called by a loader', () => {
  it('does not wait for the load that calls it, and waits for others', async () => {
    const [cache] = two({ grace: '1h' })
    await cache.setMany([
      ['k', 'old'],
      ['other', 'old'],
    ])
    await pause(5)
    const start = gate()
    let isFlushed = false
    const refresh = atFraction(1e-9)
    await cache.getOrSet(
      'other',
      async () => {
        await start.promise
        return 'new'
      },
      { refresh },
    )
    await cache.getOrSet(
      'k',
      async () => {
        await cache.flush()
        isFlushed = true
        return 'new'
      },
      { refresh },
    )
    await pause(30)
    expect(isFlushed).toBe(false)
    start.open()
    await cache.flush()
    expect([await cache.get('k'), await cache.get('other')]).toEqual(['new', 'new'])
  })
  it('later than its first await waits for itself no longer than hardTimeout', async () => {
    const [cache] = two({ grace: '1h' })
    await cache.set('k', 'old')
    await pause(5)
    const load = async (): Promise<string> => {
      await pause(1)
      await cache.flush()
      return 'new'
    }
    expect(await cache.getOrSet('k', load, { refresh: atFraction(1e-9), hardTimeout: 50 })).toBe('old')
    await cache.flush()
    expect(await cache.get('k')).toBe('old')
  })
  it('of two of them keeps neither waiting for the other', async () => {
    const [cache] = two({ grace: '1h' })
    for (const key of ['a', 'b']) await cache.set(key, 'old')
    await pause(5)
    const load = async (): Promise<string> => {
      await cache.flush()
      return 'new'
    }
    for (const key of ['a', 'b']) await cache.getOrSet(key, load, { refresh: atFraction(1e-9) })
    await cache.flush()
    expect([await cache.get('a'), await cache.get('b')]).toEqual(['new', 'new'])
  })
})

describe('options', () => {
  it('are a call’s own names, whatever somebody has put on Object.prototype', async () => {
    const [cache] = two()
    Object.defineProperty(Object.prototype, 'polluted', {
      value: 1,
      enumerable: true,
      configurable: true,
      writable: true,
    })
    try {
      createCache({ store: memoryStore(), ttl: '1m', near: nearTier({ maxAge: '1s' }) })
      await cache.set('k', 1, { ttl: '2m' })
      expect(await cache.getOrSet('k', () => 2, { ttl: '1m' })).toBe(1)
      expect(await cache.with({ deadline: Date.now() + 1000 }).get('k')).toBe(1)
      await expect(cache.get('k', { polluted: 2 } as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
    } finally {
      Reflect.deleteProperty(Object.prototype, 'polluted')
    }
  })
  it('with one signal for many calls add one listener to it', async () => {
    const controller = new AbortController()
    const { signal } = controller
    let listening = 0
    let most = 0
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...args: Parameters<typeof add>) => {
      most = Math.max(most, ++listening)
      add(...args)
    }
    signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      listening--
      remove(...args)
    }
    const [cache] = two()
    const view = cache.with({ signal })
    const start = gate<number>()
    const calls = Array.from({ length: 50 }, (_, i) =>
      i % 2 ? view.getOrSet(`k${i}`, () => start.promise) : view.get(`k${i}`),
    )
    await pause(5)
    start.open(1)
    await Promise.all(calls)
    await cache.flush()
    expect([most, listening]).toEqual([1, 0])
  })
})

describe('a delete under the first load of a key', () => {
  it('counts nothing where there was a lease alone', async () => {
    for (const isNear of [false, true]) {
      const store = memoryStore()
      const here = createCache({ store, ttl: '1m', ...(isNear && { near: nearTier() }) })
      const there = createCache({ store, ttl: '1m' })
      const start = gate<string>()
      const loads = ['a', 'b', 'c'].map((key) => here.getOrSet(key, () => start.promise))
      await pause(5)
      await there.set('b', 'of there')
      await there.set('d', 'of there')
      expect(await here.delete('a')).toBe(0)
      expect(await here.delete(['b', 'c', 'd', 'e'])).toBe(2)
      start.open('loaded')
      expect(await Promise.all(loads)).toEqual(['loaded', 'loaded', 'loaded'])
      await here.flush()
      expect(await there.getMany(['a', 'b', 'c', 'd'])).toEqual(new Map())
    }
  })
})
