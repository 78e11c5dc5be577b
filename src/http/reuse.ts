import { type Directives, isUnqualified, seconds, secondsOf } from './directives.ts'
import { type Aged, ageAt } from './freshness.ts'

/** How a stored response may be used later, as its origin said. */
export interface Terms {
  /** Only after validation. */
  readonly noCache: boolean
  /** Never stale. */
  readonly noStale: boolean
  /** How long after its end it may be used while it is refreshed, and when its origin fails, in milliseconds. */
  readonly swrMs: number
  /** Undefined: nothing is said of it. */
  readonly sieMs?: number
}

/** `staleDespiteSMaxage`: by the letter `s-maxage` forbids every stale answer, `stale-while-revalidate` beside it too. */
export function termsOf(directives: Directives, staleDespiteSMaxage: boolean): Terms {
  const sie = secondsOf(directives, 'stale-if-error')
  return {
    noCache: isUnqualified(directives, 'no-cache'),
    noStale:
      directives.has('must-revalidate') ||
      directives.has('proxy-revalidate') ||
      (directives.has('s-maxage') && !staleDespiteSMaxage),
    swrMs: (secondsOf(directives, 'stale-while-revalidate') ?? 0) * 1000,
    ...(sie === undefined ? {} : { sieMs: sie * 1000 }),
  }
}

/** `fresh`, `max-stale`: answer with it. `refresh`: answer with it, and fetch a new one meanwhile. `stale`, `request`: validate. */
export type Use = 'fresh' | 'max-stale' | 'refresh' | 'stale' | 'request'

/** What may be done with a stored response now, by what its origin said and by what the request asks for. */
export function judgeUse(stored: Aged & Terms, asked: Directives, nowMs: number): Use {
  const ageMs = ageAt(stored, nowMs)
  const leftMs = stored.lifetimeMs - ageMs
  if (asked.has('no-cache')) return 'request'
  const mostMs = secondsOf(asked, 'max-age')
  if (mostMs !== undefined && ageMs > mostMs * 1000) return 'request'
  const leastMs = seconds(asked.get('min-fresh'))
  if (leastMs !== undefined && leftMs < leastMs * 1000) return 'request'
  if (stored.noCache) return 'stale'
  if (leftMs > 0) return 'fresh'
  if (stored.noStale) return 'stale'
  // What was never fresh is not used stale for a client's asking: it may be another's.
  const maxStale = stored.lifetimeMs > 0 ? asked.get('max-stale') : undefined
  if (maxStale === true || (maxStale !== undefined && -leftMs <= (seconds(maxStale) ?? -1) * 1000)) return 'max-stale'
  return -leftMs <= stored.swrMs && stored.swrMs > 0 ? 'refresh' : 'stale'
}

/** Longest time after its end that a response is used when its origin cannot be reached and nothing else is said. */
export const DISCONNECTED_MS = 86_400_000

/**
 * Whether a stored response may stand in when its origin cannot be reached (`'none'`) or fails with a status. `asked`: a client
 * may allow it too, for longer than the origin does.
 */
export function mayReplaceError(
  stored: Aged & Terms,
  answer: number | 'none',
  nowMs: number,
  asked?: Directives,
): boolean {
  if (stored.noCache || stored.noStale) return false
  if (answer !== 'none' && ![500, 502, 503, 504].includes(answer)) return false
  const pastMs = ageAt(stored, nowMs) - stored.lifetimeMs
  // What was never fresh stands in for nothing, unless its origin says so.
  const wasFresh = stored.lifetimeMs > 0
  const windowMs = stored.sieMs ?? (answer === 'none' && wasFresh ? DISCONNECTED_MS : undefined)
  const askedMs = ((wasFresh && seconds(asked?.get('stale-if-error'))) || 0) * 1000
  return (windowMs !== undefined && pastMs <= windowMs) || (pastMs > 0 && pastMs <= askedMs)
}
