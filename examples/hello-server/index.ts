/**
 * A server with a cache and a limit, over Redis (`REDIS_URL`) or in memory. `PORT` is 3000 unless set; 0 takes a free one.
 * GET /users/7
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createCache } from 'hither'
import { memoryStore } from 'hither/memory'
import { createRateLimiter, slidingLog } from 'hither/rate-limit'
import { tcpStore } from 'hither/tcp'

const { REDIS_URL, PORT = '3000' } = process.env
const store = REDIS_URL ? tcpStore(REDIS_URL) : memoryStore()
const cache = createCache({ store, namespace: 'hello', ttl: '1m', grace: '1h', softTimeout: '200ms' })
const limiter = createRateLimiter({ store, algorithm: slidingLog({ limit: 10, window: '10s' }), outage: 'open' })

/** In place of a slow query. */
async function findUser(id: string): Promise<{ id: string; name: string; found: Date }> {
  await new Promise((resolve) => setTimeout(resolve, 200))
  return { id, name: 'Ada', found: new Date() }
}

const server = createServer(async (request, response) => {
  const send = (status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }
  try {
    const [, id] = /^\/users\/(\w+)$/.exec(request.url ?? '') ?? []
    if (!id) return send(404, { error: 'try /users/7' })
    const { success, retryAfterMs } = await limiter.limit(request.socket.remoteAddress ?? 'unknown')
    if (!success) return send(429, { error: 'too many requests', retryAfterMs })
    // Redis may hang: after this time the user is loaded without it.
    const view = cache.with({ deadline: Date.now() + 800 })
    send(200, await view.getOrSet(`user:${id}`, () => findUser(id), { onDeadline: 'load' }))
  } catch (error) {
    send(500, { error: 'it failed' })
    console.error(error)
  }
})
server.listen(Number(PORT), () => {
  console.log(`http://localhost:${(server.address() as AddressInfo).port}/users/7`)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => server.close(() => cache.close()))
}
