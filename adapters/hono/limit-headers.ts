import type { Decision } from 'hither/rate-limit'
import type { Context } from 'hono'

/** Which fields show a client its limit: those of the current draft, the three of drafts up to 06, or none. */
export type LimitHeaders = 'standard' | 'legacy' | 'none'

/** A limiter's name and window, as `RateLimit-Policy` shows them. */
export interface Policy {
  readonly name: string
  /** Seconds; undefined when it is not given. */
  readonly windowSeconds: number | undefined
}

/**
 * Puts a decision in the response: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11, with a member
 * for each limiter), or `RateLimit-Limit`, `-Remaining` and `-Reset` (draft 06). Adds nothing if the store did not decide, since
 * the numbers are then unknown.
 */
export function setLimitHeaders(
  c: Context,
  form: LimitHeaders,
  { name, windowSeconds }: Policy,
  decision: Decision,
): void {
  const { limit, remaining, reset, reason } = decision
  if (form === 'none' || reason === 'unavailable' || reason === 'timeout') return
  // Rounded up after a tenth of a second is taken off: the store's clock may be that much ahead of this one.
  const seconds = Math.max(0, Math.ceil((reset - Date.now()) / 1000 - 0.1))
  if (form === 'legacy') {
    c.header('RateLimit-Limit', String(limit))
    c.header('RateLimit-Remaining', String(remaining))
    c.header('RateLimit-Reset', String(seconds))
    return
  }
  const window = windowSeconds === undefined ? '' : `;w=${windowSeconds}`
  c.header('RateLimit-Policy', `"${name}";q=${limit}${window}`, { append: true })
  c.header('RateLimit', `"${name}";r=${remaining};t=${seconds}`, { append: true })
}

/** Sets the seconds that a refused client should wait (RFC 9110, section 10.2.3). Sets nothing if no wait would help. */
export function setRetryAfter(c: Context, { retryAfterMs }: Decision): void {
  if (Number.isFinite(retryAfterMs)) c.header('Retry-After', String(Math.max(1, Math.ceil(retryAfterMs / 1000))))
}
