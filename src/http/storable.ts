import { type Control, isUnqualified, parseDirectives, secondsOf } from './directives.ts'
import { isHeuristic, type Lifetime, lifetimeOf, type Received, varyNames } from './freshness.ts'

/** What a profile allows to store. */
export interface Policy {
  /** Heuristic lifetimes, and responses that have only a validator, to validate them later. */
  readonly heuristics: boolean
  /** Responses with a Set-Cookie field. */
  readonly setCookie: boolean
  /** Errors other than 404 and 410, if they state their lifetime. */
  readonly errors: boolean
  /** A 206 that has the whole body, and empty bodies. */
  readonly partial: boolean
  /** Requests that name the same languages or codings in another order select the same response. */
  readonly anyOrder: boolean
  /** Responses that a cookie or an Authorization field may have selected, by Vary or with a plain `max-age`. */
  readonly personal: boolean
}

export const PROFILES: { readonly safe: Policy; readonly full: Policy } = {
  safe: { heuristics: false, setCookie: false, errors: false, partial: false, anyOrder: false, personal: false },
  full: { heuristics: true, setCookie: true, errors: true, partial: true, anyOrder: true, personal: true },
}

/** Lifetimes from the rule of a request. */
export interface RuleTimes {
  /** Lifetime of a response that states none, in milliseconds. Not for errors other than 404 and 410. */
  readonly ttlMs?: number | undefined
  /** Lifetime of an error with this status, in milliseconds. */
  readonly negativeMs?: ((status: number) => number | undefined) | undefined
}

/** The properties of a request that decide whether its response may be stored. */
export interface Asked extends RuleTimes {
  readonly headers: Headers
  /** It has a cookie that identifies the user, so it may belong to one user. */
  readonly hasIdentity: boolean
}

export type Verdict =
  | { readonly store: false /** A word or two for the detail in Cache-Status. */; readonly why: string }
  | {
      readonly store: true
      readonly lifetime: Lifetime
      /** The origin says explicitly that the response is for everybody. */
      readonly shared: boolean
    }

/** Statuses whose caching rules are implemented here (RFC 9111, section 5.2.2.3). */
const UNDERSTOOD: ReadonlySet<number> = new Set([302, 303, 307, 400, 500, 502, 503, 504])
/** Longest lifetime of an error. */
const LONGEST_NEGATIVE_MS = 300_000

const no = (why: string): Verdict => ({ store: false, why })
/** Whether a status is no error, or says that nothing is there (404, 410), which counts as a good response. */
const isGood = (status: number): boolean => status < 400 || status === 404 || status === 410

/** Whether a response may be stored by its fields (RFC 9111, section 3). Its body may still forbid it. */
export function judgeStorable(asked: Asked, received: Received, control: Control, policy: Policy): Verdict {
  const { status, headers } = received
  const { directives } = control
  const isUnderstood = isHeuristic(status) || UNDERSTOOD.has(status)
  // A 416 is about the Range of its request, which the key leaves out.
  if (status < 200 || status > 599 || status === 304 || status === 416) return no('status')
  if (directives.has('must-understand') ? !isUnderstood : directives.has('no-store')) return no('no-store')
  if (parseDirectives(asked.headers.get('cache-control')).has('no-store')) return no('request-no-store')
  if (isUnqualified(directives, 'private')) return no('private')
  const vary = varyNames(headers)
  if (!vary) return no('vary')
  const isOpen = directives.has('public') || directives.has('s-maxage')
  // These directives allow sharing the response to a request with Authorization (RFC 9111, section 3.5).
  const isGranted = asked.headers.has('authorization') && (isOpen || directives.has('must-revalidate'))
  if (asked.headers.has('authorization') && !isGranted) return no('authorization')
  if (/^text\/event-stream/i.test(headers.get('content-type') ?? '')) return no('stream')
  const negativeMs = asked.negativeMs?.(status)
  // The `ttl` of a rule does not apply to errors such as 401 or 500: `negative` is for these.
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
  // A response that can be neither used nor validated is not worth storing. `stale` ends what is stored, but a part says nothing of the whole.
  const isUsed =
    !isUnqualified(directives, 'no-cache') && (lifetime.ms || secondsOf(directives, 'stale-while-revalidate'))
  if (!isUsed && !hasValidator) return no(status === 206 ? 'no-freshness' : 'stale')
  const ms = status >= 400 ? Math.min(lifetime.ms, LONGEST_NEGATIVE_MS) : lifetime.ms
  return { store: true, lifetime: { ...lifetime, ms }, shared: isOpen || isGranted || control.targeted }
}
