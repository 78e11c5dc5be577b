import { type AtomicStore, HitherError, isHitherError } from 'hither'
import { cacheContext, type RateLimitOptions, rateLimit } from 'hither/hono'
import { memoryStore } from 'hither/memory'
import { createRateLimiter, fixedWindow, type OutagePolicy, type RateLimiter, slidingLog } from 'hither/rate-limit'
import { type Env, Hono } from 'hono'
import { describe, expect, it } from 'vitest'

const limiterOf = (limit: number, store: AtomicStore = memoryStore(), outage: OutagePolicy = 'closed'): RateLimiter =>
  createRateLimiter({ store, algorithm: slidingLog({ limit, window: '1m' }), outage })

/** A store that is down: no real one could be stopped in every runtime. */
const away = (): AtomicStore => ({
  ...memoryStore(),
  run: () => Promise.reject(new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true })),
})

const errors: unknown[] = []
function appWith<E extends Env>(options: RateLimitOptions<E>) {
  return new Hono<E & { Variables: { handled: number } }>()
    .use(rateLimit<E>(options) as never)
    .get('/', (c) => c.text('ok'))
    .get('/raw', () => new Response('raw'))
    .get('/fail', () => {
      throw new Error('handler')
    })
    .onError((error, c) => {
      errors.push(error)
      return c.text(isHitherError(error) ? error.code : 'other', 500)
    })
}
const from = (address: string, headers: Record<string, string> = {}) =>
  [{ headers }, { incoming: { socket: { remoteAddress: address } } }] as const

describe('rateLimit', () => {
  it('limits each address, and answers the next request with 429 as problem+json', async () => {
    const app = appWith({ limiter: limiterOf(2), windowSeconds: 60 })
    for (const remaining of [1, 0]) {
      const response = await app.request('/', ...from('192.0.2.1'))
      expect(response.status).toBe(200)
      expect(response.headers.get('RateLimit-Policy')).toBe('"default";q=2;w=60')
      expect(response.headers.get('RateLimit')).toMatch(new RegExp(`^"default";r=${remaining};t=(59|60)$`))
      expect(response.headers.get('Retry-After')).toBe(null)
    }
    const refused = await app.request('/', ...from('::ffff:192.0.2.1', { 'x-forwarded-for': '198.51.100.1' }))
    expect(refused.status).toBe(429)
    expect(refused.headers.get('Content-Type')).toBe('application/problem+json')
    expect(refused.headers.get('Cache-Control')).toBe('no-store')
    expect(refused.headers.get('Retry-After')).toMatch(/^(59|60)$/)
    expect(refused.headers.get('RateLimit')).toMatch(/^"default";r=0;t=(59|60)$/)
    expect(await refused.json()).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Too many requests',
      status: 429,
      detail: expect.stringMatching(/^try again in (59|60) s$/),
      'violated-policies': ['default'],
    })
    expect((await app.request('/', ...from('192.0.2.2'))).status).toBe(200)
  })
  it('puts its headers on every response: a raw one, and that of the error handler', async () => {
    const app = appWith({ limiter: limiterOf(5), name: 'api' })
    expect((await app.request('/raw', ...from('192.0.2.1'))).headers.get('RateLimit')).toMatch(/^"api";r=4;t=\d+$/)
    const failed = await app.request('/fail', ...from('192.0.2.1'))
    expect([failed.status, failed.headers.get('RateLimit-Policy')]).toEqual([500, '"api";q=5'])
  })
  it('tells of it by the older three fields, or not at all', async () => {
    const legacy = await appWith({ limiter: limiterOf(5), headers: 'legacy' }).request('/', ...from('192.0.2.1'))
    expect(legacy.headers.get('RateLimit-Limit')).toBe('5')
    expect(legacy.headers.get('RateLimit-Remaining')).toBe('4')
    expect(legacy.headers.get('RateLimit-Reset')).toMatch(/^(59|60)$/)
    expect(legacy.headers.get('RateLimit')).toBe(null)
    const none = await appWith({ limiter: limiterOf(5), headers: 'none' }).request('/', ...from('192.0.2.1'))
    expect([...none.headers.keys()].filter((name) => name.startsWith('ratelimit'))).toEqual([])
  })
  it('sends a request whose address it does not know to the error handler, and counts nothing', async () => {
    const limiter = limiterOf(1)
    const response = await appWith({ limiter }).request('/', { headers: { 'x-forwarded-for': '192.0.2.1' } })
    expect([response.status, await response.text()]).toEqual([500, 'UNSUPPORTED'])
    expect(String(errors.at(-1))).toContain("address: 'cloudflare'")
    expect((await limiter.peek('192.0.2.1')).remaining).toBe(1)
  })
  it('counts a network of as many bits as it is told for one client', async () => {
    const status = async (options: { ipv6Prefix?: number }, ...clients: string[]): Promise<number[]> => {
      const app = appWith({ limiter: limiterOf(1), ...options })
      const all: number[] = []
      for (const client of clients) all.push((await app.request('/', ...from(client))).status)
      return all
    }
    const clients = ['2001:db8:0:1201::1', '2001:db8:0:12ff::1', '2001:db8:0:1300::1', '192.0.2.1', '192.0.2.2']
    expect(await status({}, ...clients)).toEqual([200, 200, 200, 200, 200])
    expect(await status({ ipv6Prefix: 56 }, ...clients)).toEqual([200, 429, 200, 200, 200])
    expect(await status({ ipv6Prefix: 48 }, ...clients)).toEqual([200, 429, 429, 200, 200])
    for (const ipv6Prefix of [0, 129, 4.5, '56'])
      expect(() => rateLimit({ limiter: limiterOf(1), ipv6Prefix: ipv6Prefix as number })).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
  })
  it('takes the key, the cost and what to skip from the request', async () => {
    const app = appWith({
      limiter: limiterOf(10),
      key: (c) => c.req.header('x-user') ?? 'guest',
      cost: async (c) => Number(c.req.query('cost') ?? 1),
      skip: (c) => c.req.header('x-skip') === '1',
    })
    const status = async (path: string, headers = {}): Promise<number> => (await app.request(path, { headers })).status
    expect(await status('/?cost=8')).toBe(200)
    expect(await status('/?cost=3')).toBe(429)
    expect(await status('/?cost=3', { 'x-skip': '1' })).toBe(200)
    expect(await status('/?cost=3', { 'x-user': 'ann' })).toBe(200)
    expect(await status('/?cost=2')).toBe(200)
    const never = await app.request('/?cost=11', { headers: { 'x-user': 'bob' } })
    expect([never.status, never.headers.get('Retry-After')]).toEqual([429, null])
    expect(await never.json()).toMatchObject({ detail: 'it asks for too much' })
  })
  it('takes or gives back what the response turns out to cost', async () => {
    const limiter = limiterOf(10)
    const app = new Hono()
      .use(rateLimit({ limiter, key: () => 'k', cost: 2, finalCost: (c) => Number(c.res.headers.get('x-cost')) }))
      .get('/:cost', (c) => c.body(null, 200, { 'x-cost': c.req.param('cost') }))
    const left = async (cost: number): Promise<[string | undefined, number]> => {
      const response = await app.request(`/${cost}`)
      return [/r=(\d+)/.exec(response.headers.get('RateLimit') ?? '')?.[1], (await limiter.peek('k')).remaining]
    }
    expect(await left(2)).toEqual(['8', 8])
    expect(await left(0)).toEqual(['8', 8])
    expect(await left(5)).toEqual(['3', 3])
    expect(await left(9)).toEqual(['0', 0]) // all that is left
    expect((await app.request('/0')).status).toBe(429)
  })
  it('takes on top what there is of several limits', async () => {
    const algorithm = slidingLog([
      { limit: 60, window: '1m' },
      { limit: 100, window: '1d' },
    ])
    const limiter = createRateLimiter({ store: memoryStore(), algorithm, outage: 'closed' })
    await limiter.limit('k', { cost: 50 })
    const app = new Hono()
      .use(rateLimit({ limiter, key: () => 'k', finalCost: () => 58 }))
      .get('/', (c) => c.text('ok'))
    expect((await app.request('/')).status).toBe(200)
    expect((await limiter.peek('k')).remaining).toBe(0)
  })
  it('gives back nothing where the window has ended, and corrects nothing by what is no cost', async () => {
    let passedMs = 0
    const limiter = createRateLimiter({
      store: memoryStore({ now: () => 1_790_000_000_000 + passedMs }),
      algorithm: slidingLog({ limit: 10, window: '1m' }),
      outage: 'closed',
    })
    let final: unknown = 0
    const app = new Hono()
      .use(rateLimit({ limiter, key: () => 'k', cost: 5, finalCost: () => final as number }))
      .get('/slow', async (c) => {
        passedMs += 60_001
        await limiter.limit('k', { cost: 8 })
        return c.text('ok')
      })
      .get('/', (c) => c.text('ok'))
    await app.request('/slow')
    expect((await limiter.peek('k')).remaining).toBe(2)
    for (final of [Number.NaN, Number.POSITIVE_INFINITY, -3, 'x', undefined]) {
      await limiter.reset('k')
      expect((await app.request('/')).status).toBe(200)
      expect((await limiter.peek('k')).remaining).toBe(5)
    }
    await limiter.reset('k')
    final = 5.5
    await app.request('/')
    expect((await limiter.peek('k')).remaining).toBe(4)
  })
  it('gives back what was taken alone, not what the store was away for', async () => {
    const store = memoryStore()
    const state = { away: false }
    const flaky: AtomicStore = {
      ...store,
      run: (...args) => (state.away ? away().run(...args) : store.run(...args)),
    }
    const limiter = limiterOf(10, flaky, 'open')
    await limiter.limit('k', { cost: 10 })
    const app = new Hono().use(rateLimit({ limiter, key: () => 'k', cost: 5, finalCost: () => 1 })).get('/', (c) => {
      state.away = false
      return c.text('ok')
    })
    state.away = true
    expect((await app.request('/')).status).toBe(200)
    expect((await limiter.peek('k')).remaining).toBe(0)
    const several = new Hono()
      .use(
        rateLimit({
          limiter: [
            {
              name: 'a',
              limiter: {
                ...limiter,
                limit: async (...args) => {
                  state.away = true
                  try {
                    return await limiter.limit(...args)
                  } finally {
                    state.away = false
                  }
                },
              },
              key: () => 'k',
            },
            { name: 'b', limiter: limiterOf(1), key: () => 'k', cost: 2 },
          ],
        }),
      )
      .get('/', (c) => c.text('ok'))
    expect((await several.request('/')).status).toBe(429)
    expect((await limiter.peek('k')).remaining).toBe(0)
  })
  it('gives back what was taken before a limit that throws', async () => {
    const first = limiterOf(5)
    const app = appWith({
      limiter: [
        { name: 'first', limiter: first, key: () => 'k' },
        { name: 'second', limiter: limiterOf(5), key: () => '' },
      ],
    })
    expect(await (await app.request('/')).text()).toBe('INVALID_ARGUMENT')
    expect(String(errors.at(-1))).toContain('key(c)')
    expect((await first.peek('k')).remaining).toBe(5)
  })
  it('takes the limiter and the plan from the request', async () => {
    const limiters: Record<string, RateLimiter> = { one: limiterOf(2), two: limiterOf(2) }
    const app = new Hono<{ Bindings: { name: string; plan?: number } }>()
      .use(
        rateLimit<{ Bindings: { name: string; plan?: number } }>({
          limiter: (c) => limiters[c.env.name] as RateLimiter,
          key: () => 'k',
          limit: (c) => c.env.plan,
        }),
      )
      .get('/', (c) => c.text(`${c.var.rateLimit.limit} ${c.var.rateLimit.remaining}`))
    const ask = async (env: { name: string; plan?: number }) => (await app.request('/', {}, env)).text()
    expect(await ask({ name: 'one' })).toBe('2 1')
    expect(await ask({ name: 'two' })).toBe('2 1')
    expect(await ask({ name: 'one', plan: 9 })).toBe('9 7')
  })
  it('says which header had no address', async () => {
    for (const [address, where] of [
      ['cloudflare', 'cf-connecting-ip'],
      [{ hops: 2 }, 'X-Forwarded-For, entry 2 from the right'],
    ] as const) {
      await appWith({ limiter: limiterOf(1), address }).request(
        '/',
        ...from('192.0.2.1', { 'x-forwarded-for': '192.0.2.1' }),
      )
      expect(String(errors.at(-1))).toContain(where)
    }
  })
  it('asks several limits in order; a refusal gives back what the earlier ones took', async () => {
    const [address, user] = [limiterOf(5), limiterOf(2)]
    const app = appWith({
      limiter: [
        { limiter: address, name: 'address', windowSeconds: 60 },
        { limiter: user, name: 'user', key: (c) => c.req.header('x-user') ?? 'guest' },
      ],
    })
    const ask = () => app.request('/', ...from('192.0.2.1', { 'x-user': 'ann' }))
    const first = await ask()
    expect(first.headers.get('RateLimit-Policy')).toBe('"address";q=5;w=60, "user";q=2')
    expect(first.headers.get('RateLimit')).toMatch(/^"address";r=4;t=\d+, "user";r=1;t=\d+$/)
    await ask()
    const refused = await ask()
    expect(refused.status).toBe(429)
    expect(await refused.json()).toMatchObject({ 'violated-policies': ['user'] })
    expect((await address.peek('192.0.2.1')).remaining).toBe(3)
  })
  it('lets the application answer, with the headers added', async () => {
    const app = appWith({
      limiter: limiterOf(1),
      onLimited: (c, { retryAfterMs }) => c.html(`<p>${retryAfterMs > 0 ? 'later' : ''}`, 420 as never),
    })
    await app.request('/', ...from('192.0.2.1'))
    const response = await app.request('/', ...from('192.0.2.1'))
    expect([response.status, await response.text()]).toEqual([420, '<p>later'])
    expect(response.headers.get('Retry-After')).toMatch(/^\d+$/)
    expect(response.headers.get('RateLimit')).toContain('r=0')
  })
  it('shows the decision to handlers: the tightest of several', async () => {
    const app = new Hono()
      .use(rateLimit({ limiter: [{ limiter: limiterOf(5) }, { limiter: limiterOf(2), name: 'b' }], key: () => 'k' }))
      .get('/', (c) => c.json(c.var.rateLimit))
    expect(await (await app.request('/')).json()).toMatchObject({ success: true, limit: 2, remaining: 1, reason: 'ok' })
  })
  it('answers 503 with Retry-After where the store is away and the limiter refuses, and tells no numbers', async () => {
    const response = await appWith({ limiter: limiterOf(5, away()) }).request('/', ...from('192.0.2.1'))
    expect(response.status).toBe(503)
    expect(response.headers.get('Retry-After')).toBe('1')
    expect(response.headers.get('RateLimit')).toBe(null)
    expect(await response.json()).toMatchObject({
      type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
      status: 503,
    })
  })
  it.each<[OutagePolicy, number[]]>([
    ['open', [200, 200, 200]],
    [{ local: 2 }, [200, 200, 503]],
  ])('follows the outage policy %o', async (outage, statuses) => {
    const app = appWith({ limiter: limiterOf(5, away(), outage) })
    const seen: number[] = []
    for (const _ of statuses) {
      const response = await app.request('/', ...from('192.0.2.1'))
      seen.push(response.status)
      expect(response.headers.get('RateLimit')).toBe(null)
    }
    expect(seen).toEqual(statuses)
  })
  it('keeps the response when a correction does not arrive', async () => {
    const limiter: RateLimiter = {
      ...limiterOf(5),
      refund: () => Promise.reject(new HitherError('STORE_UNAVAILABLE', 'away')),
    }
    const app = new Hono().use(rateLimit({ limiter, key: () => 'k', finalCost: () => 0 })).get('/', (c) => c.text('ok'))
    const response = await app.request('/')
    expect([response.status, response.headers.get('RateLimit')?.slice(0, 13)]).toEqual([200, '"default";r=4'])
  })
  it('keeps the response when the store was closed while the handler ran', async () => {
    const store = memoryStore()
    const limiter = createRateLimiter({ store, algorithm: fixedWindow({ limit: 5, window: '1m' }), outage: 'open' })
    const app = new Hono().use(rateLimit({ limiter, key: () => 'k', finalCost: () => 3 })).get('/', async (c) => {
      await store.close()
      return c.text('ok')
    })
    const response = await app.request('/')
    expect([response.status, response.headers.get('RateLimit')?.slice(0, 13)]).toEqual([200, '"default";r=4'])
  })
  it('decides on requests of one moment one after the other', async () => {
    const app = appWith({ limiter: limiterOf(10) })
    const all = await Promise.all(Array.from({ length: 50 }, () => app.request('/', ...from('192.0.2.1'))))
    expect(all.filter(({ status }) => status === 200)).toHaveLength(10)
  })
  it('spoofed headers change no key, without trust and with it', async () => {
    const spoofed = (i: number): Record<string, string> => ({
      'x-forwarded-for': `203.0.113.${i}, 198.51.100.7`,
      'x-real-ip': `203.0.113.${i}`,
      'cf-connecting-ip': `203.0.113.${i}`,
      forwarded: `for=203.0.113.${i}`,
    })
    for (const address of ['socket', { hops: 1 }] as const) {
      const app = appWith({ limiter: limiterOf(100), address })
      let left = ''
      for (let i = 0; i < 100; i++) {
        left = (await app.request('/', ...from('192.0.2.1', spoofed(i)))).headers.get('RateLimit') ?? ''
      }
      expect(left).toContain('r=0')
    }
  })
  it('works with any algorithm, beside other middleware', async () => {
    const limiter = createRateLimiter({
      store: memoryStore(),
      algorithm: fixedWindow([
        { limit: 3, window: '1m' },
        { limit: 2, window: '1h' },
      ]),
      outage: 'open',
    })
    const app = new Hono()
      .use(rateLimit({ limiter, key: () => 'k' }))
      .use(rateLimit({ limiter: limiterOf(9), key: () => 'k', name: 'inner' }))
      .get('/', (c) => c.text('ok'))
    const response = await app.request('/')
    expect(response.headers.get('RateLimit-Policy')).toBe('"inner";q=9, "default";q=2')
    expect(cacheContext).toBeTypeOf('function')
  })
  it.each<[string, object]>([
    ['no limiter', { limiter: {} }],
    ['a list with none', { limiter: [{}] }],
    ['no limit at all', { limiter: [] }],
    ['two limits without names', { limiter: [{ limiter: limiterOf(1) }, { limiter: limiterOf(1) }] }],
    ['a name with a quote', { limiter: limiterOf(1), name: 'a"' }],
    ['half a second', { limiter: limiterOf(1), windowSeconds: 0.5 }],
    ['an unknown platform', { limiter: limiterOf(1), address: 'proxy' }],
    ['no hop', { limiter: limiterOf(1), address: { hops: 0 } }],
    ['an option that does not exist', { limiter: limiterOf(1), adress: 'socket' }],
    ['such an option of one of several', { limiter: [{ limiter: limiterOf(1), skip: () => true }] }],
    ['an address of null', { limiter: limiterOf(1), address: null }],
    ['unknown headers', { limiter: limiterOf(1), headers: 'draft-99' }],
  ])('throws at once for %s', (_, options) => {
    expect(() => rateLimit(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
