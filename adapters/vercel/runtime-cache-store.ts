import { invalid } from '../../src/protocol/arguments.ts'
import type { Store } from '../../src/store/store.ts'
import { createTextStore } from '../../src/store/text-store.ts'

/** The part of Vercel's Runtime Cache that the store uses: what `getCache()` of `@vercel/functions` returns. */
export interface RuntimeCache {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, options?: { readonly ttl?: number }): Promise<void>
  delete(key: string): Promise<void>
}

/**
 * A store over Vercel's Runtime Cache, for `createCache` alone. It runs no operations, its data belongs to one region and has a
 * size budget, so counters, limiters and locks cannot use it. Each value is text that begins with its key: Vercel's client
 * stores keys under a hash of 32 bits, which many keys share. Lifetimes are rounded up to seconds. `cache` is what `getCache()`
 * of `@vercel/functions` returned. Throws `INVALID_ARGUMENT`. Rejects with `STORE_UNAVAILABLE` for an error of the Runtime Cache.
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
      // Vercel takes 2 MB, with the key included.
      maxValueBytes: 1_990_000,
      clock: 'client',
      consistency: 'eventual',
    },
    message: 'the Runtime Cache did not do it, see cause',
    over: cache,
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
