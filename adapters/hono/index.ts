import { HitherError, type PlainCache } from 'hither'
import type { Context, Env, MiddlewareHandler } from 'hono'
import { waitUntilOf } from './wait-until.ts'

export { type AddressSource, addressKey, clientAddress } from './address.ts'
export { type CacheResponseOptions, cacheResponse } from './cache-response.ts'
export { type IdempotencyOptions, idempotency } from './idempotency.ts'
export type { LimitHeaders } from './limit-headers.ts'
export { type Limit, type RateLimitOptions, type RateLimitVariables, rateLimit } from './rate-limit.ts'
export { type SessionMiddlewareOptions, type SessionVariables, session } from './session.ts'

/** What `cacheContext` adds to an application's environment: `c.var.cache`. */
export interface CacheVariables<C extends PlainCache | PlainCache<'frozen'>> {
  cache: C
}

/**
 * Middleware that puts a view of a cache for this one request in `c.var.cache`. The calls of the view end when the client
 * disconnects. Work that continues after the response goes to the runtime's `waitUntil`, or to the cache's own `waitUntil` if the
 * runtime has none. The view opens no connection.
 *
 * `source` is the cache, or a function that returns it and is called once per request: on Workers `c.env` is known only then.
 * What the function throws goes to the application's error handler. Throws `INVALID_ARGUMENT` for any other `source`. Until the
 * middleware has run, `c.var.cache` is undefined.
 */
export function cacheContext<C extends PlainCache | PlainCache<'frozen'>, E extends Env = Env>(
  source: C | ((c: Context<E>) => C | Promise<C>),
): MiddlewareHandler<E & { Variables: CacheVariables<C> }> {
  if (typeof source !== 'function' && typeof source?.with !== 'function') {
    throw new HitherError(
      'INVALID_ARGUMENT',
      'cacheContext takes a cache of createCache, or a function that answers one',
    )
  }
  return async (c, next) => {
    const cache = typeof source === 'function' ? await source(c as unknown as Context<E>) : source
    const waitUntil = waitUntilOf(c)
    const view = (cache as PlainCache).with({ signal: c.req.raw.signal, ...(waitUntil ? { waitUntil } : {}) })
    c.set('cache', view as C)
    await next()
  }
}
