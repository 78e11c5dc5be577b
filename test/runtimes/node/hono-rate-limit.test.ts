import { request } from 'node:http'
import { serve } from '@hono/node-server'
import { rateLimit } from 'hither/hono'
import { memoryStore } from 'hither/memory'
import { createRateLimiter, slidingLog } from 'hither/rate-limit'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'

/** Sends a request from one address of the loopback network to another. Resolves to the status. */
function ask(port: number, host: string, localAddress: string, headers = {}): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request({ port, host, localAddress, headers, agent: false }, (response) =>
      resolve(response.resume().statusCode),
    )
    asked.once('error', reject).end()
  })
}

describe('rateLimit behind @hono/node-server', () => {
  it('tells clients apart by their sockets, one of them by both families as one', async () => {
    const limiter = createRateLimiter({
      store: memoryStore(),
      algorithm: slidingLog({ limit: 2, window: '1m' }),
      outage: 'closed',
    })
    const app = new Hono().use(rateLimit({ limiter })).get('/', (c) => c.text('ok'))
    // On a socket of both families, IPv4 addresses come mapped into IPv6.
    const server = serve({ fetch: app.fetch, port: 0, hostname: '::' })
    try {
      await new Promise((resolve) => server.once('listening', resolve))
      const { port } = server.address() as { port: number }
      const spoof = (i: number): object => ({
        'x-forwarded-for': `198.51.100.${i}`,
        'cf-connecting-ip': `198.51.100.${i}`,
      })
      const statuses = [
        await ask(port, '127.0.0.1', '127.0.0.1', spoof(1)),
        await ask(port, '127.0.0.1', '127.0.0.1', spoof(2)),
        await ask(port, '127.0.0.1', '127.0.0.1', spoof(3)),
        await ask(port, '127.0.0.1', '127.0.0.2'),
        await ask(port, '::1', '::1'),
      ]
      expect(statuses).toEqual([200, 200, 429, 200, 200])
      expect((await limiter.peek('127.0.0.1')).remaining).toBe(0)
      expect((await limiter.peek('::/64')).remaining).toBe(1)
    } finally {
      server.close()
    }
  })
})
