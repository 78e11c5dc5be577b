import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { type AtomicStore, type CacheEvent, type CacheOptions, type Codec, createCache } from '../../../src/index.ts'
import { nearTier } from '../../../src/near/index.ts'
import { pause } from './slow-store.ts'

describe('bounds', () => {
  it('past 10,000 loads one passes through, unstored and told', async () => {
    const dropped: string[] = []
    const cache = createCache({
      store: memoryStore(),
      ttl: '1m',
      storeTimeout: '20s',
      onEvent: (event) => {
        if (event.type === 'write-dropped') dropped.push(event.code)
      },
    })
    const gate = Promise.withResolvers<number>()
    const calls = Array.from({ length: 10_000 }, (_, i) => cache.getOrSet(`k${i}`, () => gate.promise))
    while (cache.stats().loads < 10_000) await pause(1)
    expect(cache.stats().inFlight).toBe(10_000)
    expect(await cache.getOrSet('one more', () => 'through')).toBe('through')
    expect(await cache.get('one more')).toBeUndefined()
    expect(dropped).toHaveLength(1)
    gate.resolve(1)
    expect(new Set(await Promise.all(calls))).toEqual(new Set([1]))
    expect(cache.stats().inFlight).toBe(0)
    expect(await cache.getOrSet('one more', () => 'kept')).toBe('kept')
    expect(await cache.get('one more')).toBe('kept')
  }, 90_000)
})

const never = (): Promise<never> => new Promise(() => {})
/** A schema whose validation never settles once `state.hangs` is set. */
function hanging() {
  const state = { hangs: false }
  const validate = (value: unknown) => (state.hangs ? never() : Promise.resolve({ value }))
  return { state, schema: { '~standard': { version: 1 as const, vendor: 'test', validate } } }
}
const late = expect.objectContaining({ code: 'TIMEOUT' })

describe('a schema or a codec that hangs', () => {
  it('ends its load at hardTimeout, and gives its lease back', async () => {
    const { state, schema } = hanging()
    const store = memoryStore()
    const [here, there] = [createCache({ store, ttl: '1m' }), createCache({ store, ttl: '1m' })]
    state.hangs = true
    await expect(here.getOrSet('k', () => 1, { schema, hardTimeout: 50 })).rejects.toEqual(late)
    expect(await there.getOrSet('k', () => 2)).toBe(2)
    const codec: Codec = { mark: 'X', encode: never, decode: never }
    const coding = createCache({ store, ttl: '1m', codec, hardTimeout: 50 })
    await expect(coding.getOrSet('c', () => 1)).rejects.toEqual(late)
    await expect(coding.set('c', 1)).rejects.toEqual(late)
    await expect(coding.add('c', 1)).rejects.toEqual(late)
    expect(await there.getOrSet('c', () => 2)).toBe(2)
  })

  it('ends a read at its deadline, or at hardTimeout', async () => {
    const { state, schema } = hanging()
    const store = memoryStore()
    const hangs: Codec = { mark: 'X', encode: (value) => String(value), decode: never }
    await createCache({ store, ttl: '1m', codec: hangs }).set('c', 1)
    const coding = createCache({ store, ttl: '1m', codec: hangs, hardTimeout: 50 })
    await expect(coding.get('c', { deadline: Date.now() + 20 })).rejects.toEqual(late)
    expect(await coding.get('c')).toBeUndefined()
    const cache = createCache({ store, ttl: '1m', hardTimeout: 50 })
    await cache.set('k', 1)
    state.hangs = true
    await expect(cache.getOrSet('k', () => 2, { schema, deadline: Date.now() + 20 })).rejects.toEqual(late)
  })

  it('ends at its deadline who has joined a load without it', async () => {
    const { state, schema } = hanging()
    const cache = createCache({ store: memoryStore(), ttl: '1m' })
    const door = Promise.withResolvers<number>()
    const first = cache.getOrSet('k', () => door.promise)
    await pause(5)
    state.hangs = true
    const joined = cache.getOrSet('k', () => 2, { schema, deadline: Date.now() + 100 })
    await pause(5)
    door.resolve(1)
    await expect(joined).rejects.toEqual(late)
    expect(await first).toBe(1)
  })
})

/** A store whose calls never settle once `state.hangs` is set. */
function hung(): { store: AtomicStore; state: { hangs: boolean } } {
  const memory = memoryStore()
  const state = { hangs: false }
  const ask = <T>(call: () => Promise<T>): Promise<T> => (state.hangs ? never() : call())
  const store: AtomicStore = {
    ...memory,
    get: (...args) => ask(() => memory.get(...args)),
    run: (...args) => ask(() => memory.run(...args)),
  }
  return { store, state }
}

describe('a caller with less patience than the store is given', () => {
  const open = (options: Partial<CacheOptions> = {}) => {
    const { store, state } = hung()
    const events: CacheEvent['type'][] = []
    const onEvent = ({ type }: CacheEvent): void => void events.push(type)
    return { cache: createCache({ store, ttl: '1m', storeTimeout: '20s', onEvent, ...options }), state, events }
  }
  const soon = (): { deadline: number } => ({ deadline: Date.now() + 20 })

  it("gets a load of its own with onDeadline: 'load', or TIMEOUT", async () => {
    const { cache, state } = open()
    state.hangs = true
    expect(await cache.getOrSet('k', () => 'own', { ...soon(), onDeadline: 'load' })).toBe('own')
    await expect(cache.getOrSet('k', () => 'own', soon())).rejects.toEqual(late)
  })

  it('is given a load also where the deadline had passed before: an earlier call of its request has waited', async () => {
    const { cache, state } = open()
    state.hangs = true
    const view = cache.with({ deadline: Date.now() + 20 })
    const onDeadline = 'load'
    for (const key of ['a', 'b'])
      expect(await view.getOrSet(key, () => `${key} loaded`, { onDeadline })).toBe(`${key} loaded`)
    const many = await view.getOrSetMany(['c', 'd'], (keys) => new Map(keys.map((key) => [key, key])), { onDeadline })
    expect([...many.keys()]).toEqual(['c', 'd'])
    const kind = view.define({ name: 'kind', load: (id: number) => id, onDeadline })
    expect([await kind.get(1), await kind.getMany([2, 3])]).toEqual([1, [2, 3]])
    await expect(view.getOrSet('k', () => 'own')).rejects.toEqual(late)
    let loads = 0
    await expect(view.getOrSet('k', () => ++loads, { onDeadline, bypass: true })).rejects.toEqual(late)
    expect(loads).toBe(0)
    const signal = AbortSignal.abort(new Error('left'))
    await expect(view.getOrSet('k', () => 'own', { signal, onDeadline })).rejects.toThrow('left')
    const { cache: near } = open({ near: nearTier({ maxAge: '1m' }) })
    await near.set('k', 'near')
    await near.get('k')
    await expect(near.getOrSet('k', () => 'own', { signal, onDeadline })).rejects.toThrow('left')
  })

  it('gets the stale copy that is near', async () => {
    const { cache, state } = open({ near: nearTier({ maxAge: '1m' }), grace: '1h' })
    await cache.set('k', 'old', { ttl: 500 })
    expect(await cache.get('k')).toBe('old')
    await pause(520)
    state.hangs = true
    expect(await cache.getOrSet('k', () => 'own', soon())).toBe('old')
  })

  it('is told of its own signal first', async () => {
    const { cache, state } = open()
    state.hangs = true
    const stop = new AbortController()
    const asked = cache.getOrSet('k', () => 'own', { signal: stop.signal, onDeadline: 'load' })
    stop.abort(new Error('left'))
    await expect(asked).rejects.toThrow('left')
  })
})

describe('a bypass', () => {
  it('is no fill that was refused', async () => {
    const events: CacheEvent['type'][] = []
    const cache = createCache({ store: memoryStore(), ttl: '1m', onEvent: ({ type }) => events.push(type) })
    expect(await cache.getOrSet('k', () => 1, { bypass: true })).toBe(1)
    expect(events).not.toContain('fill-refused')
    expect(events).not.toContain('write-dropped')
  })
})

describe('a listener', () => {
  it('that rejects is contained, as one that throws', async () => {
    const seen: unknown[] = []
    const watch = (reason: unknown): void => void seen.push(reason)
    const told: string[] = []
    if (typeof process !== 'undefined' && process.on) process.on('unhandledRejection', watch)
    const cache = createCache({
      store: memoryStore(),
      ttl: '1m',
      onEvent: async ({ type }) => {
        told.push(type)
        throw new Error('its own')
      },
    })
    await cache.get('k')
    await pause(10)
    if (typeof process !== 'undefined' && process.off) process.off('unhandledRejection', watch)
    expect([told, seen]).toEqual([['miss'], []])
  })
})

describe('callers who send each other round', () => {
  const memory = memoryStore()
  let asked = 0
  const count = <A extends readonly unknown[], R>(call: (...args: A) => R): ((...args: A) => R) => {
    return (...args) => {
      // Calls that went on for ever would starve all else, timers included. So they fail instead.
      if (++asked > 1000) throw new Error('without end')
      return call(...args)
    }
  }
  const store = { ...memory, get: count(memory.get), run: count(memory.run) as AtomicStore['run'] }
  const cache = createCache({ store, ttl: '1m' })
  const slowly = <T>(value: T): Promise<T> => pause(1).then(() => value)
  const load = (tags: string[]): Promise<unknown> => cache.getOrSet('k', () => slowly(1), { tags })
  const naming = (): Promise<unknown> =>
    cache.getOrSet('k', ({ setTags }) => {
      setTags(['x'])
      return slowly(1)
    })
  const many = (): Promise<unknown> =>
    cache.getOrSetMany(['k', 'j'], (keys) => slowly(new Map(keys.map((key) => [key, 1]))), { tags: ['x', 'y', 'z'] })

  it.each([
    ['that name fewer tags', () => load(['x', 'y']), () => [load(['x'])]],
    ['whose loaders name tags', naming, () => [naming()]],
    ['of many keys, among deletes', () => load(['x', 'y']), () => [load(['z']), many(), cache.delete('k')]],
  ])(
    'come to an end over a store that answers at once: calls %s',
    async (_, first, further) => {
      // Every distance, in microtasks, at which one call may find what another is about to store.
      for (let one = 0; one < 14; one++) {
        for (let two = 0; two < 14; two++) {
          await cache.delete('k')
          asked = 0
          const calls = [first()]
          for (const gap of [one, two, 1]) {
            for (let i = 0; i < gap; i++) await null
            calls.push(...further())
          }
          await Promise.all(calls)
          expect([one, two, asked < 100]).toEqual([one, two, true])
        }
      }
    },
    60_000,
  )
})
