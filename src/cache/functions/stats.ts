import type { AnyCache, CacheStats } from '../types.ts'
import { viewOf } from '../view.ts'

/** Counts since the cache was made. Calls through a view count for its cache. */
export function stats(cache: AnyCache): CacheStats {
  const { stats, near } = viewOf(cache).core
  const nearStats = near.stats()
  return nearStats ? { ...stats, near: nearStats } : { ...stats }
}
