/** A Worker with a cache and a limit. Needs UPSTASH_REDIS_REST_URL and UPSTASH_REDIS_REST_TOKEN. */
import { type Cache, createCache } from 'hither'
import { createRateLimiter, type RateLimiter, slidingLog } from 'hither/rate-limit'
import { fromEnv } from 'hither/upstash'

interface Env {
  readonly UPSTASH_REDIS_REST_URL: string
  readonly UPSTASH_REDIS_REST_TOKEN: string
}

/** Made once per isolate: they hold no connection and no data of a request. */
let made: { readonly cache: Cache; readonly limiter: RateLimiter } | undefined

function make(env: Env): NonNullable<typeof made> {
  const store = fromEnv(env)
  return {
    cache: createCache({ store, namespace: 'hello', ttl: '1m' }),
    limiter: createRateLimiter({ store, algorithm: slidingLog({ limit: 5, window: '10s' }), outage: 'open' }),
  }
}

const worker = {
  async fetch(request: Request, env: Env): Promise<Response> {
    made ??= make(env)
    const { success, retryAfterMs } = await made.limiter.limit(request.headers.get('cf-connecting-ip') ?? 'local')
    if (!success)
      return new Response('slow down', { status: 429, headers: { 'retry-after': `${Math.ceil(retryAfterMs / 1000)}` } })
    const cache = made.cache.with({ signal: request.signal })
    return Response.json(await cache.getOrSet('now', () => ({ computed: new Date() })))
  },
}
export default worker
