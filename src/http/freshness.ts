import { parseDate } from './dates.ts'
import { type Control, isToken, listOf, secondsOf } from './directives.ts'

/** Statuses whose responses may be kept by a heuristic (RFC 9110, section 15.1). */
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
  /** The response says so itself, or a rule does. */
  readonly explicit: boolean
}

/** Whether an answer with this status may be kept without being told so. */
export function isHeuristic(status: number): boolean {
  return HEURISTIC.has(status)
}

/**
 * How long a response is fresh, counted from the moment its origin made it: `s-maxage`, else `max-age`, else Expires, else
 * `ruleMs`, else (where `heuristics` are allowed) a tenth of its age at that moment, a day at most. An invalid value is 0.
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
  return { ms: Math.min(Math.max(0, (dateMs - lastModifiedMs) / 10), LONGEST_HEURISTIC_MS), explicit: false }
}

/** How old a response was when it came, in milliseconds (RFC 9111, section 4.2.3). Never negative. */
export function initialAgeMs({ headers, requestMs, responseMs }: Received): number {
  const dateMs = parseDate(headers.get('date'), responseMs) ?? responseMs
  const first = headers.get('age')?.split(',', 1)[0]?.trim()
  const ageMs = first && /^\d+$/.test(first) ? Math.min(Number(first), 2 ** 31) * 1000 : 0
  return Math.max(0, responseMs - dateMs, ageMs + Math.max(0, responseMs - requestMs))
}

/** What a stored response knows of its own age. */
export interface Aged {
  readonly responseMs: number
  readonly ageMs: number
  readonly lifetimeMs: number
}

/** How far this machine's clock may be behind the one that stamped a response. */
const CLOCK_SKEW_MS = 10_000

/** The age now; beyond every lifetime when the clock was set back, so that nothing stale is fresh again. */
export function ageAt({ ageMs, responseMs }: Aged, nowMs: number): number {
  const residentMs = nowMs - responseMs
  return residentMs < -CLOCK_SKEW_MS ? Number.MAX_SAFE_INTEGER : ageMs + Math.max(0, residentMs)
}

/**
 * The names of a list of fields that select among variants, each once; undefined for one with `*`, which never matches, or with a
 * member that no field can have as its name.
 */
export function varyNames(headers: Headers): readonly string[] | undefined {
  const names = listOf(headers.get('vary')).sort()
  return names.includes('*') || !names.every(isToken) ? undefined : names
}
