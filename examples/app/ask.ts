import { type Cache, isHitherError, type Loader } from 'hither'

/** How an answer came about. */
export interface Asked<T> {
  readonly value: T
  /** `miss`: computed for this call. `joined`: another call was computing it. `bypass`: the store is away. */
  readonly status: 'hit' | 'miss' | 'joined' | 'bypass'
  /** Since it was stored; 0 unless it is a hit. */
  readonly ageMs: number
  /** How long it stays fresh; 0 when unknown. */
  readonly ttlMs: number
  readonly tookMs: number
  /** Why the store was left out. */
  readonly code: string | undefined
}

/**
 * `cache.getOrSet`, and how it went. Both reads are made in one tick, so that they travel in one request: the entry
 * tells age and rest of life, and whether the loader ran tells hit from miss.
 */
export async function ask<T>(cache: Cache, key: string, loader: Loader<T>): Promise<Asked<T>> {
  const startedAt = performance.now()
  let loaded = false
  const counted: Loader<T> = (context) => {
    loaded = true
    return loader(context)
  }
  const [value, entry] = await Promise.all([
    // A store that hangs costs the request its deadline, and no answer.
    cache.getOrSet(key, counted, { onDeadline: 'load' }),
    cache.getEntry(key).catch((error: unknown) => (isHitherError(error) ? error : Promise.reject(error))),
  ])
  const tookMs = Math.round((performance.now() - startedAt) * 100) / 100
  const common = { value: value as T, tookMs, ageMs: 0, ttlMs: 0, code: undefined }
  if (isHitherError(entry)) return { ...common, status: 'bypass', code: entry.code }
  if (loaded) return { ...common, status: 'miss' }
  if (entry.status === 'absent') return { ...common, status: 'joined' }
  return { ...common, status: 'hit', ageMs: Math.max(0, Math.round(entry.age)), ttlMs: Math.round(entry.ttl) }
}

/** `Cache-Status` (RFC 9211), `Age` on a hit (RFC 9111) and `Server-Timing`. */
export function headersOf({ status, ageMs, ttlMs, tookMs, code }: Asked<unknown>): Record<string, string> {
  const how = {
    hit: `hit; ttl=${Math.floor(ttlMs / 1000)}`,
    miss: 'fwd=miss; stored',
    joined: 'fwd=miss; collapsed',
    bypass: `fwd=miss; detail=${code}`,
  }[status]
  return {
    'Cache-Control': 'no-store',
    'Cache-Status': `hither; ${how}`,
    'Server-Timing': `cache;desc=${status};dur=${tookMs}`,
    ...(status === 'hit' ? { Age: String(Math.floor(ageMs / 1000)) } : {}),
  }
}
