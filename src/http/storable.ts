import { type Control, isUnqualified, parseDirectives, secondsOf } from './directives.ts'
import { isHeuristic, type Lifetime, lifetimeOf, type Received, varyNames } from './freshness.ts'

/** What a profile allows to be stored. */
export interface Policy {
  /** A lifetime may be guessed, and what has only a validator may be kept to be validated. */
  readonly heuristics: boolean
  /** Responses with a Set-Cookie field. */
  readonly setCookie: boolean
  /** Errors other than 404 and 410, where they say how long. */
  readonly errors: boolean
  /** A 206 that covers the whole. */
  readonly partial: boolean
  /** Requests that name the same languages or codings in another order select the same. */
  readonly anyOrder: boolean
  /** Responses that any cookie or an Authorization field may have selected, by Vary or by plain `max-age`. */
  readonly personal: boolean
}

export const PROFILES: { readonly safe: Policy; readonly full: Policy } = {
  safe: { heuristics: false, setCookie: false, errors: false, partial: false, anyOrder: false, personal: false },
  full: { heuristics: true, setCookie: true, errors: true, partial: true, anyOrder: true, personal: true },
}

/** What the rule of a request adds. */
export interface RuleTimes {
  /** Lifetime of a response that says none, in milliseconds: of none with an error other than 404 and 410. */
  readonly ttlMs?: number | undefined
  /** Of an error with this status. */
  readonly negativeMs?: ((status: number) => number | undefined) | undefined
}

/** What is known of a request when its response comes. */
export interface Asked extends RuleTimes {
  readonly headers: Headers
  /** It may belong to one user: it has a cookie that counts. */
  readonly hasIdentity: boolean
}

export type Verdict =
  | { readonly store: false /** In a word or two, for Cache-Status. */; readonly why: string }
  | {
      readonly store: true
      readonly lifetime: Lifetime
      /** The origin says that it is for everybody, in so many words. */
      readonly shared: boolean
    }

/** Statuses whose caching rules are implemented here (RFC 9111, section 5.2.2.3). */
const UNDERSTOOD: ReadonlySet<number> = new Set([302, 303, 307, 400, 500, 502, 503, 504])
/** Longest lifetime of an error. */
const LONGEST_NEGATIVE_MS = 300_000

const no = (why: string): Verdict => ({ store: false, why })
/** No error, but what is gone: that is an answer too. */
const isGood = (status: number): boolean => status < 400 || status === 404 || status === 410

/** Whether a response may be stored, by its fields (RFC 9111, section 3). Its body has the last word. */
export function judgeStorable(asked: Asked, received: Received, control: Control, policy: Policy): Verdict {
  const { status, headers } = received
  const { directives } = control
  const isUnderstood = isHeuristic(status) || UNDERSTOOD.has(status)
  if (status < 200 || status > 599 || status === 304) return no('status')
  if (directives.has('must-understand') ? !isUnderstood : directives.has('no-store')) return no('no-store')
  if (parseDirectives(asked.headers.get('cache-control')).has('no-store')) return no('request-no-store')
  if (isUnqualified(directives, 'private')) return no('private')
  const vary = varyNames(headers)
  if (!vary) return no('vary')
  const isOpen = directives.has('public') || directives.has('s-maxage')
  // Then it may be given to others, as the RFC has it (section 3.5).
  const isGranted = asked.headers.has('authorization') && (isOpen || directives.has('must-revalidate'))
  if (asked.headers.has('authorization') && !isGranted) return no('authorization')
  if (/^text\/event-stream/i.test(headers.get('content-type') ?? '')) return no('stream')
  const negativeMs = asked.negativeMs?.(status)
  // The `ttl` of a rule is not meant for a 401 or a 500: `negative` names errors.
  const ruleMs = negativeMs ?? (isGood(status) ? asked.ttlMs : undefined)
  const lifetime = lifetimeOf(received, control, ruleMs, policy.heuristics)
  if (asked.hasIdentity && !isOpen && !control.targeted) return no('cookie')
  if (!policy.personal && (vary.includes('cookie') || vary.includes('authorization'))) return no('vary')
  if (!policy.setCookie && headers.has('set-cookie')) return no('set-cookie')
  if (status === 206 && !policy.partial) return no('status')
  if (!isGood(status) && !policy.errors && negativeMs === undefined) return no('status')
  const hasValidator = headers.has('etag') || headers.has('last-modified')
  const isWanted =
    lifetime.explicit || (policy.heuristics && hasValidator && (isHeuristic(status) || directives.has('public')))
  if (!isWanted) return no('no-freshness')
  // What can be neither used nor validated is only in the way.
  const isUseful = hasValidator || secondsOf(directives, 'stale-while-revalidate')
  if (lifetime.ms === 0 && !isUseful) return no('stale')
  const ms = status >= 400 ? Math.min(lifetime.ms, LONGEST_NEGATIVE_MS) : lifetime.ms
  return { store: true, lifetime: { ...lifetime, ms }, shared: isOpen || isGranted || control.targeted }
}
