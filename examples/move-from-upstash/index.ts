/** In place of `@upstash/redis` and `@upstash/ratelimit`: the same environment, one store for both. */
import { createCache } from 'hither'
import { createRateLimiter, slidingLog } from 'hither/rate-limit'
import { fromEnv } from 'hither/upstash'

const store = fromEnv(process.env)
const cache = createCache({ store, namespace: 'moved', ttl: '1m' })
const limiter = createRateLimiter({ store, algorithm: slidingLog({ limit: 10, window: '10s' }), outage: 'open' })

export async function user(id: number): Promise<{ id: number; since: Date } | undefined> {
  const { success } = await limiter.limit(`user:${id}`)
  return success ? cache.getOrSet(`user:${id}`, () => ({ id, since: new Date(0) })) : undefined
}

const first = await user(7)
const second = await user(7)
console.log(first?.since instanceof Date, second?.since instanceof Date) // a Date on the miss, a Date on the hit
await cache.clear()
await cache.close()
