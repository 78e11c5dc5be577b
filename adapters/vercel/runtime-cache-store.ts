import { HitherError, type Store, type StoreTraits } from 'hither'

/** What is used of Vercel's Runtime Cache: what `getCache()` of `@vercel/functions` returns. */
export interface RuntimeCache {
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, options?: { readonly ttl?: number }): Promise<void>
  delete(key: string): Promise<void>
}

/**
 * A store over Vercel's Runtime Cache, for `createCache` alone: it runs no operations, lasts for one region and within a
 * budget, so that nothing counts, limits or locks here. Values are text; lifetimes are rounded up to seconds. `cache` is what
 * `getCache()` of `@vercel/functions` returned. Throws `INVALID_ARGUMENT`. Rejects `STORE_UNAVAILABLE` for what it says.
 */
export function runtimeCacheStore(cache: RuntimeCache): Store {
  if (typeof cache?.get !== 'function' || typeof cache.set !== 'function') {
    throw new HitherError('INVALID_ARGUMENT', 'runtimeCacheStore takes what getCache() of @vercel/functions returns')
  }
  const traits: StoreTraits = {
    shared: true,
    ttlStepMs: 1000,
    maxKeyBytes: 1024,
    maxValueBytes: 2_000_000,
    clock: 'client',
    consistency: 'eventual',
  }
  let closed = false
  const run = async <T>(keys: readonly string[], writes: boolean, work: () => Promise<T>): Promise<T> => {
    for (const key of keys) {
      if (typeof key !== 'string' || key === '' || key.length > traits.maxKeyBytes || !key.isWellFormed()) {
        throw new HitherError('INVALID_KEY', 'a key is well-formed text of 1 to 1024 bytes')
      }
    }
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    try {
      return await work()
    } catch (cause) {
      const settings = { cause, retryable: true, maybeExecuted: writes }
      throw new HitherError('STORE_UNAVAILABLE', 'the Runtime Cache did not do it, see cause', settings)
    }
  }
  const read = async (key: string): Promise<string | undefined> => {
    const value = await cache.get(key)
    return typeof value === 'string' ? value : undefined
  }
  return {
    name: 'runtime-cache',
    traits,
    get: (key) => run([key], false, () => read(key)),
    getMany: (keys) => run(keys, false, () => Promise.all(keys.map(read))),
    async set(key, value, ttlMs) {
      if (typeof value !== 'string' || !value.isWellFormed()) {
        throw new HitherError('INVALID_VALUE', 'a value is well-formed text')
      }
      if (value.length > traits.maxValueBytes) {
        throw new HitherError('VALUE_TOO_LARGE', `a value has at most ${traits.maxValueBytes} bytes`)
      }
      await run([key], true, () => cache.set(key, value, ttlMs === undefined ? {} : { ttl: Math.ceil(ttlMs / 1000) }))
    },
    delete: (keys) =>
      run(keys, true, async () => {
        const each = [...new Set(keys)]
        const found = await Promise.all(each.map(read))
        await Promise.all(each.map((key) => cache.delete(key)))
        return found.filter((value) => value !== undefined).length
      }),
    ready: () => run([], false, () => read('hither').then(() => {})),
    async close() {
      closed = true
    },
  }
}
