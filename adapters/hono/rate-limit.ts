import { HitherError } from 'hither'
import type { Decision, RateLimiter } from 'hither/rate-limit'
import type { Context, Env, MiddlewareHandler } from 'hono'
import { type AddressSource, clientAddress } from './address.ts'
import { type LimitHeaders, type Policy, setLimitHeaders, setRetryAfter } from './limit-headers.ts'

type Answer<T> = T | Promise<T>

/** What `rateLimit` adds to an application's environment. */
export interface RateLimitVariables {
  /** The decision on this request: of several limiters that which has least left, or refused. */
  rateLimit: Decision
}

export interface Limit<E extends Env = Env> {
  readonly limiter: RateLimiter
  /** Whom the limit counts. @default the client's address, from where `address` says */
  readonly key?: (c: Context<E>) => Answer<string>
  /** What a request takes: a whole number; 0 takes nothing. @default 1 */
  readonly cost?: number | ((c: Context<E>) => Answer<number>)
  /**
   * What a request is found to have taken, told from its response: more is taken on top, as far as it is there, less is
   * given back. A correction that the store does not take is dropped.
   */
  readonly finalCost?: (c: Context<E>) => Answer<number>
  /** How the headers name this limit: letters, digits, `-` and `_`. @default 'default' */
  readonly name?: string
  /** The limiter's window in seconds, for the headers. @default not told */
  readonly windowSeconds?: number
}

export interface RateLimitOptions<E extends Env = Env> extends Omit<Limit<E>, 'limiter'> {
  /**
   * One limiter, or several limits, asked in this order until one refuses: what the earlier ones took is then given back.
   * The options beside it hold for each limit that has none of its own. Several windows on one key are better one limiter
   * with several limits, which takes one step.
   */
  readonly limiter: RateLimiter | readonly Limit<E>[]
  /** Where the client's address is read, where there is no `key`. @default 'socket' */
  readonly address?: AddressSource
  /** Requests that are let through uncounted. */
  readonly skip?: (c: Context<E>) => Answer<boolean>
  /** The response for a request that is refused. The headers are added to it. @default 429, or 503, as problem+json */
  readonly onLimited?: (c: Context<E>, decision: Decision) => Answer<Response>
  /** @default 'standard' */
  readonly headers?: LimitHeaders
}

interface Taken {
  readonly limiter: RateLimiter
  readonly key: string
  readonly cost: number
}

/**
 * Middleware that asks a limiter before a request goes on. A refused one is answered with 429, or with 503 where the
 * store is away and the limiter's `outage` refuses; both with `Retry-After`. The decision is in `c.var.rateLimit`.
 *
 * Throws `INVALID_ARGUMENT` for options that make no sense. A request whose address is not known goes to the
 * application's error handler with `UNSUPPORTED`: no two clients ever share a key by accident.
 */
export function rateLimit<E extends Env = Env>(
  options: RateLimitOptions<E>,
): MiddlewareHandler<E & { Variables: RateLimitVariables }> {
  const { limiter, address = 'socket', skip, onLimited, headers = 'standard', ...common } = options
  const given = Array.isArray(limiter) ? (limiter as readonly Limit<E>[]) : [{ limiter: limiter as RateLimiter }]
  const limits = given.map((limit): Limit<E> => ({ ...common, ...limit }))
  if (limits.length === 0) throw invalid('limiter names none')
  if (!/^(standard|legacy|none)$/.test(headers)) throw invalid("headers is 'standard', 'legacy' or 'none'")
  const policies = limits.map(policyOf)
  if (new Set(policies.map(({ name }) => name)).size < limits.length)
    throw invalid('each of several limits needs a name')
  checkAddress(address)

  const keyOf = async (c: Context<E>, { key }: Limit<E>): Promise<string> => {
    if (key) return key(c)
    const found = clientAddress(c, address)
    if (found === undefined) throw new HitherError('UNSUPPORTED', NO_ADDRESS)
    return found
  }

  return async (context, next) => {
    const c = context as unknown as Context<E>
    if (await skip?.(c)) return next()
    const taken: Taken[] = []
    const decisions: Decision[] = []
    for (const limit of limits) {
      const key = await keyOf(c, limit)
      const cost = typeof limit.cost === 'function' ? await limit.cost(c) : (limit.cost ?? 1)
      const decision = await limit.limiter.limit(key, { cost })
      decisions.push(decision)
      if (!decision.success) break
      taken.push({ limiter: limit.limiter, key, cost })
    }
    const last = decisions.at(-1) as Decision
    const least = decisions.reduce((a, b) => (b.remaining < a.remaining ? b : a))
    context.set('rateLimit', last.success ? least : last)
    if (last.success) {
      await next()
      for (const [i, limit] of limits.entries()) {
        if (!limit.finalCost) continue
        decisions[i] = await correct(taken[i] as Taken, await limit.finalCost(c), decisions[i] as Decision)
      }
    } else {
      // What cannot be given back counts until its window ends; the answer is the same.
      await Promise.all(taken.map(({ limiter, key, cost }) => limiter.refund(key, cost).catch(() => {})))
      context.res = onLimited ? await onLimited(c, last) : problem(last, policies[decisions.length - 1] as Policy)
      setRetryAfter(context, last)
    }
    decisions.forEach((decision, i) => {
      setLimitHeaders(context, headers, policies[i] as Policy, decision)
    })
  }
}

/** Takes or gives back what the response shows; the decision as it stands then. */
async function correct({ limiter, key, cost }: Taken, final: number, decision: Decision): Promise<Decision> {
  const more = final - cost
  if (more === 0) return decision
  if (more < 0) {
    const done = await limiter.refund(key, -more).then(
      () => true,
      () => false,
    )
    return done ? { ...decision, remaining: Math.min(decision.limit, decision.remaining - more) } : decision
  }
  const further = await limiter.limit(key, { cost: more })
  if (further.success || further.remaining === 0) return { ...decision, remaining: further.remaining }
  const rest = await limiter.limit(key, { cost: further.remaining })
  return { ...decision, remaining: rest.remaining }
}

function problem({ reason, retryAfterMs }: Decision, { name }: Policy): Response {
  const away = reason === 'unavailable' || reason === 'timeout'
  const wait = Number.isFinite(retryAfterMs)
    ? `try again in ${Math.ceil(retryAfterMs / 1000)} s`
    : 'it asks for too much'
  const body = away
    ? { type: `${TYPES}temporary-reduced-capacity`, title: 'Requests cannot be counted now', status: 503, detail: wait }
    : {
        type: `${TYPES}quota-exceeded`,
        title: 'Too many requests',
        status: 429,
        detail: wait,
        'violated-policies': [name],
      }
  return new Response(JSON.stringify(body), {
    status: body.status,
    headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' },
  })
}

const TYPES = 'https://iana.org/assignments/http-problem-types#'
const NO_ADDRESS =
  "no client address here: tell rateLimit where it is (address: 'cloudflare', 'vercel' or { hops: n }), or give a key"

function policyOf<E extends Env>({ limiter, name = 'default', windowSeconds }: Limit<E>): Policy {
  if (typeof limiter?.limit !== 'function') throw invalid('limiter is made by createRateLimiter')
  if (!/^[\w-]+$/.test(name)) throw invalid('name is of letters, digits, - and _')
  if (windowSeconds !== undefined && !(Number.isSafeInteger(windowSeconds) && windowSeconds > 0)) {
    throw invalid('windowSeconds is a whole number above 0')
  }
  return { name, windowSeconds }
}

function checkAddress(address: AddressSource): void {
  const hops = typeof address === 'object' ? address.hops : 1
  const known = typeof address === 'object' || /^(socket|cloudflare|vercel)$/.test(address)
  if (!known || !(Number.isSafeInteger(hops) && hops > 0)) {
    throw invalid("address is 'socket', 'cloudflare', 'vercel' or { hops: n } with n above 0")
  }
}

function invalid(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}
