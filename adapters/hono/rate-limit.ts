/**
 * Hono middleware over rate limiters. For each request it takes from the limits in order. If one refuses, or fails, it gives
 * back what the earlier ones took. If all allow the request, the handlers run, then `correct` takes the difference between
 * `finalCost` and `cost`. Last, each decision is written to the response headers.
 */
import { HitherError } from 'hither'
import type { Decision, LimitOptions, RateLimiter } from 'hither/rate-limit'
import type { Context, Env, MiddlewareHandler } from 'hono'
import { type AddressSource, checkPrefix, clientAddress, HEADERS } from './address.ts'
import { type LimitHeaders, type Policy, setLimitHeaders, setRetryAfter } from './limit-headers.ts'
import { stateTextType } from './text-type.ts'

type Answer<T> = T | Promise<T>

/** What `rateLimit` adds to an application's environment. */
export interface RateLimitVariables {
  /** The decision on this request. Of several limiters: the one that refused, else the one with the least remaining. */
  rateLimit: Decision
}

export interface Limit<E extends Env = Env> {
  /** The limiter, or a function that returns it for a request, such as from `c.env`. */
  readonly limiter: RateLimiter | ((c: Context<E>) => RateLimiter)
  /** Returns the key that is counted. @default the client's address, read as `address` says */
  readonly key?: (c: Context<E>) => Answer<string>
  /** How much a request takes: a whole number; 0 takes nothing. @default 1 */
  readonly cost?: number | ((c: Context<E>) => Answer<number>)
  /** Another limit for this request, such as that of a plan, in the form of `limiter.limit`. Undefined: the limiter's own. */
  readonly limit?: (c: Context<E>) => Answer<LimitOptions['limit']>
  /**
   * The actual cost of a request, known from its response. If it is more than `cost`, the rest is taken too, as far as the limit
   * allows. If it is less, the difference is given back, unless the window has ended meanwhile. Fractions are rounded up. A value
   * that is no number, or below 0, corrects nothing. Nothing is corrected when the store did not decide. A correction that fails
   * in the store is dropped.
   */
  readonly finalCost?: (c: Context<E>) => Answer<number>
  /** Name of this limit in the headers: letters, digits, `-` and `_`. @default 'default' */
  readonly name?: string
  /** The limiter's window in seconds, for the headers. @default left out */
  readonly windowSeconds?: number
}

export interface RateLimitOptions<E extends Env = Env> extends Omit<Limit<E>, 'limiter'> {
  /**
   * One limiter, or several limits. Several are asked in this order until one refuses; what the earlier ones took is then given
   * back. The options beside `limiter` apply to each limit that does not set them. For several windows on one key, use one
   * limiter with several limits: it takes one step.
   */
  readonly limiter: Limit<E>['limiter'] | readonly Limit<E>[]
  /** Where the client's address is read when there is no `key`. @default 'socket' */
  readonly address?: AddressSource
  /**
   * How many bits of an IPv6 address identify a client: 1 to 128. Providers give a subscriber a network with a prefix of 64, 56
   * or 48 bits. A subscriber with a larger network than this prefix gets a separate limit for each part of it. @default 64
   */
  readonly ipv6Prefix?: number
  /** Whether a request passes through uncounted. */
  readonly skip?: (c: Context<E>) => Answer<boolean>
  /** The response to a refused request. The headers are added to it. @default 429, or 503, as problem+json */
  readonly onLimited?: (c: Context<E>, decision: Decision) => Answer<Response>
  /** @default 'standard' */
  readonly headers?: LimitHeaders
}

interface Taken {
  readonly limiter: RateLimiter
  readonly key: string
  readonly cost: number
  readonly limit: LimitOptions['limit']
  readonly decision: Decision
}

const LIMIT: { readonly [K in keyof Limit]-?: 1 } = {
  limiter: 1,
  key: 1,
  cost: 1,
  limit: 1,
  finalCost: 1,
  name: 1,
  windowSeconds: 1,
}
const OPTIONS: { readonly [K in keyof RateLimitOptions]-?: 1 } = {
  ...LIMIT,
  address: 1,
  ipv6Prefix: 1,
  skip: 1,
  onLimited: 1,
  headers: 1,
}

/**
 * Middleware that asks a limiter before a request continues. A refused request gets 429, or 503 when the store is down and the
 * limiter's `outage` refuses; both with `Retry-After`. The decision is in `c.var.rateLimit`.
 *
 * Throws `INVALID_ARGUMENT` for options that make no sense. A request whose address is unknown goes to the application's error
 * handler with `UNSUPPORTED`, so that no two clients share a key by accident.
 */
export function rateLimit<E extends Env = Env>(
  options: RateLimitOptions<E>,
): MiddlewareHandler<E & { Variables: RateLimitVariables }> {
  checkNames('rateLimit', options, OPTIONS)
  const { limiter, address = 'socket', ipv6Prefix = 64, skip, onLimited, headers = 'standard', ...common } = options
  const given = Array.isArray(limiter)
    ? (limiter as readonly Limit<E>[])
    : [{ limiter: limiter as Limit<E>['limiter'] }]
  for (const limit of given) checkNames('a limit of rateLimit', limit, LIMIT)
  for (const one of [options, ...given] as readonly Partial<RateLimitOptions<E>>[]) checkFunctions(one)
  const limits = given.map((limit): Limit<E> => ({ ...common, ...limit }))
  if (limits.length === 0) throw invalid('limiter names none')
  if (!['standard', 'legacy', 'none'].includes(headers)) throw invalid("headers is 'standard', 'legacy' or 'none'")
  const policies = limits.map(policyOf)
  if (new Set(policies.map(({ name }) => name)).size < limits.length)
    throw invalid('each of several limits needs a name')
  checkAddress(address)
  checkPrefix(ipv6Prefix)

  const keyOf = async (c: Context<E>, { key }: Limit<E>): Promise<string> => {
    if (key) {
      const own = await key(c)
      if (typeof own === 'string' && own) return own
      throw invalid('key(c) of rateLimit answers text that is not empty')
    }
    const found = clientAddress(c, address, ipv6Prefix)
    if (found === undefined) throw new HitherError('UNSUPPORTED', noAddress(address))
    return found
  }

  return async (context, next) => {
    const c = context as unknown as Context<E>
    if (await skip?.(c)) return next()
    const taken: Taken[] = []
    const decisions: Decision[] = []
    // What cannot be given back counts until its window ends. The response is the same.
    const giveBack = (): Promise<unknown> =>
      Promise.all(
        taken.map(({ limiter, key, cost, decision }) => wasTaken(decision) && limiter.refund(key, cost).catch(nothing)),
      )
    try {
      for (const each of limits) {
        const key = await keyOf(c, each)
        const cost = typeof each.cost === 'function' ? await each.cost(c) : (each.cost ?? 1)
        const limit = await each.limit?.(c)
        const limiter = typeof each.limiter === 'function' ? each.limiter(c) : each.limiter
        const decision = await limiter.limit(key, { cost, ...(limit !== undefined && { limit }) })
        decisions.push(decision)
        if (!decision.success) break
        taken.push({ limiter, key, cost, limit, decision })
      }
    } catch (error) {
      await giveBack()
      throw error
    }
    const last = decisions.at(-1) as Decision
    const least = decisions.reduce((a, b) => (b.remaining < a.remaining ? b : a))
    context.set('rateLimit', last.success ? least : last)
    if (last.success) {
      stateTextType(c)
      await next()
      for (const [i, limit] of limits.entries()) {
        if (!limit.finalCost) continue
        decisions[i] = await correct(taken[i] as Taken, Math.ceil(await limit.finalCost(c)))
      }
    } else {
      await giveBack()
      context.res = onLimited ? await onLimited(c, last) : problem(last, policies[decisions.length - 1] as Policy)
      setRetryAfter(context, last)
    }
    decisions.forEach((decision, i) => {
      setLimitHeaders(context, headers, policies[i] as Policy, decision)
    })
  }
}

/** Takes more, or gives some back, so that `final` is what the request has taken. Resolves to the decision after that. */
async function correct({ limiter, key, cost, limit, decision }: Taken, final: number): Promise<Decision> {
  let more = final - cost
  if (!(Number.isSafeInteger(final) && final >= 0) || more === 0 || !wasTaken(decision)) return decision
  if (more < 0) {
    // The window has ended, and with it what this request took. A refund would go to the requests of the next window.
    if (Date.now() >= decision.reset) return decision
    const done = await limiter.refund(key, -more).then(
      () => true,
      () => false,
    )
    return done ? { ...decision, remaining: Math.min(decision.limit, decision.remaining - more) } : decision
  }
  for (;;) {
    const further = await limiter.limit(key, { cost: more, ...(limit !== undefined && { limit }) }).catch(nothing)
    if (!further || isAway(further)) return decision
    const { success, remaining } = further
    // `remaining` is that of one limit. Another limit of the same limiter may have less, so `more` may be refused again.
    if (success || remaining === 0 || remaining >= more) return { ...decision, remaining }
    more = remaining
  }
}

function isAway({ reason }: Decision): boolean {
  return reason === 'unavailable' || reason === 'timeout'
}

/** Whether the store is known to have counted the request. */
function wasTaken({ reason }: Decision): boolean {
  return reason === 'ok'
}

const nothing = (): void => {}

function problem(decision: Decision, { name }: Policy): Response {
  const { retryAfterMs } = decision
  const wait = Number.isFinite(retryAfterMs)
    ? `try again in ${Math.ceil(retryAfterMs / 1000)} s`
    : 'it asks for too much'
  const body = isAway(decision)
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

function noAddress(from: AddressSource): string {
  if (from === 'socket') {
    return "no client address here: tell rateLimit where it is (address: 'cloudflare', 'vercel' or { hops: n }), or give a key"
  }
  const where = typeof from === 'string' ? HEADERS[from] : `X-Forwarded-For, entry ${from.hops} from the right`
  return `no client address in ${where}: the request came another way than rateLimit was told`
}

function checkNames(what: string, given: object | undefined, known: object): void {
  if (typeof given !== 'object' || given === null) throw invalid(`${what} takes an object with a limiter`)
  for (const name of Object.keys(given)) if (!Object.hasOwn(known, name)) throw invalid(`${what} has no option ${name}`)
}

/** Throws `INVALID_ARGUMENT` for options of the wrong kind, which would otherwise fail at each request. */
function checkFunctions<E extends Env>({ cost, ...rest }: Partial<RateLimitOptions<E>>): void {
  for (const name of ['key', 'limit', 'finalCost', 'skip', 'onLimited'] as const)
    if (rest[name] !== undefined && typeof rest[name] !== 'function')
      throw invalid(`${name} is a function of a request`)
  const isCost = cost === undefined || typeof cost === 'function' || (Number.isSafeInteger(cost) && cost >= 0)
  if (!isCost) throw invalid('cost is a whole number, or a function of a request')
}

function policyOf<E extends Env>({ limiter, name = 'default', windowSeconds }: Limit<E>): Policy {
  if (typeof limiter !== 'function' && typeof limiter?.limit !== 'function')
    throw invalid('limiter is made by createRateLimiter, or a function that answers one')
  if (typeof name !== 'string' || !/^[\w-]+$/.test(name)) throw invalid('name is of letters, digits, - and _')
  if (windowSeconds !== undefined && !(Number.isSafeInteger(windowSeconds) && windowSeconds > 0)) {
    throw invalid('windowSeconds is a whole number above 0')
  }
  return { name, windowSeconds }
}

function checkAddress(address: AddressSource): void {
  const hops = typeof address === 'object' ? address?.hops : 1
  const known = typeof address === 'object' || ['socket', 'cloudflare', 'vercel'].includes(address)
  if (!known || !(Number.isSafeInteger(hops) && hops > 0)) {
    throw invalid("address is 'socket', 'cloudflare', 'vercel' or { hops: n } with n above 0")
  }
}

function invalid(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}
