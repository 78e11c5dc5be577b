import { parseDate } from './dates.ts'
import { type Control, isToken, listOf, secondsOf } from './directives.ts'

/** Statuses whose responses may get a heuristic lifetime (RFC 9110, section 15.1). */
const HEURISTIC: ReadonlySet<number> = new Set([200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])
const LONGEST_HEURISTIC_MS = 86_400_000

export interface Received {
  readonly status: number
  readonly headers: Headers
  /** Epoch milliseconds, by this machine's clock. */
  readonly requestMs: number
  readonly responseMs: number
}

export interface Lifetime {
  readonly ms: number
  /** Whether the response or a rule states the lifetime. */
  readonly explicit: boolean
}

/** Whether a response with this status may be stored although nothing states its lifetime. */
export function isHeuristic(status: number): boolean {
  return HEURISTIC.has(status)
}

/**
 * How long a response is fresh after its origin made it: `s-maxage`, else `max-age`, else Expires, else `ruleMs`, else (if
 * `heuristics` are allowed) a tenth of the time from Last-Modified to Date, at most a day. An invalid value counts as 0.
 */
export function lifetimeOf(
  { status, headers, responseMs }: Received,
  { directives, targeted }: Control,
  ruleMs: number | undefined,
  heuristics: boolean,
): Lifetime {
  const explicit = secondsOf(directives, 's-maxage') ?? secondsOf(directives, 'max-age')
  if (explicit !== undefined) return { ms: explicit * 1000, explicit: true }
  const dateMs = parseDate(headers.get('date'), responseMs) ?? responseMs
  const expires = targeted ? null : headers.get('expires')
  if (expires !== null) {
    return { ms: Math.max(0, (parseDate(expires, responseMs) ?? 0) - dateMs), explicit: true }
  }
  if (ruleMs !== undefined) return { ms: ruleMs, explicit: true }
  const lastModifiedMs = parseDate(headers.get('last-modified'), responseMs)
  if (!heuristics || targeted || lastModifiedMs === undefined) return { ms: 0, explicit: false }
  if (!isHeuristic(status) && !directives.has('public')) return { ms: 0, explicit: false }
  // An operation of the store takes whole numbers. Without a Date, the time is not one of whole seconds.
  const ms = Math.floor(Math.max(0, dateMs - lastModifiedMs) / 10)
  return { ms: Math.min(ms, LONGEST_HEURISTIC_MS), explicit: false }
}

/** The age of a response when it arrived, in milliseconds (RFC 9111, section 4.2.3). Never negative. */
export function initialAgeMs({ headers, requestMs, responseMs }: Received): number {
  const dateMs = parseDate(headers.get('date'), responseMs) ?? responseMs
  const first = headers.get('age')?.split(',', 1)[0]?.trim()
  const ageMs = first && /^\d+$/.test(first) ? Math.min(Number(first), 2 ** 31) * 1000 : 0
  return Math.max(0, responseMs - dateMs, ageMs + Math.max(0, responseMs - requestMs))
}

/** The parts of a stored response from which its age is computed. */
export interface Aged {
  readonly responseMs: number
  readonly ageMs: number
  readonly lifetimeMs: number
}

/** How far this machine's clock may be behind the clock of the machine that stored a response. */
const CLOCK_SKEW_MS = 10_000

/** The age now. If the clock was set back, it is beyond every lifetime, so that no stale response becomes fresh again. */
export function ageAt({ ageMs, responseMs }: Aged, nowMs: number): number {
  const residentMs = nowMs - responseMs
  return residentMs < -CLOCK_SKEW_MS ? Number.MAX_SAFE_INTEGER : ageMs + Math.max(0, residentMs)
}

/**
 * The field names in Vary, sorted and without duplicates; undefined if it has `*`, which never matches, or a member that is not a
 * field name.
 */
export function varyNames(headers: Headers): readonly string[] | undefined {
  const names = listOf(headers.get('vary')).sort()
  return names.includes('*') || !names.every(isToken) ? undefined : names
}
