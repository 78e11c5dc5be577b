import { HitherError, type Store, type StoreTraits } from 'hither'
import { checkNames } from './options.ts'

/** What is used of a KV namespace. */
export interface KvNamespace {
  get(key: string, options: { readonly type: 'text'; readonly cacheTtl?: number }): Promise<string | null>
  put(key: string, value: string, options?: { readonly expirationTtl?: number }): Promise<void>
  delete(key: string): Promise<void>
}

export interface KvStoreOptions {
  /** How long a place may serve what it has read, in seconds, at least 30. @default the platform's own, 60 */
  readonly cacheTtl?: number
}

/** KV ends no lifetime earlier. */
const MIN_TTL_S = 60
const MAX_BATCH = 10_000

/**
 * A store over Workers' KV, for `createCache` alone: it runs no operations, and a read may be about a minute behind a write
 * in another place, so that nothing counts, limits or locks here. A lifetime below 60 s is kept by the cache itself, and the
 * value stays in KV for 60. Throws `INVALID_ARGUMENT`. Rejects `STORE_UNAVAILABLE` for what KV says.
 */
export function kvStore(namespace: KvNamespace, options: KvStoreOptions = {}): Store {
  if (typeof namespace?.put !== 'function') {
    throw new HitherError('INVALID_ARGUMENT', 'kvStore takes a KV namespace, such as env.CACHE')
  }
  checkNames('kvStore', options, ['cacheTtl'])
  const { cacheTtl } = options
  if (cacheTtl !== undefined && !(Number.isInteger(cacheTtl) && cacheTtl >= 30)) {
    throw new HitherError('INVALID_ARGUMENT', 'cacheTtl is whole seconds, at least 30')
  }
  const traits: StoreTraits = {
    shared: true,
    ttlStepMs: MIN_TTL_S * 1000,
    maxKeyBytes: 512,
    maxValueBytes: 25 * 1024 * 1024,
    clock: 'client',
    consistency: 'eventual',
  }
  let closed = false
  const run = async <T>(keys: readonly string[], writes: boolean, work: () => Promise<T>): Promise<T> => {
    if (keys.length > MAX_BATCH) throw new HitherError('BATCH_TOO_LARGE', `a batch has at most ${MAX_BATCH} keys`)
    for (const key of keys) {
      const bytes = typeof key === 'string' ? new TextEncoder().encode(key).length : 0
      if (bytes === 0 || bytes > traits.maxKeyBytes || key === '.' || key === '..' || !key.isWellFormed()) {
        throw new HitherError('INVALID_KEY', 'a key of KV is well-formed text of 1 to 512 bytes, and neither . nor ..')
      }
    }
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    try {
      return await work()
    } catch (cause) {
      const settings = { cause, retryable: true, maybeExecuted: writes }
      throw new HitherError('STORE_UNAVAILABLE', 'KV did not do it, see cause', settings)
    }
  }
  const read = async (key: string): Promise<string | undefined> =>
    (await namespace.get(key, { type: 'text', ...(cacheTtl === undefined ? {} : { cacheTtl }) })) ?? undefined
  return {
    name: 'kv',
    traits,
    get: (key) => run([key], false, () => read(key)),
    getMany: (keys) => run(keys, false, () => Promise.all(keys.map(read))),
    async set(key, value, ttlMs) {
      if (typeof value !== 'string' || !value.isWellFormed()) {
        throw new HitherError('INVALID_VALUE', 'a value is well-formed text')
      }
      if (value.length * 3 > traits.maxValueBytes && new TextEncoder().encode(value).length > traits.maxValueBytes) {
        throw new HitherError('VALUE_TOO_LARGE', `a value has at most ${traits.maxValueBytes} bytes`)
      }
      const expirationTtl = ttlMs === undefined ? undefined : Math.max(MIN_TTL_S, Math.ceil(ttlMs / 1000))
      await run([key], true, () => namespace.put(key, value, expirationTtl === undefined ? {} : { expirationTtl }))
    },
    delete: (keys) =>
      run(keys, true, async () => {
        const each = [...new Set(keys)]
        const found = await Promise.all(each.map(read))
        await Promise.all(each.map((key) => namespace.delete(key)))
        return found.filter((value) => value !== undefined).length
      }),
    ready: () => run([], false, () => read('hither').then(() => {})),
    async close() {
      closed = true
    },
  }
}
