import { HitherError } from '../../src/errors.ts'
import { checkNames, checkWhole, invalid } from '../../src/protocol/arguments.ts'
import type { Store } from '../../src/store/store.ts'
import { createTextStore } from '../../src/store/text-store.ts'

/** The part of a KV namespace that the store uses. */
export interface KvNamespace {
  get(key: string, options: { readonly type: 'text'; readonly cacheTtl?: number }): Promise<string | null>
  put(key: string, value: string, options?: { readonly expirationTtl?: number }): Promise<void>
  delete(key: string): Promise<void>
}

export interface KvStoreOptions {
  /** How long a location may serve a value that it has read from KV, in seconds, at least 30. @default KV's own, 60 */
  readonly cacheTtl?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
}

/** KV ends no lifetime earlier than this, in seconds. */
const MIN_TTL_S = 60

/**
 * A store over Workers KV, for `createCache` alone. It runs no operations, and a read may lag about a minute behind a write
 * in another location, so counters, limiters and locks cannot use it. The cache itself ends lifetimes below 60 s; KV keeps
 * the value for 60 s. Throws `INVALID_ARGUMENT`. Rejects with `STORE_UNAVAILABLE` for an error of KV.
 */
export function kvStore(namespace: KvNamespace, options: KvStoreOptions = {}): Store {
  if (!(['get', 'put', 'delete'] as const).every((name) => typeof namespace?.[name] === 'function'))
    throw invalid('kvStore takes a KV namespace, such as env.CACHE')
  checkNames('kvStore', options, ['cacheTtl', 'timeoutMs'])
  const { cacheTtl, timeoutMs } = options
  if (cacheTtl !== undefined) checkWhole(cacheTtl, 'cacheTtl', 30)
  return createTextStore({
    name: 'kv',
    traits: {
      shared: true,
      ttlStepMs: MIN_TTL_S * 1000,
      maxKeyBytes: 512,
      maxValueBytes: 25 * 1024 * 1024,
      clock: 'client',
      consistency: 'eventual',
    },
    message: 'KV did not do it, see cause',
    timeoutMs,
    refuse(key) {
      if (key === '.' || key === '..') throw new HitherError('INVALID_KEY', 'a key of KV is neither . nor ..')
    },
    over: namespace,
    client: {
      read: async (key) =>
        (await namespace.get(key, { type: 'text', ...(cacheTtl === undefined ? {} : { cacheTtl }) })) ?? undefined,
      write: (key, value, ttlMs) =>
        namespace.put(
          key,
          value,
          ttlMs === undefined ? {} : { expirationTtl: Math.max(MIN_TTL_S, Math.ceil(ttlMs / 1000)) },
        ),
      remove: (key) => namespace.delete(key),
    },
  })
}
