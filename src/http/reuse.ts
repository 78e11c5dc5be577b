import { type Directives, isUnqualified, seconds, secondsOf } from './directives.ts'
import { type Aged, ageAt } from './freshness.ts'

/** The origin's terms for the later use of a stored response. */
export interface Terms {
  /** It may be used only after validation. */
  readonly noCache: boolean
  /** It may never be used stale. */
  readonly noStale: boolean
  /** How long after its lifetime it may be used while it is refreshed (`stale-while-revalidate`), in milliseconds. */
  readonly swrMs: number
  /** How long after its lifetime it may be used when its origin fails (`stale-if-error`), in milliseconds, if given. */
  readonly sieMs?: number
}

/** `staleDespiteSMaxage` allows stale use despite `s-maxage`. RFC 9111 forbids it, even beside `stale-while-revalidate`. */
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

/** `fresh`, `max-stale`: use it. `refresh`: use it and fetch a new one meanwhile. `stale`, `request`: validate it first. */
export type Use = 'fresh' | 'max-stale' | 'refresh' | 'stale' | 'request'

/** How a stored response may be used now, by the terms of its origin and the directives of the request. */
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
  // A response with a lifetime of 0 is not used stale because a client asks for it: it may be meant for another client.
  const maxStale = stored.lifetimeMs > 0 ? asked.get('max-stale') : undefined
  if (maxStale === true || (maxStale !== undefined && -leftMs <= (seconds(maxStale) ?? -1) * 1000)) return 'max-stale'
  return -leftMs <= stored.swrMs && stored.swrMs > 0 ? 'refresh' : 'stale'
}

/** How long after its lifetime a response is used when its origin cannot be reached, if it has no `stale-if-error`. */
export const DISCONNECTED_MS = 86_400_000

/**
 * Whether a stored response may stand in when its origin cannot be reached (`answer` is `'none'`) or fails with a status.
 * `asked`: the directives of the client, whose `stale-if-error` may allow longer than the origin does.
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
  // A response with a lifetime of 0 never stands in, unless its origin gives `stale-if-error`.
  const wasFresh = stored.lifetimeMs > 0
  const windowMs = stored.sieMs ?? (answer === 'none' && wasFresh ? DISCONNECTED_MS : undefined)
  const askedMs = ((wasFresh && seconds(asked?.get('stale-if-error'))) || 0) * 1000
  return (windowMs !== undefined && pastMs <= windowMs) || (pastMs > 0 && pastMs <= askedMs)
}
