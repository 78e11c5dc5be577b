import { cacheResponse } from 'hither/hono'
import { createHttpCache, type HttpCacheOptions, purgeHandler } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { Hono } from 'hono'
import { etag } from 'hono/etag'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

const make = (options: Partial<HttpCacheOptions> = {}) => createHttpCache({ store: memoryStore(), ...options })
const base = 'https://a.example'
const storyOf = (response: Response): string => response.headers.get('cache-status') ?? ''

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
})
afterEach(() => {
  vi.useRealTimers()
})
const wait = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

describe('cacheResponse', () => {
  it('stores what handlers answer, with what it adds to their fields', async () => {
    const app = new Hono()
    let calls = 0
    const cache = make()
    app.use(
      cacheResponse({
        cache,
        cacheControl: 'max-age=60, public',
        cdnCacheControl: 'max-age=90',
        vary: 'X-A',
        tags: ['t1', 't2'],
      }),
    )
    app.get('/a', (c) => {
      calls++
      c.header('Cache-Control', 'max-age=5')
      c.header('X-Own', '1')
      return c.text(`${calls}`)
    })
    const first = await app.request(`${base}/a`)
    const names = ['cache-control', 'cdn-cache-control', 'vary', 'cache-tag', 'vercel-cache-tag', 'x-own']
    const fields = names.map((name) => first.headers.get(name))
    expect(fields).toEqual(['max-age=5, public', 'max-age=90', 'X-A', 't1, t2', 't1, t2', '1'])
    await first.text()
    const hit = await app.request(`${base}/a`)
    expect([await hit.text(), storyOf(hit), calls]).toEqual(['1', 'hither; hit; ttl=90', 1])
    expect(await (await app.request(`${base}/a`, { headers: { 'x-a': '1' } })).text()).toBe('2')
    await cache.purge({ tags: ['t2'] })
    expect(await (await app.request(`${base}/a`)).text()).toBe('3')
  })
  it('lets fields of the handler win: private stays private', async () => {
    const app = new Hono()
    let calls = 0
    app.use(cacheResponse({ cache: make(), cacheControl: 'max-age=60' }))
    app.get('/a', (c) => c.text(`${++calls}`, 200, { 'Cache-Control': 'private' }))
    for (let i = 1; i < 3; i++) expect(await (await app.request(`${base}/a`)).text()).toBe(`${i}`)
  })
  it('passes on the 304 of a handler to a client with a tag, where what is stored has none', async () => {
    const app = new Hono()
    app.use(cacheResponse({ cache: make(), cacheControl: 'max-age=60' }))
    app.get('/a', (c) => (c.req.header('if-none-match') ? c.body(null, 304, { etag: '"b"' }) : c.text('old')))
    await (await app.request(`${base}/a`)).text()
    wait(61_000)
    const answer = await app.request(`${base}/a`, { headers: { 'if-none-match': '"b"' } })
    expect([answer.status, answer.headers.get('etag')]).toEqual([304, '"b"'])
  })
  it.each([
    ['max-age=60', 200],
    ['max-age=60, must-revalidate', 502],
  ])('asks the next time without conditions after a 304 about another response: %s', async (cacheControl, status) => {
    const app = new Hono()
    let changed = Date.now() - 1000
    app.use(cacheResponse({ cache: make(), cacheControl }))
    app.get('/a', (c) => {
      c.header('Last-Modified', new Date(changed).toUTCString())
      const since = c.req.header('if-modified-since')
      return since && changed <= Date.parse(since) ? c.body(null, 304) : c.text(`${changed}`)
    })
    await (await app.request(`${base}/a`)).text()
    // An older version is deployed again.
    changed -= 3600_000
    wait(61_000)
    expect((await app.request(`${base}/a`)).status).toBe(status)
    const next = await app.request(`${base}/a`)
    expect([next.status, await next.text()]).toEqual([200, `${changed}`])
  })
  it('takes a cache per request, a key and statuses', async () => {
    const app = new Hono<{ Bindings: { cache: ReturnType<typeof make> } }>()
    let calls = 0
    const cached = cacheResponse<{ Bindings: { cache: ReturnType<typeof make> } }>({
      cache: { for: (c) => c.env.cache },
      cacheControl: 'max-age=60',
      keyGenerator: (c) => c.req.query('id') ?? '',
      cacheableStatusCodes: [200],
    })
    app.get('/a', cached, (c) => c.text(`${++calls}`, c.req.query('id') === 'none' ? 404 : 200))
    app.post('/a', cached, (c) => c.text('done'))
    const env = { cache: make({ profile: 'full' }) }
    const text = async (search: string, init?: RequestInit) =>
      (await app.request(`${base}/a${search}`, init, env)).text()
    expect([
      await text('?id=1'),
      await text('?id=1&utm=2'),
      await text('?id=2'),
      await text('?id=none'),
      await text('?id=none'),
    ]).toEqual(['1', '1', '2', '3', '4'])
    await text('?id=1', { method: 'POST' })
    expect(await text('?id=1')).toBe('5')
  })
  it('answers HEAD, ranges and conditions from a stored GET', async () => {
    const app = new Hono()
    let calls = 0
    app.use(cacheResponse({ cache: make(), cacheControl: 'max-age=60' }))
    app.use(etag())
    app.get('/a', (c) => c.text(`0123456789${++calls}`))
    const first = await app.request(`${base}/a`)
    await first.text()
    const tag = first.headers.get('etag') as string
    expect((await app.request(`${base}/a`, { headers: { 'if-none-match': tag } })).status).toBe(304)
    expect(await (await app.request(`${base}/a`, { headers: { range: 'bytes=2-3' } })).text()).toBe('23')
    const head = await app.request(`${base}/a`, { method: 'HEAD' })
    expect([await head.text(), head.headers.get('content-length'), calls]).toEqual(['', '11', 1])
    wait(61_000)
    const again = await app.request(`${base}/a`)
    expect([await again.text(), calls]).toEqual(['01234567892', 2])
  })
  it('validates with the handler’s own ETag, and keeps the body', async () => {
    const app = new Hono()
    let calls = 0
    app.use(cacheResponse({ cache: make(), cacheControl: 'max-age=60' }))
    app.get('/a', etag(), (c) => {
      calls++
      return c.text('same')
    })
    await (await app.request(`${base}/a`)).text()
    wait(61_000)
    const validated = await app.request(`${base}/a`)
    expect([validated.status, await validated.text(), calls]).toEqual([200, 'same', 2])
    expect(storyOf(validated)).toBe('hither; fwd=stale; fwd-status=304; stored; ttl=60')
  })
  it.each([
    [{}, [200, 301, 404, 410]],
    [{ cacheableStatusCodes: [200, 500] }, [200, 500]],
  ] as const)('tells no error to last, but those that may be stored: %j', async (options, lasting) => {
    const app = new Hono().use(
      cacheResponse({ cache: make(), cacheControl: 'max-age=60', cdnCacheControl: 'max-age=90', ...options }),
    )
    app.get('/:status', (c) => c.text('x', Number(c.req.param('status')) as 200, { location: '/x' }))
    app.onError((error, c) => c.text(error.message, 500))
    const told: number[] = []
    for (const status of [200, 301, 400, 401, 403, 404, 405, 410, 429, 500, 503]) {
      const { headers } = await app.request(`/${status}`)
      const fields = [headers.get('cache-control'), headers.get('cdn-cache-control')]
      if (fields.some(Boolean)) told.push(status)
      expect(fields).toEqual(told.includes(status) ? ['max-age=60', 'max-age=90'] : [null, null])
    }
    expect(told).toEqual(lasting)
  })
  it.each(['safe', 'full'] as const)(
    'tells no CDN, and not itself, to keep what a handler keeps from others, in %s',
    async (profile) => {
      const ask = async (control: string): Promise<string> => {
        const app = new Hono()
        let calls = 0
        app.use(cacheResponse({ cache: make({ profile }), cacheControl: 'public', cdnCacheControl: 'max-age=90' }))
        app.get('/a', (c) => c.text(`${++calls}`, 200, { 'Cache-Control': control }))
        await (await app.request(`${base}/a`)).text()
        const second = await app.request(`${base}/a`)
        return `${await second.text()} ${second.headers.get('cdn-cache-control')}`
      }
      for (const control of [
        'private',
        'no-store',
        'no-cache',
        'PRIVATE, max-age=60',
        'private="x-a"',
        'private; max-age=60',
        'max-age=60,no-cache="set-cookie"',
      ])
        expect([control, await ask(control)]).toEqual([control, expect.stringMatching(/ null$/)])
      for (const control of ['private', 'no-store', 'no-cache', 'PRIVATE, max-age=60', 'private; max-age=60'])
        expect([control, await ask(control)]).toEqual([control, '2 null'])
      for (const control of ['max-age=0, must-revalidate', 'x-private', 'public'])
        expect([control, await ask(control)]).toEqual([control, '1 max-age=90'])
    },
  )
  it('may keep from browsers alone what it tells CDNs to keep', async () => {
    const app = new Hono()
    app.use(cacheResponse({ cache: make(), cacheControl: 'no-cache', cdnCacheControl: 'max-age=90' }))
    app.get('/a', (c) => c.text('a'))
    const { headers } = await app.request(`${base}/a`)
    expect([headers.get('cache-control'), headers.get('cdn-cache-control')]).toEqual(['no-cache', 'max-age=90'])
  })
  it('gives no lifetime to what has Expires, nor to answers to other methods than GET and HEAD', async () => {
    const app = new Hono()
    app.use(
      cacheResponse({ cache: make(), cacheControl: 'max-age=60, s-maxage=60, public', cdnCacheControl: 'max-age=9' }),
    )
    app.get('/old', (c) => c.text('old', 200, { Expires: '0' }))
    app.all('/any', (c) => c.text('any'))
    expect((await app.request(`${base}/old`)).headers.get('cache-control')).toBe('public')
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'QUERY']) {
      const { headers } = await app.request(`${base}/any`, { method })
      const fields = [headers.get('cache-control'), headers.get('cdn-cache-control')]
      const isRead = method === 'GET' || method === 'HEAD'
      expect([method, ...fields]).toEqual([
        method,
        ...(isRead ? ['max-age=60, s-maxage=60, public', 'max-age=9'] : [null, null]),
      ])
    }
  })
  it('purges by tags of any text, which fields have as ASCII', async () => {
    for (const tag of ['Smith, John', '日本 語', 'é', ' a ', '\ud800', 'a\nb', '50%']) {
      const app = new Hono()
      let calls = 0
      const cache = make()
      app.use(cacheResponse({ cache, cacheControl: 'max-age=60', tags: () => [tag, 'other'] }))
      app.get('/a', (c) => c.text(`${++calls}`))
      const first = await app.request(`${base}/a`)
      expect(first.headers.get('cache-tag')).toMatch(/^[ -+\--~]+, other$/)
      const text = async () => (await app.request(`${base}/a`)).text()
      expect([tag, await first.text(), await text()]).toEqual([tag, '1', '1'])
      await cache.purge({ tags: [tag] })
      expect([tag, await text()]).toEqual([tag, '2'])
    }
  })
  it('asks a cache once for a request, however many of it are passed: each adds its fields and its tags', async () => {
    const app = new Hono()
    let calls = 0
    const cache = make({ collapseTimeout: '1h' })
    const other = make({ namespace: 'other', cacheStatus: 'other' })
    app.use(cacheResponse({ cache, tags: ['all'], vary: 'X-A' }))
    app.use(cacheResponse({ cache: other }))
    app.use('/a/*', cacheResponse({ cache, cacheControl: 'max-age=60', tags: ['a'], cacheableStatusCodes: [200] }))
    app.get('/a/:status', (c) => c.text(`${++calls}`, Number(c.req.param('status')) as 200))
    const ask = async (path: string): Promise<string> => {
      const response = await app.request(`${base}${path}`)
      return `${await response.text()} ${storyOf(response).replace(/^other[^,]*, /, '')}`
    }
    for (const tag of ['all', 'a']) {
      const body = `${calls + 1}`
      expect(await ask('/a/200')).toBe(`${body} hither; fwd=uri-miss; fwd-status=200; stored`)
      expect(await ask('/a/200')).toBe(`${body} hither; hit; ttl=60`)
      await Promise.all([other.clear(), cache.purge({ tags: [tag] })])
    }
    const before = calls
    for (let i = 1; i < 3; i++) expect(await ask('/a/404')).toMatch(new RegExp(`^${before + i} `))
  })
  it('stores nothing under a key that another middleware of the cache gives otherwise', async () => {
    const app = new Hono()
    let calls = 0
    const cache = make({ collapseTimeout: '1h' })
    app.use(cacheResponse({ cache, cacheControl: 'max-age=60' }))
    app.get('/a', cacheResponse({ cache, keyGenerator: (c) => c.req.header('x-tenant') ?? '' }), (c) =>
      c.text(`${++calls} for ${c.req.header('x-tenant')}`),
    )
    for (const [tenant, body] of [
      ['t', '1 for t'],
      ['u', '2 for u'],
    ]) {
      const response = await app.request(`${base}/a`, { headers: { 'x-tenant': tenant as string } })
      expect(await response.text()).toBe(body)
    }
  })
  it('leaves what is stored as it is where a handler’s own 304 says nothing of it', async () => {
    const app = new Hono()
    let calls = 0
    const cache = make()
    app.use(cacheResponse({ cache, cacheControl: 'max-age=60', vary: 'X-A', tags: ['t1'] }))
    app.get('/a', (c) => {
      calls++
      if (c.req.header('if-none-match') === '"e"') return c.body(null, 304, { ETag: '"e"' })
      return c.text('same', 200, { ETag: '"e"', Vary: 'X-B', 'Cache-Tag': 'own', 'Cache-Control': 'max-age=5' })
    })
    const ask = async (headers: Record<string, string> = {}) => app.request(`${base}/a`, { headers })
    await (await ask()).text()
    wait(6000)
    const { headers } = await ask()
    const fields = ['vary', 'cache-tag', 'cache-control'].map((name) => headers.get(name))
    expect([calls, ...fields]).toEqual([2, 'X-B, X-A', 'own, t1', 'max-age=5'])
    await (await ask({ 'x-b': '1' })).text()
    expect(calls).toBe(3)
    await cache.purge({ tags: ['own'] })
    await (await ask()).text()
    expect(calls).toBe(4)
  })
  it('refreshes in the background where it is told how, and before it answers where it is not', async () => {
    for (const told of [true, false]) {
      const app = new Hono()
      let calls = 0
      const cache = make()
      const refresh = told ? { refresh: (request: Request) => app.fetch(request) } : {}
      app.use(cacheResponse({ cache, cacheControl: 'max-age=10, stale-while-revalidate=60', ...refresh }))
      app.get('/a', (c) => c.text(`${++calls}`))
      await (await app.request(`${base}/a`)).text()
      wait(20_000)
      expect(await (await app.request(`${base}/a`)).text()).toBe(told ? '1' : '2')
      await cache.flush()
      expect([told, await (await app.request(`${base}/a`)).text()]).toEqual([told, '2'])
    }
  })
  it('stands in for a handler that throws, within stale-if-error', async () => {
    const app = new Hono()
    let broken = false
    app.use(cacheResponse({ cache: make(), cacheControl: 'max-age=10, stale-if-error=60' }))
    app.get('/a', (c) => {
      if (broken) throw new Error('broken')
      return c.text('good')
    })
    app.onError((_, c) => c.text('bad', 500))
    await (await app.request(`${base}/a`)).text()
    wait(20_000)
    broken = true
    expect(await (await app.request(`${base}/a`)).text()).toBe('good')
    wait(60_000)
    expect(await (await app.request(`${base}/a`)).text()).toBe('bad')
  })
  it('checks its options', () => {
    const cache = make()
    expect(() => cacheResponse({ cache, vary: '*' })).toThrow(/vary/)
    expect(() => cacheResponse({ cache, cacheName: 'x' } as never)).toThrow(/no option cacheName/)
    expect(() => cacheResponse({ cache: (() => {}) as never })).toThrow(/createHttpCache/)
    expect(() => cacheResponse(undefined as never)).toThrow(/object/)
    for (const [name, kinds] of Object.entries({
      cacheControl: [5, ['max-age=60']],
      cdnCacheControl: [{}],
      vary: [5, [5], null],
      tags: ['t', [5], null],
      keyGenerator: ['key'],
      cacheableStatusCodes: [200, ['200']],
      refresh: [true],
    }))
      for (const kind of kinds)
        expect(() => cacheResponse({ cache, [name]: kind })).toThrow(
          expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
        )
    cacheResponse({
      cache,
      vary: 'Accept, X-A',
      tags: () => ['t'],
      cacheableStatusCodes: [200],
      keyGenerator: () => 'k',
    })
  })
})

describe('purgeHandler', () => {
  const token = 'a-token-of-the-test'
  const post = (body: string, headers: Record<string, string> = { authorization: `Bearer ${token}` }): Request =>
    new Request(`${base}/purge`, { method: 'POST', body, headers })
  it('purges for whoever has a token', async () => {
    const purged: unknown[] = []
    const cache = make({ layers: [{ purge: (selection) => purged.push(selection) }] })
    const handle = purgeHandler(cache, { tokens: ['another-token-of-it', token] })
    expect((await handle(post('{"tags":["a"]}'))).status).toBe(204)
    expect(purged).toEqual([{ tags: ['a'] }])
    expect((await handle(post('{"url":"https://a.example/"}'))).status).toBe(204)
    const bad: [number, Request][] = [
      [401, post('{}', {})],
      [401, post('{}', { authorization: `Bearer ${token}x` })],
      [401, post('{}', { authorization: token })],
      [405, new Request(`${base}/purge`, { headers: { authorization: `Bearer ${token}` } })],
      [400, post('{')],
      [400, post('{}')],
      [400, post('{"tag":["a"]}')],
      [400, post('{"url":"/a"}')],
      [400, post('null')],
      [413, post(' '.repeat(65_537))],
    ]
    for (const [status, request] of bad) expect((await handle(request)).status).toBe(status)
    expect(purged.length).toBe(1)
    expect(() => purgeHandler(cache, { tokens: ['short'] })).toThrow(/16/)
    expect(() => purgeHandler(cache, { tokens: [] })).toThrow(/16/)
  })
  it('answers 503 where the store is down', async () => {
    const store = memoryStore()
    const handle = purgeHandler(make({ store }), { tokens: [token] })
    await store.close()
    expect((await handle(post('{"tags":["a"]}'))).status).toBe(503)
  })
})
