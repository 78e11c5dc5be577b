import { type Cache, isHitherError, type Loader } from 'hither'

/** Where an answer came from. */
export interface Asked<T> {
  readonly value: T
  /** `miss`: computed for this call. `joined`: another call was computing it. `bypass`: the store is down. */
  readonly status: 'hit' | 'miss' | 'joined' | 'bypass'
  /** Time since it was stored; 0 unless it is a hit. */
  readonly ageMs: number
  /** Remaining lifetime; 0 when unknown. */
  readonly ttlMs: number
  readonly tookMs: number
  /** Why the store was not used. */
  readonly code: string | undefined
}

/**
 * `cache.getOrSet`, and where its value came from. Both reads are made in one tick, so that they share one request. The entry
 * gives the age and the remaining lifetime; whether the loader ran distinguishes a hit from a miss.
 */
export async function ask<T>(cache: Cache, key: string, loader: Loader<T>): Promise<Asked<T>> {
  const startedAt = performance.now()
  let loaded = false
  const counted: Loader<T> = (context) => {
    loaded = true
    return loader(context)
  }
  const [value, entry] = await Promise.all([
    // A store that hangs delays the request until its deadline; the request still gets an answer.
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
