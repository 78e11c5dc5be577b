/**
 * A Worker over your own Redis. A Durable Object holds the connection and keeps it open between requests.
 * See wrangler.toml, and `npx wrangler secret put REDIS_URL`; for `wrangler dev`, `REDIS_URL=redis://127.0.0.1:6379` in `.dev.vars`.
 */
import { type Cache, createCache } from 'hither'
import { type ObjectNamespace, redisObjectStore } from 'hither/cloudflare'
import { createRateLimiter, type RateLimiter, slidingLog } from 'hither/rate-limit'

export { RedisObject } from 'hither/cloudflare'

interface Env {
  readonly REDIS_OBJECT: ObjectNamespace
}

/** Made once per isolate: they hold no connection and no data of a request. */
let made: { readonly cache: Cache; readonly limiter: RateLimiter } | undefined

function make(env: Env): NonNullable<typeof made> {
  const store = redisObjectStore(env.REDIS_OBJECT)
  return {
    cache: createCache({ store, namespace: 'worker-redis', ttl: '1m' }),
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
