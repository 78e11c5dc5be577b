import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Served, serveIn } from './serve.ts'

/** An application that limits by address. */
const app = `
import { rateLimit } from 'hither/hono'
import { memoryStore } from 'hither/memory'
import { createRateLimiter, slidingLog } from 'hither/rate-limit'
import { Hono } from 'hono'

const limiter = createRateLimiter({
  store: memoryStore(),
  algorithm: slidingLog({ limit: 2, window: '1m' }),
  outage: 'closed',
})
const app = new Hono().use(rateLimit({ limiter })).get('/', (c) => c.text('ok'))
`

describe.each(['bun', 'deno'] as const)('rateLimit on %s', (runtime) => {
  let served: Served
  beforeAll(async () => {
    served = await serveIn(runtime, app)
  }, 60_000)
  afterAll(() => served?.stop())

  const ask = (localAddress: string, headers = {}): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request({ port: served.port, host: '127.0.0.1', localAddress, headers, agent: false }, (response) =>
        resolve(response.resume().statusCode),
      )
        .once('error', reject)
        .end()
    })

  it('tells clients apart by their sockets, whatever their headers say', async () => {
    const statuses = []
    for (let i = 0; i < 3; i++) statuses.push(await ask('127.0.0.1', { 'x-forwarded-for': `198.51.100.${i}` }))
    statuses.push(await ask('127.0.0.2'))
    expect(statuses).toEqual([200, 200, 429, 200])
  })
})
