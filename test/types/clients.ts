import { Redis as UpstashRedis } from '@upstash/redis'
import { type Cache, createCache } from 'hither'
import { type CacheVariables, cacheContext, type RateLimitVariables, rateLimit } from 'hither/hono'
import { connect, ioredisStore } from 'hither/ioredis'
import { createRateLimiter, type RateLimiter, slidingLog } from 'hither/rate-limit'
import { fromEnv, upstashStore } from 'hither/upstash'
import { type Context, Hono } from 'hono'
import type { Cluster, Redis } from 'ioredis'
import { typed } from './support.ts'

// Compiled by `npm run typecheck` and never run: each line below must compile, except those marked @ts-expect-error.

// connect() returns the client's own type, and a store can be made over it.
const client = await connect('redis://localhost')
typed<Redis | Cluster>()(client)
typed<Promise<string>>()(client.zincrby('board', 1, 'ada'))
typed<Promise<string | null>>()(client.get('key'))
ioredisStore(client)
typed<Redis>()(await connect('redis://localhost', { cluster: false }))
typed<Cluster>()(await connect(['redis://a', 'redis://b'], { cluster: true }))
// @ts-expect-error a command that does not exist
client.zincrbyx('board', 1, 'ada')

// A client of @upstash/redis of any version that may be installed: those before 1.34.3 have no sync token.
upstashStore({ client: new UpstashRedis({ url: 'https://x', token: 't' }) })
declare const older: { get(key: string): Promise<unknown>; createScript(script: string): object }
upstashStore({ client: older })
// @ts-expect-error a client of another library
upstashStore({ client })

// A helper whose parameter is a context of the application's environment fits both middlewares, in one chain.
interface Env {
  Bindings: { UPSTASH_REDIS_REST_URL: string; UPSTASH_REDIS_REST_TOKEN: string }
}
interface Parts {
  readonly cache: Cache
  readonly limiter: RateLimiter
}
let parts: Parts | undefined
function partsOf(c: Context<Env>): Parts {
  if (parts) return parts
  const store = fromEnv(c.env)
  const algorithm = slidingLog({ limit: 5, window: '10s' })
  parts = { cache: createCache({ store, ttl: '1m' }), limiter: createRateLimiter({ store, algorithm, outage: 'open' }) }
  return parts
}
const keyOf = (c: Context<Env>): string => c.req.header('x-api-key') ?? 'guest'

const app = new Hono<Env>()
  .use(cacheContext((c: Context<Env>) => partsOf(c).cache))
  .use(rateLimit({ limiter: (c: Context<Env>) => partsOf(c).limiter, key: keyOf }))
  .get('/', async (c) => {
    typed<number>()(c.var.rateLimit.remaining)
    typed<string>()(c.env.UPSTASH_REDIS_REST_URL)
    return c.json(await c.var.cache.getOrSet('now', () => ({ at: 1 })))
  })
void app
// The middlewares in the other order.
new Hono<Env>()
  .use(rateLimit({ limiter: (c: Context<Env>) => partsOf(c).limiter, key: keyOf }))
  .use(cacheContext((c: Context<Env>) => partsOf(c).cache))
  .get('/', (c) => c.json([c.var.rateLimit.limit, c.var.cache.stats().hits]))

// A helper that a handler calls takes the context with the variables that the middlewares have added.
type Full = Env & { Variables: CacheVariables<Cache> & RateLimitVariables }
const user = (c: Context<Full>, id: string): Promise<{ id: string }> =>
  c.var.cache.getOrSet(`user:${id}`, () => ({ id }))
new Hono<Full>()
  .use(cacheContext((c: Context<Full>) => partsOf(c as unknown as Context<Env>).cache))
  .get('/users/:id', async (c) => c.json(await user(c, c.req.param('id'))))
