import { afterEach, describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../adapters/memory/index.ts'
import { createCache } from '../../src/index.ts'
import { testCounter } from '../../src/testing/index.ts'

describe('memoryStore', () => {
  it('drops the least recently used entry past maxEntries', async () => {
    const store = memoryStore({ maxEntries: 2 })
    await store.set('a', '1')
    await store.set('b', '2')
    await store.get('a')
    await store.set('c', '3')
    expect(await store.getMany(['a', 'b', 'c'])).toEqual(['1', undefined, '3'])
  })
  it('drops entries past maxBytes, and refuses a value that could never fit', async () => {
    const store = memoryStore({ maxBytes: 1000 })
    for (let i = 0; i < 10; i++) await store.set(`k${i}`, 'x'.repeat(200))
    const held = (await store.getMany(Array.from({ length: 10 }, (_, i) => `k${i}`))).filter((value) => value)
    expect(held).toHaveLength(3)
    await expect(store.set('large', 'x'.repeat(1000))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
  })
  it('counts bytes of UTF-8, and gives back what an overwrite frees', async () => {
    const store = memoryStore({ maxBytes: 400 })
    for (let i = 0; i < 100; i++) await store.set('k', 'é'.repeat(100))
    expect(await store.get('k')).toHaveLength(100)
    await expect(store.set('k', 'é'.repeat(170))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    expect(await store.get('k')).toHaveLength(100)
  })
  it('moves its sweep as it is read, too: a standing iterator of a Map keeps each table that the Map has had since', async () => {
    const store = memoryStore()
    await store.set('k', 'v')
    const iterators = Object.getPrototypeOf(new Map().entries()) as Iterator<unknown>
    const moves = vi.spyOn(iterators, 'next')
    try {
      for (let i = 0; i < 3000; i++) await store.get('k')
      expect(moves.mock.calls.length).toBeGreaterThanOrEqual(2)
    } finally {
      moves.mockRestore()
    }
  })
  it('sweeps ended lifetimes as others are written, without a read or a timer', async () => {
    let nowMs = 1_000_000
    const store = memoryStore({ now: () => nowMs, maxEntries: 1_000 })
    await store.set('keep', 'x')
    for (let i = 0; i < 900; i++) await store.set(`short${i}`, 'x', 10)
    nowMs += 20
    for (let i = 0; i < 500; i++) await store.set(`new${i}`, 'x')
    // Without the sweep the bound would have evicted `keep`, the oldest.
    expect(await store.get('keep')).toBe('x')
  })
  it('keeps a lifetime that an operation keeps, to the millisecond', async () => {
    let nowMs = 1_000_000
    const store = memoryStore({ now: () => nowMs })
    await store.run(testCounter, 'k', [1, 100])
    nowMs += 99
    await store.run(testCounter, 'k', [1, 0])
    expect(await store.get('k')).toBe('2')
    nowMs += 1
    expect(await store.get('k')).toBeUndefined()
  })
  it('keeps bytes apart from what the caller does to them', async () => {
    const store = memoryStore()
    const bytes = new Uint8Array([1, 2])
    await store.setBytes?.('k', bytes)
    bytes[0] = 9
    const read = await store.getBytes?.('k')
    if (read) read[1] = 9
    expect([...((await store.getBytes?.('k')) ?? [])]).toEqual([1, 2])
  })
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a bound of %s', (bound) => {
    expect(() => memoryStore({ maxEntries: bound })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(() => memoryStore({ maxBytes: bound })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})

describe('a clock that is set back', () => {
  const HOUR_MS = 3_600_000
  const store = () => {
    const clock = { ms: 1_800_000_000_000 }
    return { clock, store: memoryStore({ now: () => clock.ms }) }
  }
  it('keeps nothing longer than it was to live', async () => {
    const { clock, store: memory } = store()
    await memory.set('k', 'v', 60_000)
    await memory.set('swept', 'v', 60_000)
    clock.ms += 20_000
    expect(await memory.get('k')).toBe('v')
    clock.ms -= HOUR_MS
    expect(await memory.get('k')).toBe('v')
    clock.ms += 39_999
    expect(await memory.get('k')).toBe('v')
    clock.ms += 1
    expect(await memory.get('k')).toBeUndefined()
    expect(await memory.getMany(['k', 'swept'])).toEqual([undefined, undefined])
  })
  afterEach(() => void vi.useRealTimers())
  it('nor where nothing was asked of it before it was late', async () => {
    vi.useFakeTimers({ now: 1_800_000_000_000, toFake: ['Date', 'performance'] })
    const memory = memoryStore()
    await memory.set('k', 'v', 60_000)
    vi.setSystemTime(1_800_000_000_000 - HOUR_MS)
    vi.advanceTimersByTime(59_999)
    expect(await memory.get('k')).toBe('v')
    vi.advanceTimersByTime(1)
    expect(await memory.get('k')).toBeUndefined()
  })
  it('again and again, and forth', async () => {
    const { clock, store: memory } = store()
    await memory.set('k', 'v', 60_000)
    for (let i = 0; i < 59; i++) {
      clock.ms += 1000
      expect(await memory.get('k')).toBe('v')
      clock.ms -= (i % 3) * HOUR_MS
      expect(await memory.get('k')).toBe('v')
    }
    await memory.set('later', 'v', 60_000)
    clock.ms += 1000
    expect(await memory.get('k')).toBeUndefined()
    expect(await memory.get('later')).toBe('v')
    clock.ms += 59_000
    expect(await memory.get('later')).toBeUndefined()
  })
  it('ends a cached value in time', async () => {
    const { clock, store: memory } = store()
    const cache = createCache({ store: memory, ttl: '1m' })
    await cache.set('k', 1)
    await cache.set('counter', 1)
    clock.ms -= HOUR_MS
    expect(await cache.get('k')).toBe(1)
    expect(await cache.ttl('k')).toBeLessThanOrEqual(60_000)
    clock.ms += 60_000
    expect(await cache.get('k')).toBeUndefined()
  })
  it('makes no copy in grace last longer', async () => {
    vi.useFakeTimers({ now: 1_800_000_000_000, toFake: ['Date', 'performance'] })
    const cache = createCache({ store: memoryStore(), ttl: '1m', grace: '1m' })
    await cache.set('expired', 1)
    await cache.set('failed', 1)
    vi.advanceTimersByTime(60_000)
    vi.setSystemTime(1_800_000_000_000 - HOUR_MS)
    expect(await cache.expire('expired')).toBe(true)
    const fail = () => Promise.reject(new Error('down'))
    expect(await cache.getOrSet('failed', fail, { forceFresh: true })).toBe(1)
    await cache.flush()
    expect((await cache.getEntry('failed')).value).toBe(1)
    vi.advanceTimersByTime(60_000)
    for (const key of ['expired', 'failed']) expect((await cache.getEntry(key)).status).toBe('absent')
  })
})
