import { afterEach, describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { type AtomicStore, type CacheEvent, type CacheOptions, createCache, HitherError } from '../../../src/index.ts'
import { pause } from './slow-store.ts'

const unavailable = () => new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true })
const never = (): never => {
  throw new Error('it is a hit')
}

/** A cache over a store that is read by `get`, and the types of the events that it has reported. */
function over(get: AtomicStore['get'] | undefined, options: Partial<CacheOptions> = {}) {
  const memory = memoryStore()
  const events: CacheEvent['type'][] = []
  const onEvent = ({ type }: CacheEvent): unknown => events.push(type)
  const cache = createCache({ store: { ...memory, ...(get && { get }) }, ttl: '5m', onEvent, ...options })
  return { cache, memory, events }
}

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the reads of one look', () => {
  // A rejection of one of the other reads that nobody handles fails the run.
  it.each([
    ['the entry', (key: string) => !key.startsWith(':')],
    ['the generation', (key: string) => key.endsWith(':g')],
    ['a tag', (key: string) => key.includes(':t:')],
  ])('may fail one after another, first %s', async (_, isFirst) => {
    const get = async (key: string): Promise<never> => {
      await pause(isFirst(key) ? 1 : 10)
      throw unavailable()
    }
    const { cache } = over(get)
    const read = async (): Promise<unknown> => await cache.get('k', { tags: ['t'] })
    await expect(read).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await cache.getOrSet('k', () => 'loaded', { tags: ['t'] })).toBe('loaded')
    await pause(20)
  })
})

describe('a hit', () => {
  it('names its tags in any order, some of them, or others as well', async () => {
    const { cache, events } = over(undefined)
    await cache.set('k', 'v', { tags: ['a', 'ž', 'c'] })
    for (const tags of [['a', 'ž', 'c'], ['c', 'a', 'ž'], ['ž'], ['a', 'ž', 'c', 'd'], ['d'], []]) {
      expect(await cache.get('k', { tags })).toBe('v')
      expect(await cache.getOrSet('k', never, { tags })).toBe('v')
    }
    expect(events).toEqual(Array(12).fill('hit'))
    for (const tag of ['d', 'ž']) {
      await cache.invalidateTags([tag])
      expect(await cache.get('k', { tags: ['a', 'ž', 'c'] })).toBe(tag === 'd' ? 'v' : undefined)
    }
  })

  it('that cannot be decoded is a miss, told once', async () => {
    const { cache, memory, events } = over(undefined)
    await cache.set('k', { a: 1 })
    const text = (await memory.get('hither:k')) ?? ''
    await memory.set('hither:k', text.replace('{"a":1}', '{"a":1'))
    expect(await cache.get('k')).toBeUndefined()
    expect(events).toEqual(['decode-failed', 'miss'])
    expect(await cache.getOrSet('k', () => 'new')).toBe('new')
    expect(events.filter((type) => type === 'decode-failed').length).toBe(2)
  })

  it('of a codec that has no end to it ends with its bound, once', async () => {
    const decode = vi.fn(() => new Promise(() => {}))
    const codec = { mark: 'X', encode: () => 'x', decode }
    const { cache } = over(undefined, { codec, hardTimeout: 30 })
    await cache.set('k', 1)
    expect(await cache.get('k')).toBeUndefined()
    expect(decode).toHaveBeenCalledTimes(1)
  })

  it('of an entry whose loader ran while the clock went back', async () => {
    const { cache } = over(undefined)
    const atMs = Date.now()
    const clock = vi.spyOn(Date, 'now').mockReturnValue(atMs)
    const load = (): string => {
      clock.mockReturnValue(atMs - 3871)
      return 'v'
    }
    expect(await cache.getOrSet('k', load)).toBe('v')
    await cache.flush()
    expect(await cache.getEntry('k')).toMatchObject({ status: 'fresh', value: 'v', loadTime: 0 })
    expect(await cache.getOrSet('k', never)).toBe('v')
  })
})
