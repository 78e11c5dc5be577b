import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import { type Options, rateLimit } from 'express-rate-limit'
import { type AtomicStore, isHitherError } from 'hither'
import { rateLimitStore } from 'hither/express-rate-limit'
import { ioredisStore } from 'hither/ioredis'
import { memoryStore } from 'hither/memory'
import { Hono } from 'hono'
import { rateLimiter } from 'hono-rate-limiter'
import { Cluster, Redis } from 'ioredis'
import { afterAll, describe, expect, it, vi } from 'vitest'

// Runs the real packages over each store.

const single = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const closers: (() => unknown)[] = []
afterAll(() => Promise.all(closers.map((close) => close())))

function over(client: Redis | Cluster): AtomicStore {
  closers.push(() => client.disconnect())
  return ioredisStore(client)
}
const stores: Record<string, () => AtomicStore> = {
  memory: () => memoryStore(),
  'Redis 7': () => over(new Redis(process.env.REDIS7_URL ?? '', single)),
  'Redis 8': () => over(new Redis(process.env.REDIS8_URL ?? '', single)),
  Valkey: () => over(new Redis(process.env.VALKEY_URL ?? '', single)),
  Cluster: () => {
    const nodes = (process.env.CLUSTER_NODES ?? '').split(',').map((node) => new URL(`redis://${node}`))
    return over(
      new Cluster(
        nodes.map(({ hostname, port }) => ({ host: hostname, port: Number(port) })),
        { enableOfflineQueue: false, retryDelayOnFailover: 0, redisOptions: { maxRetriesPerRequest: 0 } },
      ),
    )
  },
}
const away = (): AtomicStore => {
  const client = new Redis({ ...single, host: '127.0.0.1', port: 1, retryStrategy: () => null })
  client.on('error', () => {})
  return over(client)
}

let nth = 0
const prefix = (): string => `erl-${process.pid}-${Date.now()}-${nth++}:`

interface Served {
  ask(key?: string): Promise<Response>
}

async function expressWith(store: AtomicStore, space: string, options: Partial<Options> = {}): Promise<Served> {
  const app = express()
  app.use(
    rateLimit({
      windowMs: 60_000,
      limit: 10,
      store: rateLimitStore(store, { prefix: space }),
      keyGenerator: (request) => String(request.headers['x-key'] ?? 'k'),
      standardHeaders: 'draft-8',
      ...options,
    }),
  )
  app.get('/', (_, response) => void response.send('ok'))
  const failed: ErrorRequestHandler = (error, _, response, __) =>
    void response.status(500).send(isHitherError(error) ? error.code : String(error))
  app.use(failed)
  const server = app.listen(0, '127.0.0.1')
  closers.push(() => server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return { ask: (key = 'k') => fetch(url, { headers: { 'x-key': key } }) }
}

function honoWith(store: AtomicStore, space: string, options: object = {}): Promise<Served> {
  const app = new Hono()
    .use(
      rateLimiter({
        windowMs: 60_000,
        limit: 10,
        store: rateLimitStore(store, { prefix: space }),
        keyGenerator: (c) => c.req.header('x-key') ?? 'k',
        ...options,
      }),
    )
    .get('/', (c) => c.text('ok'))
    .onError((error, c) => c.text(isHitherError(error) ? error.code : String(error), 500))
  return Promise.resolve({ ask: async (key = 'k') => app.request('/', { headers: { 'x-key': key } }) })
}

const statuses = async (all: readonly Promise<Response>[]): Promise<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { status } of await Promise.all(all)) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

describe.each([
  ['express-rate-limit', expressWith],
  ['hono-rate-limiter', honoWith],
] as const)('%s', (_, serve) => {
  describe.each(Object.entries(stores))('over %s', (_, open) => {
    const store = open()
    it('lets through its limit of what two servers are asked in one moment', async () => {
      const space = prefix()
      const servers = [await serve(store, space), await serve(store, space)]
      const all = Array.from({ length: 50 }, (_, i) => (servers[i % 2] as Served).ask())
      expect(await statuses(all)).toEqual({ 200: 10, 429: 40 })
      expect((await (servers[0] as Served).ask('another')).status).toBe(200)
    })
    it('opens the next window when the first is over, whatever was asked meanwhile', async () => {
      const server = await serve(store, prefix(), { windowMs: 700, limit: 1 })
      expect((await server.ask()).status).toBe(200)
      let refused = 0
      const endMs = Date.now() + 10_000
      while ((await server.ask()).status === 429 && Date.now() < endMs) {
        refused++
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
      expect(refused).toBeGreaterThan(0)
      expect(Date.now()).toBeLessThan(endMs)
    })
    it('takes back what is not to count', async () => {
      const server = await serve(store, prefix(), { limit: 2, skipSuccessfulRequests: true })
      for (let i = 0; i < 5; i++) {
        expect((await server.ask()).status).toBe(200)
        await new Promise((resolve) => setTimeout(resolve, 20)) // the hit is taken back after the response
      }
    })
  })
  it('hands the error of a store that is away to the error handler, within its time', async () => {
    const response = await (await serve(away(), prefix())).ask()
    expect([response.status, await response.text()]).toEqual([500, 'STORE_UNAVAILABLE'])
  })
})

describe('rateLimitStore', () => {
  it('lets express-rate-limit pass requests while the store is away, where it is told to', async () => {
    const options = { passOnStoreError: true, logger: { error() {}, warn() {} } }
    const server = await expressWith(away(), prefix(), options)
    expect((await server.ask()).status).toBe(200)
  })
  it('takes one window: a second limiter with another throws, and moves none', async () => {
    const store = rateLimitStore(memoryStore(), { prefix: prefix() })
    const error = expect.objectContaining({ code: 'INVALID_ARGUMENT' })
    const limiterOf = (windowMs: number): unknown => rateLimiter({ windowMs, store, keyGenerator: () => 'k' })
    limiterOf(60_000)
    limiterOf(60_000)
    expect(() => limiterOf(3_600_000)).toThrow(error)
    expect(() => store.init({ windowMs: 1000 })).toThrow(error)
    // `express-rate-limit` catches an error that the store throws here, and logs it.
    const logged: unknown[] = []
    const logger = { error: (...all: unknown[]) => void logged.push(...all), warn() {} }
    rateLimit({ windowMs: 3_600_000, store, logger, validate: false })
    expect(logged).toContainEqual(error)
    const { resetTime } = await store.increment('k')
    expect(resetTime.getTime()).toBeLessThanOrEqual(Date.now() + 60_000)
  })
  it.each(Object.entries(stores))('counts what no limiter has written as nothing, over %s', async (_, open) => {
    const under = open()
    const space = prefix()
    for (const text of ['', 'x', '-5', '1.5', '1e3', ' 5', '99999999999999999999', '9223372036854775807', 'NaN']) {
      const store = rateLimitStore(under, { prefix: space })
      await under.set(`${space}k`, text)
      await store.decrement('k')
      expect([text, await store.get('k')]).toEqual([text, undefined])
      expect([text, (await store.increment('k')).totalHits]).toEqual([text, 1])
      expect([text, (await store.increment('k')).totalHits]).toEqual([text, 2])
    }
  })
  it.each(Object.entries(stores))('tells and resets one key, over %s', async (_, open) => {
    const store = rateLimitStore(open(), { prefix: prefix() })
    store.init({ windowMs: 60_000 })
    expect(await store.get('k')).toBe(undefined)
    await store.decrement('k')
    expect(await store.get('k')).toBe(undefined)
    const first = await store.increment('k')
    const second = await store.increment('k')
    expect([first.totalHits, second.totalHits]).toEqual([1, 2])
    for (const { resetTime } of [first, second]) {
      expect(Math.abs(resetTime.getTime() - Date.now() - 60_000)).toBeLessThan(10_000)
    }
    await store.decrement('k')
    expect((await store.get('k'))?.totalHits).toBe(1)
    await store.increment('other')
    await store.resetKey('k')
    expect(await store.get('k')).toBe(undefined)
    expect((await store.get('other'))?.totalHits).toBe(1)
    for (const key of ['x'.repeat(5000), '\ud800', '\udfff']) {
      await store.increment(key)
      expect((await store.increment(key)).totalHits).toBe(2)
    }
  })
  it("reports the end of a window by this machine's clock, whatever the store's says", async () => {
    for (const skewMs of [-7_200_000, 7_200_000]) {
      const store = memoryStore({ now: () => Date.now() + skewMs })
      const limits = rateLimitStore(store, { prefix: prefix() })
      const before = Date.now()
      for (const hit of [await limits.increment('k'), await limits.increment('k'), await limits.get('k')]) {
        const end = hit?.resetTime.getTime() as number
        expect(end >= before && end <= Date.now() + 60_000).toBe(true)
      }
      // The package takes no hit back once it holds that the window has ended.
      const space = prefix()
      const { ask } = await expressWith(store, space, { skipSuccessfulRequests: true })
      expect((await ask()).headers.get('ratelimit')).toMatch(/t=(60|59)$/)
      await vi.waitFor(async () => expect((await rateLimitStore(store, { prefix: space }).get('k'))?.totalHits).toBe(0))
    }
  })
  it('says whether counts stay in the process, and takes no window that is none', () => {
    expect(rateLimitStore(memoryStore())).toMatchObject({ localKeys: true, prefix: 'rl:' })
    expect(rateLimitStore(away())).toMatchObject({ localKeys: false })
    const refused = (code: string) => expect.objectContaining({ code })
    expect(() => rateLimitStore({} as AtomicStore)).toThrow(refused('UNSUPPORTED'))
    expect(() => rateLimitStore(memoryStore(), { timeoutMs: 0 })).toThrow(refused('INVALID_ARGUMENT'))
    expect(() => rateLimitStore(memoryStore()).init({ windowMs: Number.NaN })).toThrow('windowMs')
  })
})
