/** A Hono application that allows each key five requests in any ten seconds. */
import { rateLimit } from 'hither/hono'
import { memoryStore } from 'hither/memory'
import { createRateLimiter, slidingLog } from 'hither/rate-limit'
import { Hono } from 'hono'

const limiter = createRateLimiter({
  store: memoryStore(), // or tcpStore, ioredisStore, upstashStore
  algorithm: slidingLog({ limit: 5, window: '10s' }),
  outage: 'closed',
})

const app = new Hono()
  .use(rateLimit({ limiter, key: (c) => c.req.header('x-api-key') ?? 'guest' }))
  .get('/', (c) => c.text('hello'))

for (let i = 0; i < 6; i++) {
  const response = await app.request('/')
  console.log(response.status, response.headers.get('ratelimit'))
}
