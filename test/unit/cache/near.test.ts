import { describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { plain as plainFormat } from '../../../src/cache/parts/format-plain.ts'
import { type AtomicStore, type CacheEvent, type CacheOptions, createCache, HitherError } from '../../../src/index.ts'
import { messageFeed, type NearTierOptions, nearTier, pullFeed } from '../../../src/near/index.ts'
import { byHand, pause } from './slow-store.ts'

// The near tier under a cache: what it may serve, after a write and while the store is down; what it keeps; a delete that
// failed; the feeds between processes, by messages and by a log in the store; the breaker; schemas; `mutable: true`.

const code = (code: string) => expect.objectContaining({ code })
const unavailable = () => new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true })

/** A store that counts its calls, and is down while `state.away` is set. */
function switched(store: AtomicStore = memoryStore()) {
  const state = { away: false, asked: 0 }
  const ask = async <T>(call: () => Promise<T>): Promise<T> => {
    state.asked++
    if (state.away) throw unavailable()
    return await call()
  }
  const wrapped: AtomicStore = {
    ...store,
    get: (...args) => ask(() => store.get(...args)),
    set: (...args) => ask(() => store.set(...args)),
    delete: (...args) => ask(() => store.delete(...args)),
    run: (...args) => ask(() => store.run(...args)),
  }
  return { store: wrapped, state }
}

function setUp(near: NearTierOptions = {}, options: Partial<CacheOptions> = {}) {
  const memory = memoryStore()
  const { store, state } = switched(memory)
  const events: CacheEvent[] = []
  const cache = createCache({
    store,
    near: nearTier({ maxAge: '1m', ...near }),
    ttl: '5m',
    onEvent: (event) => events.push(event),
    ...options,
  })
  /** Another process on the same store. */
  const other = createCache({ store: memory, ttl: '5m' })
  const types = (): string[] => events.map(({ type }) => type)
  return { cache, other, state, events, types, memory }
}

/** Stores and reads once, so that the near tier holds the value. */
async function warm(cache: ReturnType<typeof setUp>['cache'], key: string, value: unknown, options = {}) {
  await cache.set(key, value, options)
  expect(await cache.get(key)).toEqual(value)
}

describe('a read that is called after a write', () => {
  it('is not answered by what is near, though the write is on its way', async () => {
    const { cache } = setUp()
    await warm(cache, 'k', 'old')
    const written = cache.set('k', 'new')
    expect(await cache.get('k')).toBe('new')
    await written
    const deleted = cache.delete('k')
    expect(await cache.get('k')).toBeUndefined()
    await deleted
  })
})

describe('a stale copy that is served near', () => {
  it('is none for a read that wants what is fresh', async () => {
    const { cache } = setUp({}, { grace: '5m' })
    await warm(cache, 'k', 'old', { tags: ['t'] })
    await cache.invalidateTags(['t'], { keepStale: true })
    const fail = async (): Promise<string> => {
      throw new Error('failed')
    }
    expect(await cache.getOrSet('k', fail, { tags: ['t'] })).toBe('old')
    expect(await cache.get('k')).toBeUndefined()
    expect((await cache.getEntry('k')).status).toBe('stale')
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.getOrSet('k', () => 'new', { tags: ['t'] })).toBe('new')
  })
})

describe('a hit in the near tier', () => {
  it('asks the store nothing, by get, getOrSet, getMany, has, getEntry and peek', async () => {
    const { cache, state } = setUp()
    await warm(cache, 'k', { n: 1 })
    state.asked = 0
    expect(await cache.get('k')).toEqual({ n: 1 })
    expect(await cache.getOrSet('k', () => 'loaded')).toEqual({ n: 1 })
    expect(await cache.getMany(['k'])).toEqual(new Map([['k', { n: 1 }]]))
    expect(await cache.has('k')).toBe(true)
    expect(await cache.getEntry('k')).toMatchObject({ value: { n: 1 }, status: 'fresh', source: 'near' })
    expect(cache.peek('k')).toEqual({ n: 1 })
    expect(state.asked).toBe(0)
    expect(cache.stats()).toMatchObject({ hits: 4, near: { entries: 1 } })
  })
  it('has what is told of the entry: age, lifetime, load time, tags', async () => {
    const { cache } = setUp()
    const load = async () => {
      await pause(20)
      return 'v'
    }
    await cache.getOrSet('k', load, { ttl: '1m', tags: ['a', 'b:c%'] })
    const stored = await cache.getEntry('k')
    const near = await cache.getEntry('k')
    expect([stored.source, near.source]).toEqual(['store', 'near'])
    expect(near).toMatchObject({ value: 'v', loadTime: stored.loadTime, tags: ['a', 'b:c%'] })
    expect(near.loadTime).toBeGreaterThan(0)
    expect(Math.abs(near.ttl - stored.ttl)).toBeLessThan(10_000)
    expect(near.ttl).toBeLessThanOrEqual(60_000)
  })
  it('is the same value for everyone, which nobody can change', async () => {
    const { cache } = setUp()
    await cache.set('k', { list: [1] })
    const first = (await cache.get('k')) as { list: number[] }
    expect(() => first.list.push(2)).toThrow(TypeError)
    expect(await cache.get('k')).toBe(first)
    await cache.set('d', { at: new Date(5) })
    const dated = (await cache.get('d')) as { at: Date }
    dated.at.setTime(6)
    expect(await cache.get('d')).toEqual({ at: new Date(5) })
  })
  it('never has what the loader still holds', async () => {
    const { cache } = setUp()
    const own = { list: [1] }
    await cache.getOrSet('k', () => own)
    await cache.get('k')
    own.list.push(2)
    expect(await cache.get('k')).toEqual({ list: [1] })
  })
  it('keeps namespaces and keys apart', async () => {
    const { cache } = setUp()
    const inner = cache.namespace('a')
    const keys = ['x', '\0x', 'a:x', '\0hither.a:x', '\u0001']
    for (const key of keys) {
      await warm(cache, key, `root ${key}`)
      await warm(inner, key, `inner ${key}`)
    }
    for (const key of keys) expect([cache.peek(key), inner.peek(key)]).toEqual([`root ${key}`, `inner ${key}`])
    expect(cache.peek(undefined as never)).toBeUndefined()
    await expect(async () => await cache.get(5 as never)).rejects.toEqual(code('INVALID_KEY'))
  })
  it('ends with the signal and the deadline of its call, as any other', async () => {
    const { cache } = setUp()
    await warm(cache, 'k', 1)
    const signal = AbortSignal.abort(new Error('gone'))
    for (const call of [
      () => cache.get('k', { signal }),
      () => cache.getOrSet('k', () => 2, { signal }),
      () => cache.with({ signal }).get('k'),
    ])
      await expect(async () => await call()).rejects.toThrow('gone')
    await expect(async () => await cache.get('k', { deadline: 1 })).rejects.toEqual(code('TIMEOUT'))
    await expect(async () => await cache.with({ deadline: 1 }).getOrSet('k', () => 2)).rejects.toEqual(code('TIMEOUT'))
  })
})

describe('what is kept near', () => {
  it('is given out for maxAge at the most, from before the read', async () => {
    const { cache, other } = setUp({ maxAge: 60 })
    await warm(cache, 'k', 'old')
    await other.set('k', 'new')
    await pause(80)
    expect(await cache.get('k')).toBe('new')
  })
  it('is given out for nearTtl where a call says so, and not kept at all for 0', async () => {
    const { cache, state } = setUp()
    await cache.set('k', 1)
    await cache.getOrSet('k', () => 2, { nearTtl: 0 })
    expect(cache.peek('k')).toBeUndefined()
    await cache.getOrSet('k', () => 2, { nearTtl: 300 })
    expect(cache.peek('k')).toBe(1)
    await pause(310)
    expect(cache.peek('k')).toBeUndefined()
    state.asked = 0
    expect(await cache.getOrSet('k', () => 2)).toBe(1)
    expect(state.asked).toBeGreaterThan(0)
    await expect(async () => await cache.getOrSet('none', () => 2, { nearTtl: -1 })).rejects.toEqual(
      code('INVALID_DURATION'),
    )
  })
  it('is not given out past its ttl', async () => {
    const { cache } = setUp()
    await warm(cache, 'k', 1, { ttl: 50 })
    await pause(60)
    expect(cache.peek('k')).toBeUndefined()
    expect(await cache.get('k')).toBeUndefined()
  })
  const changes: [string, (cache: ReturnType<typeof setUp>['cache']) => Promise<unknown>, unknown][] = [
    ['set', (cache) => cache.set('k', 2), 2],
    ['setMany', (cache) => cache.setMany([['k', 2]]), 2],
    ['delete', (cache) => cache.delete('k'), undefined],
    ['expire', (cache) => cache.expire('k'), undefined],
    ['take', (cache) => cache.take('k'), undefined],
    ['increment', (cache) => cache.increment('k'), 2],
    ['clear', (cache) => cache.clear(), undefined],
    ['invalidateTags', (cache) => cache.invalidateTags(['t']), undefined],
    ['invalidateTags, keepStale', (cache) => cache.invalidateTags(['t'], { keepStale: true }), undefined],
    ['forceFresh', (cache) => cache.getOrSet('k', () => 2, { forceFresh: true }), 2],
  ]
  it.each(changes)('is gone after %s', async (what, change, after) => {
    const { cache } = setUp({}, { grace: '1h' })
    if (what === 'increment') {
      await cache.increment('k')
      expect(await cache.get('k')).toBe(1)
    } else await warm(cache, 'k', 1, { tags: ['t'] })
    expect(cache.peek('k')).toBe(1)
    await change(cache)
    expect(cache.peek('k')).toBeUndefined()
    expect(await cache.get('k')).toBe(after)
  })
  it.each(changes)('is not put back by a read that was under way at %s', async (what, change) => {
    const { store, next, flow } = byHand()
    const cache = createCache({ store, near: nearTier({ maxAge: '1m' }), ttl: '5m', grace: '1h', storeTimeout: '9s' })
    const plain = createCache({ store, ttl: '5m', grace: '1h' })
    // Written by a cache without a near tier.
    const writing = what === 'increment' ? plain.increment('k') : plain.set('k', 1, { tags: ['t'] })
    flow()
    await writing
    const held = byHand(store)
    const late = createCache({
      store: held.store,
      near: nearTier({ maxAge: '1m' }),
      ttl: '5m',
      grace: '1h',
      storeTimeout: '9s',
    })
    void cache
    void next
    const reading = late.get('k')
    const read = await held.next('get')
    await read.act()
    held.flow()
    const changing = change(late)
    await pause(5)
    await read.answer()
    await changing
    await reading
    expect(late.peek('k')).toBeUndefined()
  })
  it('is not kept of a load that a clear or an invalidation of another process has outrun', async () => {
    const { cache, other } = setUp()
    for (const end of [() => other.clear(), () => other.invalidateTags(['t'])]) {
      await cache.getOrSet(
        'k',
        async () => {
          await end()
          return 'old'
        },
        { tags: ['t'] },
      )
      expect(cache.peek('k')).toBeUndefined()
      expect(await cache.getOrSet('k', () => 'new', { tags: ['t'] })).toBe('new')
      await cache.delete('k')
    }
  })
  it('is read once by many callers of one tick', async () => {
    const { cache, state } = setUp()
    await cache.set('k', { n: 1 })
    state.asked = 0
    const values = await Promise.all(Array.from({ length: 50 }, () => cache.get('k')))
    expect(values).toEqual(values.map(() => ({ n: 1 })))
    expect(state.asked).toBe(2)
  })
  it('is refreshed ahead of time all the same', async () => {
    const { cache } = setUp()
    let loads = 0
    const load = (refresh: () => boolean) => cache.getOrSet('k', () => ++loads, { refresh })
    await load(() => false)
    await load(() => false)
    expect(cache.peek('k')).toBe(1)
    expect(await load(() => true)).toBe(1)
    await cache.flush()
    expect(await load(() => false)).toBe(2)
  })
  it('takes part in the plain format', async () => {
    const memory = memoryStore()
    const { store, state } = switched(memory)
    const cache = createCache({ store, format: plainFormat(), near: nearTier({ maxAge: '1m' }), ttl: '5m' })
    await cache.set('k', [1])
    await cache.get('k')
    state.asked = 0
    expect([cache.peek('k'), await cache.get('k')]).toEqual([[1], [1]])
    expect(state.asked).toBe(0)
    expect(await cache.getEntry('k')).toMatchObject({ value: [1], source: 'store' })
    await cache.delete('k')
    expect([cache.peek('k'), await cache.get('k')]).toEqual([undefined, undefined])
  })
  it('belongs to one cache', () => {
    const near = nearTier()
    createCache({ store: memoryStore(), near })
    expect(() => createCache({ store: memoryStore(), near })).toThrow(code('INVALID_ARGUMENT'))
    expect(() => createCache({ store: memoryStore(), near: {} as never })).toThrow(code('INVALID_ARGUMENT'))
  })
})

describe('while the store is away', () => {
  it('answers from the near tier; a bare get with nothing near rejects', async () => {
    const { cache, state } = setUp()
    await warm(cache, 'k', 1)
    state.away = true
    expect(await cache.get('k')).toBe(1)
    expect(await cache.getOrSet('k', () => 2)).toBe(1)
    await expect(async () => await cache.get('other')).rejects.toEqual(code('STORE_UNAVAILABLE'))
  })
  it('serves the copy in grace that is near when the loader fails', async () => {
    const { cache, state } = setUp({}, { grace: '1h' })
    await warm(cache, 'k', 1, { ttl: 300 })
    await pause(310)
    state.away = true
    const fail = () => Promise.reject(new Error('down'))
    expect(await cache.getOrSet('k', fail)).toBe(1)
    await expect(async () => await cache.getOrSet('other', fail)).rejects.toThrow('down')
  })
  it('keeps a loaded value near, unconfirmed, until the store is heard again', async () => {
    const { cache, state } = setUp()
    state.away = true
    let loads = 0
    const load = () => cache.getOrSet('k', () => ++loads)
    expect([await load(), await load(), await load()]).toEqual([1, 1, 1])
    expect(await cache.getEntry('k')).toMatchObject({ value: 1, source: 'unconfirmed' })
    state.away = false
    await cache.get('other')
    expect(cache.peek('k')).toBeUndefined()
    expect(await load()).toBe(2)
  })
  it('says by the clock of the store when an unconfirmed value was written, so that no older entry replaces it', async () => {
    const { cache, memory, state } = setUp()
    const other = createCache({ store: memory, ttl: '5m', grace: '5m' })
    const ahead = Date.now() + 10_000
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => ahead)
    await other.set('old', 1).finally(() => clock.mockRestore())
    expect(await cache.get('old')).toBe(1)
    state.away = true
    await cache.set('k', 'kept', { onWriteFailure: 'event' })
    expect(await cache.getEntry('k')).toMatchObject({ value: 'kept', age: expect.closeTo(0, -3) })
  })
  it('keeps it with the tags of the call, though the caller changes its array meanwhile', async () => {
    const { cache, state } = setUp()
    await warm(cache, 'k', 'old')
    state.away = true
    const tags = ['t']
    const setting = cache.set('k', 'kept', { tags, onWriteFailure: 'event' })
    tags[0] = 'other'
    await setting
    await cache.invalidateTags(['other'], { onWriteFailure: 'event' })
    expect(cache.peek('k')).toBe('kept')
    await cache.invalidateTags(['t'], { onWriteFailure: 'event' })
    expect(cache.peek('k')).toBeUndefined()
  })
  it('keeps near what was set with onWriteFailure event, and rejects without', async () => {
    const { cache, state, types } = setUp()
    await warm(cache, 'k', 'old')
    state.away = true
    await expect(async () => await cache.set('k', 'lost')).rejects.toEqual(code('STORE_UNAVAILABLE'))
    expect(cache.peek('k')).toBeUndefined()
    expect(types()).not.toContain('write-dropped')
    await cache.set('k', 'kept', { onWriteFailure: 'event' })
    expect(types()).toContain('write-dropped')
    expect(await cache.get('k')).toBe('kept')
    expect(await cache.getEntry('k')).toMatchObject({ value: 'kept', source: 'unconfirmed' })
    state.away = false
    expect(await cache.get('k')).toBe('kept')
    await cache.set('k', 'new')
    expect(await cache.get('k')).toBe('new')
  })
  it('resolves every write that shall not reject, and tells of each', async () => {
    const { cache, state, events } = setUp({}, { grace: '1h' })
    state.away = true
    const options = { onWriteFailure: 'event' } as const
    expect(await cache.delete('k', options)).toBe(0)
    expect(await cache.expire('k', options)).toBe(false)
    await cache.setMany([['a', 1]], options)
    await cache.invalidateTags(['t'], options)
    await cache.clear(options)
    expect(events.filter(({ type }) => type === 'write-dropped')).toHaveLength(5)
    await expect(async () => await cache.set('k', undefined, options)).rejects.toEqual(code('INVALID_VALUE'))
    await expect(async () => await cache.delete('k', { onWriteFailure: 'ignore' as never })).rejects.toEqual(
      code('INVALID_ARGUMENT'),
    )
  })
})

describe('after a delete that did not arrive', () => {
  it('the key is absent here, and deleted once the store is back', async () => {
    const { cache, other, state } = setUp()
    await warm(cache, 'k', 'old')
    state.away = true
    await expect(async () => await cache.delete('k')).rejects.toEqual(code('STORE_UNAVAILABLE'))
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded')
    await expect(async () => await cache.take('k')).rejects.toEqual(code('STORE_UNAVAILABLE'))
    state.away = false
    expect(await other.get('k')).toBe('old')
    await cache.get('any')
    await cache.flush()
    expect(await other.get('k')).toBeUndefined()
  })
  it('a read of it deletes first', async () => {
    const { cache, state } = setUp()
    await warm(cache, 'k', 'old')
    state.away = true
    await cache.delete('k', { onWriteFailure: 'event' })
    state.away = false
    expect(await cache.getOrSet('k', () => 'new')).toBe('new')
  })
  it('is not made good when the key was written here since', async () => {
    const { cache, other, state } = setUp()
    await warm(cache, 'k', 'old')
    state.away = true
    await cache.delete('k', { onWriteFailure: 'event' })
    state.away = false
    await cache.set('k', 'new')
    await cache.flush()
    expect([await cache.get('k'), await other.get('k')]).toEqual(['new', 'new'])
  })
  it('counts as absent for maxAge at the most', async () => {
    const { cache, state } = setUp({ maxAge: 400 })
    await warm(cache, 'k', 'old')
    state.away = true
    await cache.delete('k', { onWriteFailure: 'event' })
    expect(await cache.get('k')).toBeUndefined()
    await pause(420)
    await expect(async () => await cache.get('k')).rejects.toEqual(code('STORE_UNAVAILABLE'))
  })
})

describe('messages between processes', () => {
  /** A bus between processes that a test can cut, make lose messages, or make refuse subscribers. */
  function bus() {
    const listeners = new Set<{
      channel: string
      onMessage: (message: string) => void
      onGap?: (() => void) | undefined
    }>()
    const state = { lose: false, refuse: false, away: false, said: [] as string[] }
    const over = (store: AtomicStore): AtomicStore => ({
      ...store,
      async publish(channel, message) {
        state.said.push(message)
        if (state.away) throw unavailable()
        if (!state.lose) for (const one of listeners) if (one.channel === channel) one.onMessage(message)
        return listeners.size
      },
      async subscribe(channel, onMessage, onGap) {
        if (state.refuse) throw unavailable()
        const one = { channel, onMessage, onGap }
        listeners.add(one)
        return async () => void listeners.delete(one)
      },
    })
    return { over, state, listeners, cut: () => [...listeners].map(({ onGap }) => onGap?.()) }
  }
  function two(interval = 20) {
    const memory = memoryStore()
    const line = bus()
    const events: CacheEvent[] = []
    const make = () =>
      createCache({
        store: line.over(memory),
        near: nearTier({ maxAge: '1m', feed: messageFeed({ interval }) }),
        ttl: '5m',
        onEvent: (event) => events.push(event),
      })
    const gaps = (): number => events.filter(({ type }) => type === 'feed-gap').length
    return { a: make(), b: make(), ...line, gaps, memory }
  }
  /** Puts a value into the near tier, once the feed listens. */
  const hold = async (cache: ReturnType<typeof two>['a'], key: string, value: unknown, options = {}) => {
    await cache.set(key, value, options)
    await cache.get(key)
    await pause(1)
    await cache.get(key)
    expect(cache.peek(key)).toEqual(value)
  }

  it.each([
    ['delete', (cache: ReturnType<typeof two>['a']) => cache.delete('k')],
    ['set', (cache: ReturnType<typeof two>['a']) => cache.set('k', 2)],
    ['expire', (cache: ReturnType<typeof two>['a']) => cache.expire('k')],
    ['invalidateTags', (cache: ReturnType<typeof two>['a']) => cache.invalidateTags(['t'])],
    ['clear', (cache: ReturnType<typeof two>['a']) => cache.clear()],
    [
      'a load that replaces it',
      (cache: ReturnType<typeof two>['a']) => cache.getOrSet('k', () => 2, { forceFresh: true }),
    ],
  ])('carry a %s to the other', async (_, change) => {
    const { a, b } = two()
    await hold(a, 'k', 1, { tags: ['t'] })
    await hold(a, 'other', 1)
    await change(b)
    await b.flush()
    expect(a.peek('k')).toBeUndefined()
    await Promise.all([a.close(), b.close()])
  })
  it('leave alone what they do not name', async () => {
    const { a, b, gaps } = two()
    await hold(a, 'k', 1, { tags: ['t'] })
    await hold(b, 'other', 1, { tags: ['u'] })
    await hold(a, 'k', 1, { tags: ['t'] })
    await b.delete('other')
    await b.invalidateTags(['u'])
    await b.flush()
    expect([a.peek('k'), gaps()]).toEqual([1, 0])
    await Promise.all([a.close(), b.close()])
  })
  it('are one for all that a tick has changed', async () => {
    const { a, state } = two()
    await Promise.all(Array.from({ length: 20 }, (_, i) => a.delete(`k${i}`)))
    await pause(1)
    expect(state.said.filter((message) => message.includes('k1'))).toHaveLength(1)
    await a.close()
  })
  it('that are lost empty the tier with the next one, or with the repeated number', async () => {
    for (const next of [(b: ReturnType<typeof two>['b']) => b.delete('some'), () => pause(60)]) {
      const { a, b, state, gaps } = two()
      await hold(a, 'k', 1)
      await b.set('first', 1)
      await b.flush()
      await hold(a, 'k', 1)
      state.lose = true
      await b.delete('k')
      await pause(1)
      expect(a.peek('k')).toBe(1)
      state.lose = false
      await next(b)
      await b.flush()
      expect(a.peek('k')).toBeUndefined()
      expect(gaps()).toBeGreaterThan(0)
      await Promise.all([a.close(), b.close()])
    }
  })
  it('are silent after two repetitions', async () => {
    const { a, state } = two()
    await a.delete('k')
    await pause(150)
    expect(state.said.map((message) => message.split(' ').length)).toEqual([3, 2, 2])
    await a.close()
  })
  it('are repeated until they can be sent, also by a process that only writes', async () => {
    const { a, b, state } = two()
    await hold(a, 'k', 1)
    await b.set('first', 1)
    await pause(60)
    await hold(a, 'k', 1)
    state.away = true
    await b.delete('k')
    await pause(120)
    expect(a.peek('k')).toBe(1)
    state.away = false
    await pause(60)
    expect(a.peek('k')).toBeUndefined()
    await Promise.all([a.close(), b.close()])
    const before = state.said.length
    await pause(60)
    expect(state.said).toHaveLength(before)
  })
  it('are not repeated for ever if the cache is closed meanwhile, or the store refuses them', async () => {
    for (const error of [unavailable(), new HitherError('CLOSED', 'closed')]) {
      const { a, state, over, memory } = two()
      const store = {
        ...over(memory),
        publish: async (_: string, message: string) => {
          state.said.push(message)
          throw error
        },
      }
      const b = createCache({ store, near: nearTier({ feed: messageFeed({ interval: 20 }) }), ttl: '5m' })
      await b.delete('k')
      if (error.code !== 'CLOSED') await b.close()
      await pause(150)
      expect(state.said.length).toBeLessThan(4)
      await Promise.all([a.close(), b.close()])
    }
  })
  it('empty the tier when the link was cut', async () => {
    const { a, b, cut } = two()
    await hold(a, 'k', 1)
    cut()
    expect(a.peek('k')).toBeUndefined()
    await Promise.all([a.close(), b.close()])
  })
  it('are counted again after the link of their publisher was cut', async () => {
    const { a, b, state, listeners, gaps } = two()
    await hold(b, 'own', 1)
    const [link] = listeners
    await b.flush()
    await hold(a, 'k', 1)
    state.lose = true
    await b.delete('k')
    await pause(60)
    state.lose = false
    expect([a.peek('k'), gaps()]).toEqual([1, 0])
    link?.onGap?.()
    await pause(20)
    expect(a.peek('k')).toBeUndefined()
    await Promise.all([a.close(), b.close()])
  })
  it('empty the tier when one cannot be read', async () => {
    const { a, listeners } = two()
    for (const message of ['', 'x', 'x 1 {', 'x y ["hither:k"]', 'x 1 *', 'x 1 5', 'x 7 ["hither:k"]']) {
      await hold(a, 'k', 1)
      for (const { onMessage } of listeners) onMessage(message)
      expect(a.peek('k'), message).toBeUndefined()
    }
    await a.close()
  })
  it('are done without when nobody can subscribe: an event, and another try later', async () => {
    const { a, state, gaps } = two(200)
    state.refuse = true
    await a.set('k', 1)
    await a.get('k')
    await pause(1)
    await a.get('k')
    expect([a.peek('k'), gaps()]).toEqual([1, 1])
    state.refuse = false
    await pause(810)
    await a.get('j')
    await a.set('j', 1)
    await a.get('j')
    await pause(1)
    expect(a.peek('k')).toBeUndefined()
    await a.close()
  })
  it('are asked for again at once where the clock was set back', async () => {
    const { a, state, listeners } = two(200)
    state.refuse = true
    await a.set('k', 1)
    await a.get('k')
    await pause(1)
    state.refuse = false
    const realNow = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => realNow() - 3_600_000)
    await a.get('k')
    await a.get('j')
    await a.set('j', 1)
    await a.get('j')
    expect(listeners.size).toBe(1)
    vi.restoreAllMocks()
    await a.close()
  })
  it('need a store that publishes and subscribes', () => {
    const near = nearTier({ feed: messageFeed() })
    expect(() => createCache({ store: memoryStore(), near })).toThrow(code('UNSUPPORTED'))
    expect(() => nearTier({ feed: {} as never })).toThrow(code('INVALID_ARGUMENT'))
    expect(() => messageFeed({ interval: 'soon' as never })).toThrow(code('INVALID_DURATION'))
  })
  it('end with the cache', async () => {
    const { a, listeners } = two()
    await hold(a, 'k', 1)
    expect(listeners.size).toBe(1)
    await a.close()
    expect(listeners.size).toBe(0)
  })
})

describe('a log of changes in the store', () => {
  function two(every: number) {
    const memory = memoryStore()
    const events: CacheEvent[] = []
    const make = () => {
      const { store, state } = switched(memory)
      const near = nearTier({ maxAge: '1m', feed: pullFeed({ every }) })
      return { cache: createCache({ store, near, ttl: '5m', onEvent: (event) => events.push(event) }), state }
    }
    const [a, b] = [make(), make()]
    const gaps = (): number => events.filter(({ type }) => type === 'feed-gap').length
    return { a: a.cache, b: b.cache, state: a.state, memory, gaps }
  }
  const hold = async (cache: ReturnType<typeof two>['a'], key: string, options = {}) => {
    await cache.set(key, 1, options)
    await cache.flush()
    await cache.get('something else')
    await cache.get(key)
    await cache.get(key)
    expect(cache.peek(key)).toBe(1)
  }

  it.each([
    ['delete', (cache: ReturnType<typeof two>['a']) => cache.delete('k: %;é')],
    ['set', (cache: ReturnType<typeof two>['a']) => cache.set('k: %;é', 2)],
    ['invalidateTags', (cache: ReturnType<typeof two>['a']) => cache.invalidateTags(['t'])],
    ['clear', (cache: ReturnType<typeof two>['a']) => cache.clear()],
    [
      'more keys than it keeps',
      (cache: ReturnType<typeof two>['a']) => cache.delete(Array.from({ length: 501 }, (_, i) => `k${i}`)),
    ],
  ])('brings a %s along with the next read', async (_, change) => {
    const { a, b } = two(1)
    await hold(a, 'k: %;é', { tags: ['t'] })
    await change(b)
    await b.flush()
    await pause(3)
    expect(a.peek('k: %;é')).toBe(1)
    await a.get('another')
    await a.flush()
    expect(a.peek('k: %;é')).toBeUndefined()
  })
  it('leaves alone what it does not name, and what this process has changed itself', async () => {
    const { a, b, gaps } = two(1)
    await hold(a, 'k')
    await b.delete('other')
    await b.flush()
    await pause(3)
    await a.get('another')
    await a.flush()
    expect([a.peek('k'), gaps()]).toEqual([1, 0])
  })
  it('asks at most once in `every`', async () => {
    const { a, b, state } = two(60_000)
    await hold(a, 'k')
    await b.delete('k')
    await b.flush()
    state.asked = 0
    for (let i = 0; i < 5; i++) await a.get(`miss ${i}`)
    expect(state.asked).toBe(10)
    expect(a.peek('k')).toBe(1)
  })
  it('empties the tier when it was lost, or has dropped what was not read', async () => {
    for (const lose of [
      ({ memory }: ReturnType<typeof two>) => memory.delete([':hither:near']),
      ({ b }: ReturnType<typeof two>) => Promise.all(Array.from({ length: 600 }, (_, i) => b.delete(`k${i}`))),
      async ({ b }: ReturnType<typeof two>) => {
        for (let i = 0; i < 3; i++) await b.delete(Array.from({ length: 200 }, (_, j) => `k${i}-${j}`))
      },
    ]) {
      const both = two(1)
      const { a, b, gaps } = both
      await hold(a, 'k')
      await lose(both)
      await b.flush()
      await pause(3)
      await a.get('another')
      await a.flush()
      expect(a.peek('k')).toBeUndefined()
      expect(gaps()).toBeLessThan(2)
    }
  })
  it('is done without while the store is away', async () => {
    const { a, b, state } = two(1)
    await hold(a, 'k')
    state.away = true
    await pause(3)
    await expect(async () => await a.get('another')).rejects.toEqual(code('STORE_UNAVAILABLE'))
    expect(a.peek('k')).toBe(1)
    await b.delete('k')
    await b.flush()
    state.away = false
    await pause(3)
    await a.get('another')
    await a.flush()
    expect(a.peek('k')).toBeUndefined()
  })
  it.each(['get', 'delete'] as const)('gets a change that could not be added with the next %s', async (next) => {
    const { a, memory } = two(1)
    let isAway = true
    const store: AtomicStore = {
      ...memory,
      async run(operation, ...rest) {
        if (isAway && operation.name === 'feed.append') throw unavailable()
        return memory.run(operation, ...rest)
      },
    }
    const b = createCache({ store, near: nearTier({ feed: pullFeed({ every: 1 }) }), ttl: '5m' })
    await hold(a, 'k')
    await b.delete('k')
    await b.flush()
    isAway = false
    await pause(3)
    await b[next]('some')
    await b.flush()
    await pause(3)
    await a.get('another')
    await a.flush()
    expect(a.peek('k')).toBeUndefined()
  })
  it('refuses an interval that is none', () => {
    expect(() => pullFeed({ every: 'often' as never })).toThrow(code('INVALID_DURATION'))
  })
})

describe('the breaker', () => {
  it('opens after five errors in a row: calls then fail at once, and one at a time asks', async () => {
    const { store, state } = switched()
    const events: CacheEvent[] = []
    const cache = createCache({ store, ttl: '5m', onEvent: (event) => events.push(event) })
    const breaker = () => events.flatMap((event) => (event.type === 'breaker' ? [event.open] : []))
    state.away = true
    for (let i = 0; i < 5; i++) {
      expect(breaker()).toEqual([])
      await expect(async () => await cache.get('k')).rejects.toEqual(code('STORE_UNAVAILABLE'))
    }
    expect(breaker()).toEqual([true])
    state.away = false
    expect(await cache.get('k')).toBeUndefined()
    expect(breaker()).toEqual([true, false])
  })
  it('stays closed while something is answered in between', async () => {
    const { store, state } = switched()
    const events: CacheEvent[] = []
    const cache = createCache({ store, ttl: '5m', onEvent: (event) => events.push(event) })
    for (let i = 0; i < 20; i++) {
      state.away = i % 4 > 0
      await cache.get('k').catch(() => {})
    }
    expect(cache.stats().storeErrors).toBe(15)
    expect(events.some(({ type }) => type === 'breaker')).toBe(false)
  })
  it('stands before each part of a store alone', async () => {
    const memory = memoryStore()
    const asked: string[] = []
    const store: AtomicStore = {
      ...memory,
      part: (key) => key.slice(-1),
      get(key) {
        asked.push(key)
        return key.endsWith('x') ? new Promise((_, reject) => setTimeout(reject, 20, unavailable())) : memory.get(key)
      },
    }
    const events: CacheEvent[] = []
    const cache = createCache({ store, format: plainFormat(), onEvent: (event) => events.push(event) })
    const read = async (key: string): Promise<unknown> => await cache.get(key).catch(({ code }) => code)
    for (let i = 0; i < 5; i++) expect(await read('x')).toBe('STORE_UNAVAILABLE')
    const probe = read('x')
    // Wait for another tick: calls of the same tick would ask the store together with the probe.
    await new Promise((resolve) => setTimeout(resolve))
    const before = asked.length
    expect(await Promise.all(['x', 'y', 'x'].map(read))).toEqual(['STORE_UNAVAILABLE', undefined, 'STORE_UNAVAILABLE'])
    expect(asked.slice(before)).toEqual(['y'])
    expect(await cache.delete(['x', 'y'])).toBe(0)
    await probe
    expect(events.flatMap((event) => (event.type === 'breaker' ? [event.open] : []))).toEqual([true])
  })
  it('counts what fails together once', async () => {
    const { store, state } = switched()
    const events: CacheEvent[] = []
    const cache = createCache({ store, ttl: '5m', onEvent: (event) => events.push(event) })
    state.away = true
    await Promise.allSettled(Array.from({ length: 100 }, (_, i) => cache.get(`k${i}`)))
    expect(events.some(({ type }) => type === 'breaker')).toBe(false)
  })
  it('lets one probe through at a time', async () => {
    let asked = 0
    const answers: ((error?: Error) => void)[] = []
    const memory = memoryStore()
    const store: AtomicStore = {
      ...memory,
      get: () => {
        asked++
        return new Promise((resolve, reject) => {
          answers.push((error) => (error ? reject(error) : resolve(undefined)))
        })
      },
    }
    const settle = (error?: Error) => {
      for (const answer of answers.splice(0)) answer(error)
    }
    const cache = createCache({ store, ttl: '5m', storeTimeout: '1m' })
    for (let i = 0; i < 5; i++) {
      const failing = expect(async () => await cache.get('k')).rejects.toEqual(code('STORE_UNAVAILABLE'))
      settle(unavailable())
      await failing
    }
    asked = 0
    const probe = cache.get('k')
    await pause(1)
    expect(asked).toBe(2)
    for (let i = 0; i < 10; i++)
      await expect(async () => await cache.get('k')).rejects.toEqual(code('STORE_UNAVAILABLE'))
    expect(asked).toBe(2)
    settle()
    expect(await probe).toBeUndefined()
    const after = cache.get('k')
    settle()
    expect(await after).toBeUndefined()
  })
  it('is not opened by the impatience of callers, nor by errors that are answers', async () => {
    const memory = memoryStore()
    const events: CacheEvent[] = []
    const cache = createCache({
      store: {
        ...memory,
        get: () => new Promise<never>((_, reject) => setTimeout(reject, 5, new HitherError('TIMEOUT', 'late'))),
      },
      ttl: '5m',
      onEvent: (event) => events.push(event),
    })
    for (let i = 0; i < 8; i++) await expect(async () => await cache.get('k')).rejects.toEqual(code('TIMEOUT'))
    const refused = createCache({
      store: { ...memory, get: () => Promise.reject(new HitherError('STORE_REJECTED', 'no')) },
      ttl: '5m',
      onEvent: (event) => events.push(event),
    })
    for (let i = 0; i < 8; i++) await expect(async () => await refused.get('k')).rejects.toEqual(code('STORE_REJECTED'))
    expect(events.some(({ type }) => type === 'breaker')).toBe(false)
  })
})

describe('a schema', () => {
  const text = (accept: (value: unknown) => boolean, change = (value: unknown) => value) => ({
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) => (accept(value) ? { value: change(value) } : { issues: [{ message: 'no' }] }),
    },
  })
  const isText = text((value) => typeof value === 'string')

  it('refuses what a loader answers, for every caller, and stores nothing', async () => {
    const { cache } = setUp()
    const load = () => cache.getOrSet('k', () => 5 as unknown, { schema: isText })
    for (const outcome of await Promise.allSettled([load(), load()]))
      expect(outcome).toEqual({ status: 'rejected', reason: code('INVALID_VALUE') })
    expect(await cache.get('k')).toBeUndefined()
  })
  it('checks what another call has loaded, too, and loads by itself where it refuses that', async () => {
    const { cache } = setUp()
    const door = Promise.withResolvers<unknown>()
    const first = cache.getOrSet('k', () => door.promise)
    await pause(5)
    const second = cache.getOrSet('k', () => 'text', { schema: isText })
    await pause(5)
    door.resolve(5)
    expect([await first, await second]).toEqual([5, 'text'])
  })
  it('lets what this process has written stand while the store is away, where it accepts it', async () => {
    const { cache, state } = setUp()
    state.away = true
    await cache.set('k', 'kept', { onWriteFailure: 'event' })
    await cache.set('n', 5, { onWriteFailure: 'event' })
    expect(await cache.getOrSet('k', () => 'loaded', { schema: isText })).toBe('kept')
    expect(await cache.getOrSet('n', () => 'loaded', { schema: isText })).toBe('loaded')
    let loads = 0
    const load = (): Promise<string> => cache.getOrSet('l', () => `${++loads}`, { schema: isText })
    for (let i = 0; i < 5; i++) expect(await load()).toBe('1')
  })
  it('makes a stored value that it refuses a miss, and an event', async () => {
    const { cache, types } = setUp()
    await cache.set('k', 5)
    expect(await cache.getOrSet('k', () => 'text', { schema: isText })).toBe('text')
    expect(types()).toContain('decode-failed')
    expect(await cache.get('k')).toBe('text')
  })
  it('looks at a value held near that it has not checked', async () => {
    const { cache } = setUp()
    await warm(cache, 'k', 5)
    expect(cache.peek('k')).toBe(5)
    expect(await cache.getOrSet('k', () => 'text', { schema: isText })).toBe('text')
    const validate = vi.spyOn(isText['~standard'], 'validate')
    await cache.getOrSet('k', () => 'text', { schema: isText })
    const times = validate.mock.calls.length
    await cache.getOrSet('k', () => 'text', { schema: isText })
    expect(validate).toHaveBeenCalledTimes(times)
    validate.mockRestore()
  })
  it('gives what migrate makes of an old form, and nobody else', async () => {
    const { cache } = setUp()
    await cache.set('k', 5)
    const migrate = (value: unknown) => `${value}`
    for (let i = 0; i < 3; i++) expect(await cache.getOrSet('k', () => 'loaded', { schema: isText, migrate })).toBe('5')
    expect(await cache.get('k')).toBe(5)
    const bad = { schema: isText, migrate: () => 6 }
    expect(await cache.getOrSet('k', () => 'loaded', bad)).toBe('loaded')
    await expect(async () => await cache.getOrSet('k', () => 1, { migrate })).rejects.toEqual(code('INVALID_ARGUMENT'))
    await expect(async () => await cache.getOrSet('j', () => 1, { schema: {} as never })).rejects.toEqual(
      code('INVALID_ARGUMENT'),
    )
  })
  it('that refuses its own output says so on the first fill', async () => {
    const { cache } = setUp()
    const toNumber = text((value) => typeof value === 'string', Number)
    await expect(async () => await cache.getOrSet('k', () => '5' as unknown, { schema: toNumber })).rejects.toThrow(
      /own output/,
    )
  })
})

describe('mutable: true', () => {
  interface Doc {
    list: number[]
    map: Map<string, { n: number }>
    deep: { when: Date }
  }
  const made = (): Doc => ({ list: [1], map: new Map([['a', { n: 1 }]]), deep: { when: new Date(0) } })
  const spoil = (doc: Doc | undefined): void => {
    if (!doc) throw new Error('there is none')
    expect(doc).toEqual(made())
    doc.list.push(2)
    const inner = doc.map.get('a')
    if (inner) inner.n = 2
    doc.map.set('b', { n: 3 })
    doc.deep.when.setTime(1)
    doc.deep = { when: new Date(2) }
  }
  const plainly = (): { list: number[]; deep: { n: number } } => ({ list: [1], deep: { n: 1 } })

  it('gives each caller a copy of its own, however it asks', async () => {
    const memory = memoryStore()
    const cache = createCache({ store: memory, near: nearTier({ maxAge: '1m' }), ttl: '5m', mutable: true })
    await cache.set('k', made())
    const load = (): Doc => made()
    const kind = cache.define({ name: 'kind', load })
    const wrapped = cache.wrap(async () => made(), { name: 'wrapped' })
    for (let i = 0; i < 3; i++) {
      spoil(await cache.get<Doc>('k'))
      spoil((await cache.getMany<Doc>(['k'])).get('k'))
      spoil((await cache.getEntry<Doc>('k')).value)
      spoil(cache.peek<Doc>('k'))
      spoil(await cache.getOrSet('loaded', load))
      spoil((await cache.getOrSetMany(['many'], () => ({ many: made() }))).get('many'))
      spoil(await kind.get(null))
      spoil(await wrapped())
    }
    expect(cache.stats().near).toMatchObject({ entries: 5 })
  })

  it('copies what is frozen all the way down, and keeps what it is given apart', async () => {
    const cache = createCache({ store: memoryStore(), near: nearTier({ maxAge: '1m' }), ttl: '5m', mutable: true })
    for (let i = 0; i < 4; i++) {
      const value = await cache.getOrSet('k', plainly)
      expect(value).toEqual(plainly())
      value.list.push(2)
      value.deep.n = 2
    }
    for (let i = 0; i < 2; i++) {
      const { value, source } = await cache.getEntry<ReturnType<typeof plainly>>('k')
      expect([value, source]).toEqual([plainly(), 'near'])
      value?.list.push(2)
    }
    expect(cache.stats()).toMatchObject({ loads: 1, near: { hits: 4 } })
  })

  it('is a matter of the view, and of what is kept while the store is away', async () => {
    const { cache, state } = setUp({}, { grace: '1h' })
    await warm(cache, 'k', plainly())
    const frozen = await cache.get<ReturnType<typeof plainly>>('k')
    expect(Object.isFrozen(frozen) && Object.isFrozen(frozen?.deep)).toBe(true)
    const view = cache.with({ mutable: true })
    state.away = true
    await view.set('away', plainly(), { onWriteFailure: 'event' })
    for (const key of ['k', 'away', 'k', 'away']) {
      const own = await view.get<ReturnType<typeof plainly>>(key)
      expect(own).toEqual(plainly())
      if (own) own.deep.n = 2
      own?.list.push(2)
    }
    expect(await cache.get('k')).toBe(frozen)
    expect(await cache.get('away')).toEqual(plainly())
  })

  it('keeps nothing near of what it cannot copy, and leaves that alone', async () => {
    class Money {
      cents = 1
      parts = [1]
    }
    const codec = { mark: 'M', encode: () => 'm', decode: () => new Money() }
    const cache = createCache({ store: memoryStore(), near: nearTier(), ttl: '5m', mutable: true, codec })
    await cache.set('k', 1)
    for (let i = 0; i < 2; i++) {
      const money = await cache.get<Money>('k')
      expect(money).toBeInstanceOf(Money)
      money?.parts.push(2)
      expect(money?.parts).toEqual([1, 2])
    }
    expect(cache.stats().near).toMatchObject({ entries: 0 })
  })

  it('is true or false', () => {
    const store = memoryStore()
    expect(() => createCache({ store, mutable: 'yes' as never })).toThrow(code('INVALID_ARGUMENT'))
    expect(() => createCache({ store }).with({ mutable: 1 as never })).toThrow(code('INVALID_ARGUMENT'))
  })
})
