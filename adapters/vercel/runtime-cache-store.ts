import { invalid } from '../../src/protocol/arguments.ts'
import type { Store } from '../../src/store/store.ts'
import { createTextStore } from '../../src/store/text-store.ts'

/** What is used of Vercel's Runtime Cache: what `getCache()` of `@vercel/functions` returns. */
export interface RuntimeCache {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, options?: { readonly ttl?: number }): Promise<void>
  delete(key: string): Promise<void>
}

/**
 * A store over Vercel's Runtime Cache, for `createCache` alone: it runs no operations, lasts for one region and within a
 * budget, so that nothing counts, limits or locks here. Values are text, with their key before it: Vercel's client keeps keys by
 * a hash of 32 bits, under which many are one. Lifetimes are rounded up to seconds. `cache` is what
 * `getCache()` of `@vercel/functions` returned. Throws `INVALID_ARGUMENT`. Rejects `STORE_UNAVAILABLE` for what it says.
 */
export function runtimeCacheStore(cache: RuntimeCache): Store {
  if (!(['get', 'set', 'delete'] as const).every((name) => typeof cache?.[name] === 'function'))
    throw invalid('runtimeCacheStore takes what getCache() of @vercel/functions returns')
  return createTextStore({
    name: 'runtime-cache',
    traits: {
      shared: true,
      ttlStepMs: 1000,
      maxKeyBytes: 1024,
      // Of 2 MB, with the key beside it.
      maxValueBytes: 1_990_000,
      clock: 'client',
      consistency: 'eventual',
    },
    message: 'the Runtime Cache did not do it, see cause',
    client: {
      async read(key) {
        const value = await cache.get(key)
        const mark = JSON.stringify(key)
        return typeof value === 'string' && value.startsWith(mark) ? value.slice(mark.length) : undefined
      },
      write: (key, value, ttlMs) =>
        cache.set(key, JSON.stringify(key) + value, ttlMs === undefined ? {} : { ttl: Math.ceil(ttlMs / 1000) }),
      remove: (key) => cache.delete(key),
    },
  })
}
