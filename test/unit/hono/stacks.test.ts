import type { AtomicStore } from 'hither'
import { cacheResponse, rateLimit, type SessionVariables, session } from 'hither/hono'
import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { createRateLimiter, fixedWindow } from 'hither/rate-limit'
import { createSessions } from 'hither/session'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { etag } from 'hono/etag'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { lengthOf, storeWithParts } from '../http/support.ts'

const URL_A = 'https://a.example/a'
const CONTROL = 'max-age=60, stale-while-revalidate=600'

const storyOf = (response: Response): string => response.headers.get('cache-status') ?? ''

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
})
afterEach(() => {
  vi.useRealTimers()
})
const wait = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

describe('cacheResponse with middleware of Hono behind it', () => {
  it('validates what compress() has made weak and etag() behind it names as strong', async ({ skip }) => {
    if (typeof CompressionStream === 'undefined') {
      console.log('skipped: compress() needs CompressionStream, which this runtime lacks')
      skip()
    }
    const app = new Hono()
    app.use(cacheResponse({ cache: createHttpCache({ store: memoryStore() }), cacheControl: 'max-age=60' }))
    app.use(compress(), etag())
    app.get('/a', (c) => c.text('x'.repeat(5000)))
    const ask = async (headers: Record<string, string> = {}) => {
      const response = await app.request(URL_A, { headers: { 'accept-encoding': 'gzip', ...headers } })
      await response.arrayBuffer()
      return response
    }
    const first = await ask()
    const tag = first.headers.get('etag') as string
    expect([tag.slice(0, 3), first.headers.get('content-encoding')]).toEqual(['W/"', 'gzip'])
    wait(61_000)
    const validated = await ask()
    expect([validated.status, validated.headers.get('etag')]).toEqual([200, tag])
    expect(storyOf(validated)).toBe('hither; fwd=stale; fwd-status=304; stored; ttl=60')
    expect(storyOf(await ask())).toBe('hither; hit; ttl=60')
    wait(61_000)
    expect([(await ask({ 'if-none-match': tag })).status, (await ask({ 'if-none-match': '"b"' })).status]).toEqual([
      304, 200,
    ])
  })

  it.each([
    ['bytes=0-', 0, 200, 900_000],
    ['bytes=600000-600009', 2, 200, 900_000],
    ['bytes=600000-600009', 0, 206, 10],
  ])(
    'asks for the whole body if the part that a client needs is gone: %s, part %i',
    async (range, part, ...expected) => {
      const { memory, store, parts } = storeWithParts()
      let calls = 0
      const app = new Hono()
      app.use(cacheResponse({ cache: createHttpCache({ store }), cacheControl: 'max-age=60' }), etag())
      app.get('/a', (c) => {
        calls++
        return c.text('x'.repeat(900_000))
      })
      expect(await lengthOf(await app.request(URL_A))).toBe(900_000)
      await memory.delete([parts[part] as string])
      wait(61_000)
      const response = await app.request(URL_A, { headers: { range, 'if-none-match': '"b"' } })
      expect([response.status, await lengthOf(response), calls]).toEqual([...expected, 2])
    },
  )

  it('sends the first part of a body also if the store fails once the handler is asked', async () => {
    let calls = 0
    const memory: AtomicStore = memoryStore()
    const failing: AtomicStore = {
      ...memory,
      getBytes: async (...all) => {
        if (calls === 2) throw new Error('down')
        return memory.getBytes?.(...all)
      },
    }
    const app = new Hono()
    app.use(cacheResponse({ cache: createHttpCache({ store: failing }), cacheControl: 'max-age=60' }), etag())
    app.get('/a', (c) => {
      calls++
      return c.text('x'.repeat(100_000))
    })
    expect(await lengthOf(await app.request(URL_A))).toBe(100_000)
    wait(61_000)
    const response = await app.request(URL_A)
    expect([response.status, await lengthOf(response), calls]).toEqual([200, 100_000, 2])
  })

  it('reads no part of a body for a client that has it', async () => {
    const memory: AtomicStore = memoryStore()
    let reads = 0
    const counting: AtomicStore = {
      ...memory,
      getBytes: async (...all) => {
        reads++
        return memory.getBytes?.(...all)
      },
    }
    const app = new Hono()
    app.use(cacheResponse({ cache: createHttpCache({ store: counting }), cacheControl: 'max-age=60' }), etag())
    app.get('/a', (c) => c.text('x'.repeat(100_000)))
    const first = await app.request(URL_A)
    expect(await lengthOf(first)).toBe(100_000)
    wait(61_000)
    const headers = { 'if-none-match': `"b", ${first.headers.get('etag')}` }
    const validated = await app.request(URL_A, { headers })
    expect([validated.status, storyOf(validated), reads]).toEqual([
      304,
      'hither; fwd=stale; fwd-status=304; stored; ttl=60',
      0,
    ])
    wait(61_000)
    const other = await app.request(URL_A, { headers: { 'if-none-match': '"b"' } })
    expect([other.status, await lengthOf(other), reads]).toEqual([200, 100_000, 1])
  })

  it.each([10, 100_000])(
    'gives a body of %i bytes no length that middleware in front would copy to another',
    async (length) => {
      const app = new Hono()
      app.use(async (c, next) => {
        await next()
        if (c.req.path === '/longer') c.res = new Response(`${await c.res.text()}!`, c.res)
        if (c.res.status === 404) c.res = c.redirect('/')
      })
      app.use(cacheResponse({ cache: createHttpCache({ store: memoryStore() }), cacheControl: 'max-age=60' }))
      app.get('/longer', (c) => c.text('x'.repeat(length)))
      app.get('/stated', (c) => c.body('x'.repeat(length), 200, { 'content-length': `${length}` }))
      app.notFound((c) => c.text('gone', 404))
      const ask = async (path: string) => {
        const response = await app.request(`https://a.example${path}`)
        return [await lengthOf(response), response.headers.get('content-length'), storyOf(response)]
      }
      for (const path of ['/longer', '/gone', '/stated']) await ask(path)
      expect(await ask('/longer')).toEqual([length + 1, null, 'hither; hit; ttl=60'])
      expect(await ask('/gone')).toEqual([0, null, 'hither; hit; ttl=60'])
      expect(await ask('/stated')).toEqual([length, `${length}`, 'hither; hit; ttl=60'])
    },
  )

  it.each(['4.6', 'now'])(
    'has c.text() state its Content-Type: Bun loses one that is not stated: Hono %s',
    async (hono) => {
      const app = new Hono()
      app.use(async (c, next) => {
        const { header } = c
        // In Hono 4.6 and 4.7 removing a field does nothing before one was set.
        let isAny = hono === 'now'
        c.header = (name, value, options) => {
          isAny ||= value !== undefined
          if (isAny) header(name, value, options)
        }
        await next()
      })
      app.use(cacheResponse({ cache: createHttpCache({ store: memoryStore() }), cacheControl: 'max-age=60' }))
      app.all('/a', (c) => c.text('abc'))
      for (const method of ['GET', 'GET', 'POST']) {
        const { headers } = await app.request(URL_A, { method })
        expect([headers.get('content-type'), headers.get('hither-none')]).toEqual(['text/plain; charset=UTF-8', null])
      }
    },
  )

  it('stores nothing where a handler has sent its response itself, by RESPONSE_ALREADY_SENT of Node', async () => {
    let calls = 0
    const app = new Hono()
    const cache = createHttpCache({ store: memoryStore(), profile: 'full' })
    app.use(cacheResponse({ cache, cacheControl: 'max-age=60', cdnCacheControl: 'max-age=60' }))
    app.get('/a', () => {
      calls++
      return new Response(null, { headers: { 'x-hono-already-sent': 'true' } })
    })
    for (let i = 0; i < 2; i++) expect((await app.request(URL_A)).headers.has('x-hono-already-sent')).toBe(true)
    expect(calls).toBe(2)
  })

  it.each([
    ['in front', true],
    ['behind', false],
  ])('stores nothing of a request that has changed its session, with session() %s', async (_, isInFront) => {
    const store = memoryStore()
    const sessions = createSessions<{ visit: number }>({ store, secrets: [new Uint8Array(32).fill(7)] })
    const cached = cacheResponse({ cache: createHttpCache({ store }), cacheControl: 'max-age=60' })
    const opened = session({ sessions })
    let calls = 0
    const app = new Hono<{ Variables: SessionVariables<{ visit: number }> }>()
    if (isInFront) app.use(opened, cached)
    else app.use(cached, opened)
    app.get('/form', (c) => {
      c.var.session.set('visit', ++calls)
      return c.text(`${calls}`)
    })
    app.get('/logout', async (c) => {
      await c.var.session.destroy()
      return c.text('bye')
    })
    app.get('/plain', (c) => c.text(`${++calls}`))
    const ask = async (path: string, headers: Record<string, string> = {}) => {
      const response = await app.request(`https://a.example${path}`, { headers })
      const cookies = response.headers.getSetCookie()
      return { body: await response.text(), cookies, says: response.headers.get('cache-control') }
    }
    const visits = [await ask('/form'), await ask('/form')]
    expect(visits.map(({ body, cookies, says }) => [body, cookies.length, says])).toEqual([
      ['1', 1, 'no-store'],
      ['2', 1, 'no-store'],
    ])
    const [cookie = ''] = visits[0]?.cookies ?? []
    expect((await ask('/logout', { cookie: cookie.split(';', 1)[0] as string })).cookies).toHaveLength(1)
    expect([(await ask('/plain')).body, (await ask('/plain')).body]).toEqual(['3', '3'])
  })

  it('asks its cache once also for an application that is mounted with the same request, and again for a request that is reused', async () => {
    const cached = cacheResponse({ cache: createHttpCache({ store: memoryStore() }), cacheControl: 'max-age=60' })
    let calls = 0
    const inner = new Hono().use(cached).get('/api/:id', (c) => c.text(`${++calls}`))
    const app = new Hono().use(cached).mount('/api', inner.fetch, { replaceRequest: false })
    const request = new Request('https://a.example/api/1')
    const stories: string[] = []
    for (let i = 0; i < 2; i++) {
      const response = await app.fetch(request)
      stories.push(storyOf(response))
      await response.text()
    }
    expect(stories).toEqual(['hither; fwd=uri-miss; fwd-status=200; stored', 'hither; hit; ttl=60'])
  })

  it('leaves the conditions of its client to middleware in front', async () => {
    const seen: (string | undefined)[] = []
    const app = new Hono()
    app.use(async (c, next) => {
      await next()
      seen.push(c.req.header('if-none-match'), c.req.header('range'))
    })
    app.use(cacheResponse({ cache: createHttpCache({ store: memoryStore() }), cacheControl: 'max-age=60' }), etag())
    app.get('/a', (c) => c.text('abc'))
    await (await app.request(URL_A)).text()
    wait(61_000)
    const part = await app.request(URL_A, { headers: { range: 'bytes=1-1' } })
    expect([part.status, await part.text(), ...seen]).toEqual([206, 'b', undefined, undefined, undefined, 'bytes=1-1'])
  })

  it('leaves the address of its client to rateLimit() behind it, as Bun knows it by the request: once validated, once refreshed', async () => {
    const store = memoryStore()
    const cached = (more = {}) => cacheResponse({ cache: createHttpCache({ store }), cacheControl: CONTROL, ...more })
    const limiter = createRateLimiter({ store, algorithm: fixedWindow({ limit: 9, window: '1h' }), outage: 'open' })
    let calls = 0
    const app = new Hono()
    app.use('/validated', cached())
    app.use('/refreshed', cached({ refresh: (request: Request) => app.fetch(request, bun) }))
    app.use(rateLimit({ limiter }))
    app.get('*', (c) => {
      calls++
      return c.text('abc', 200, { etag: '"a"' })
    })
    let client: Request | undefined
    const bun = { requestIP: (one: Request) => (one === client ? { address: '192.0.2.1' } : null) }
    for (const path of ['/validated', '/refreshed']) {
      for (let i = 0; i < 2; i++) {
        client = new Request(`https://a.example${path}`)
        const response = await app.fetch(client, bun)
        client = undefined
        expect([response.status, await response.text()]).toEqual([200, 'abc'])
        wait(61_000)
      }
    }
    await vi.waitFor(() => expect(calls).toBe(4))
  })
})
