import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { runtimeCacheStore } from '../../../adapters/vercel/runtime-cache-store.ts'
import { plain } from '../../../src/cache/parts/format-plain.ts'
import { createCache, type Store } from '../../../src/index.ts'
import { createLocks } from '../../../src/lock/index.ts'
import { createRateLimiter, fixedWindow } from '../../../src/rate-limit/index.ts'
import { createSessions } from '../../../src/session/index.ts'

/** Vercel's Runtime Cache as it is on a developer's machine: a map. */
const runtimeCache = () => {
  const values = new Map<string, unknown>()
  return {
    values,
    get: async (key: string) => values.get(key),
    set: async (key: string, value: unknown) => void values.set(key, value),
    delete: async (key: string) => void values.delete(key),
  }
}
const unsupported = expect.objectContaining({ code: expect.stringMatching(/^(UNSUPPORTED|INVALID_ARGUMENT)$/) })

describe('a cache over a store without operations', () => {
  const opened: [string, () => Store][] = [
    ['a store of memory without run', () => ({ ...memoryStore(), run: undefined }) as unknown as Store],
    ['the Runtime Cache', () => runtimeCacheStore(runtimeCache())],
  ]
  for (const [name, open] of opened) {
    it(`loads once in one process, and keeps tags and verbs, over ${name}`, async () => {
      const cache = createCache({ store: open(), namespace: 'plain-store', ttl: '1m' })
      let loads = 0
      const load = () => cache.getOrSet('k', async () => ++loads, { tags: ['t'] })
      expect(await Promise.all(Array.from({ length: 50 }, load))).toEqual(Array.from({ length: 50 }, () => 1))
      expect([await load(), loads]).toEqual([1, 1])
      await cache.invalidateTags(['t'])
      expect(await load()).toBe(2)
      expect(await Promise.all(Array.from({ length: 20 }, () => cache.increment('n')))).toContain(20)
      expect(await cache.ttl('n')).toBeGreaterThan(50_000)
      expect(await cache.take('k')).toBe(2)
      expect(await cache.delete('n')).toBe(1)
      expect(await cache.get('n')).toBe(undefined)
      await cache.set('short', 1, { ttl: 1 })
      await expect.poll(() => cache.get('short')).toBe(undefined)
      await cache.close()
    })
  }
  it('is refused to what counts, locks and signs in, by type and at construction', () => {
    const store = runtimeCacheStore(runtimeCache())
    // @ts-expect-error a lock needs operations
    expect(() => createLocks({ store, ttl: '1m' })).toThrow(unsupported)
    const algorithm = fixedWindow({ limit: 1, window: '1m' })
    // @ts-expect-error a limiter needs operations
    expect(() => createRateLimiter({ store, algorithm, outage: 'open' })).toThrow(unsupported)
    // @ts-expect-error sessions need operations
    expect(() => createSessions({ store, secrets: ['x'.repeat(32)], idle: '1h' })).toThrow(unsupported)
    // @ts-expect-error values that other programs share need operations
    expect(() => createCache({ store, format: plain() })).toThrow(unsupported)
    expect(() => createCache({ store: {} as Store })).toThrow(unsupported)
  })
})
