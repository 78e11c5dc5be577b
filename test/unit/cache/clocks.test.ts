import { type Cache, createCache } from 'hither'
import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createStoreClock } from '../../../src/runtime/store-clock.ts'
import { distantClock, pause } from './slow-store.ts'

/** A writer and a reader with clocks that are `aheadMs` behind the store's. */
function off(aheadMs: number, near = false): [Cache<'frozen'>, Cache<'frozen'>] {
  const store = distantClock(() => Date.now() + aheadMs)
  const make = (): Cache<'frozen'> => createCache({ store, ttl: '30s', grace: '1h', ...(near && { near: nearTier() }) })
  return [make(), make()]
}
const down = (): never => {
  throw new Error('down')
}

afterEach(() => {
  vi.useRealTimers()
})

for (const near of [false, true]) {
  describe(`a reader whose clock is off, under grace${near ? ', with a near tier' : ''}`, () => {
    it('takes what is fresh by the store for fresh, once it has loaded anything', async () => {
      const [writer, reader] = off(-60_000, near)
      await writer.set('k', 'value')
      await reader.getOrSet('other', () => 1)
      expect(await reader.get('k')).toBe('value')
      expect(await reader.has('k')).toBe(true)
      expect(await reader.getOrSet('k', () => 'loaded')).toBe('value')
      const { status, ttl, age } = await reader.getEntry('k')
      expect([status, Math.abs(ttl - Number(await reader.ttl('k'))) < 1000, age < 1000]).toEqual(['fresh', true, true])
    })
    it('serves nothing that has ended by the store', async () => {
      const [writer, reader] = off(60_000, near)
      await writer.set('k', 'value', { ttl: 30 })
      await reader.getOrSet('other', () => 1)
      await pause(60)
      expect(await reader.get('k')).toBeUndefined()
      expect((await reader.getEntry('k')).status).toBe('stale')
      expect(await reader.getOrSet('k', down)).toBe('value')
      expect(await reader.getOrSet('k', () => 'new')).toBe('new')
    })
    it('learns the least difference from what it reads, though it loads nothing', async () => {
      const [writer, reader] = off(60_000, near)
      await writer.set('old', 'value', { ttl: 30 })
      await pause(60)
      await writer.set('new', 'value')
      expect(await reader.get('new')).toBe('value')
      expect(await reader.get('old')).toBeUndefined()
    })
    it('keeps what it reads no longer than the store', async () => {
      vi.useFakeTimers({ toFake: ['Date'] })
      const [writer, reader] = off(60_000, near)
      await writer.set('k', 'value', { ttl: 60 })
      await reader.getOrSet('other', () => 1)
      expect(await reader.get('k')).toBe('value')
      vi.setSystemTime(Date.now() + 61)
      expect(await reader.get('k')).toBeUndefined()
    })
  })
}

describe('a reader whose clock is behind, with a near tier and without grace', () => {
  it('keeps nothing near for longer than its lifetime, though it has loaded nothing', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const store = distantClock(() => Date.now() + 3_600_000)
    const reader = createCache({ store, ttl: '1h', near: nearTier({ maxAge: '10m' }) })
    await createCache({ store, ttl: '1h' }).set('k', 'value', { ttl: 60 })
    expect(await reader.get('k')).toBe('value')
    vi.setSystemTime(Date.now() + 61)
    expect(await reader.get('k')).toBeUndefined()
    await reader.set('own', 'value', { ttl: 60 })
    expect(await reader.get('own')).toBe('value')
    vi.setSystemTime(Date.now() + 61)
    expect(await reader.get('own')).toBeUndefined()
  })
})

describe('a clock that is set back by an hour', () => {
  const SET_BACK_MS = 3_600_000
  it('ends the backoff of a load that had failed', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const cache = createCache({ store: memoryStore(), ttl: '1m', grace: '1d', backoff: '10s' })
    await cache.set('k', 'old')
    await cache.expire('k')
    expect(await cache.getOrSet('k', down)).toBe('old')
    vi.setSystemTime(Date.now() - SET_BACK_MS)
    expect(await cache.getOrSet('k', () => 'new')).toBe('new')
  })
  it('while a loader runs makes no tag known that was first seen after it began', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const now = Date.now()
    const store = distantClock(() => now)
    const [here, there] = [createCache({ store, ttl: '1d' }), createCache({ store, ttl: '1d' })]
    const value = here.getOrSet('k', async ({ setTags }) => {
      vi.setSystemTime(Date.now() - SET_BACK_MS)
      await there.invalidateTags(['t'])
      await there.set('other', 1, { tags: ['t'] })
      expect(await here.get('other')).toBe(1)
      setTags(['t'])
      return 'read before the tag was invalidated'
    })
    expect(await value).toBe('read before the tag was invalidated')
    await here.flush()
    expect(await here.get('k')).toBeUndefined()
  })
})

describe('the store’s clock as it is estimated', () => {
  it('is this machine’s until a reply shows that it is not', () => {
    const clock = createStoreClock()
    clock.note(Date.now() - 50, Date.now() - 20)
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(2)
  })
  it('is moved by the least that is certain, and narrowed by each reply', () => {
    const clock = createStoreClock()
    const ahead = (): number => clock.now() - Date.now()
    clock.note(Date.now() - 1000, Date.now() + 10_000)
    expect(ahead()).toBeGreaterThan(9900)
    expect(ahead()).toBeLessThan(10_001)
    clock.note(Date.now(), Date.now() + 10_500)
    expect(ahead()).toBeGreaterThan(10_400)
  })
  it('follows a clock that was set', () => {
    const clock = createStoreClock()
    clock.note(Date.now(), Date.now() + 3_600_000)
    clock.note(Date.now(), Date.now() - 5000)
    expect(Math.abs(clock.now() - Date.now() + 5000)).toBeLessThan(100)
  })
  it('is moved by no stamp that is far ahead of any clock', () => {
    const clock = createStoreClock()
    clock.passed(Date.now() + 400 * 86_400_000)
    expect(Math.abs(clock.now() - Date.now())).toBeLessThan(100)
    clock.passed(Date.now() + 5000)
    expect(clock.now() - Date.now()).toBeGreaterThan(4900)
  })
})
