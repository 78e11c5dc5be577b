import { cacheResponse, type SessionVariables, session } from 'hither/hono'
import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { createSessions } from 'hither/session'
import { type Context, Hono } from 'hono'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'

interface Data {
  user?: string
}
type Variables = SessionVariables<Data>

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
})
afterEach(() => {
  vi.useRealTimers()
})
const wait = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

/** An application in which `/page` is answered by `handler`, with the session in front of a cache of the profile `full`, or behind it. */
function createApp(
  order: 'in front' | 'behind',
  handler: (c: Context<{ Variables: Variables }>) => Response | Promise<Response>,
) {
  const store = memoryStore()
  const sessions = createSessions<Data>({ store, secrets: [new Uint8Array(32).fill(7)] })
  const app = new Hono<{ Variables: Variables }>()
  const refresh = async (request: Request): Promise<Response> => app.fetch(request)
  const cache = createHttpCache({ store, profile: 'full' })
  const cached = cacheResponse({ cache, refresh })
  if (order === 'in front') app.use(session({ sessions }), cached)
  else app.use(cached, session({ sessions }))
  app.all('/page', handler)
  const ask = async (init: RequestInit = {}) => {
    const response = await app.request('https://a.example/page', init)
    const story = response.headers.get('cache-status') ?? ''
    const cookie = response.headers.getSetCookie()[0]?.split(';', 1)[0]
    return { status: response.status, cookie, body: await response.text(), isHit: story.includes('; hit'), story }
  }
  return { ask, cache }
}

describe.each(['in front', 'behind'] as const)('a page that changes the session, with session() %s', (order) => {
  it.each([
    { 'cache-control': 'public, max-age=60' },
    { 'cache-control': 'max-age=0', 'cdn-cache-control': 'max-age=60' },
    { 'cache-control': 'max-age=0', 'hither-cache-control': 'max-age=60' },
  ])('is not stored, and its cookie goes to its own visitor alone: %j', async (fields) => {
    let visitors = 0
    const { ask } = createApp(order, (c) => {
      c.var.session.set('user', `${++visitors}`)
      return c.text(`${visitors}`, 200, fields as Record<string, string>)
    })
    const seen = [await ask(), await ask()]
    expect(seen.map(({ body, isHit }) => [body, isHit])).toEqual([
      ['1', false],
      ['2', false],
    ])
    expect(new Set(seen.map(({ cookie }) => cookie)).size).toBe(2)
  })

  it('is not stored where its handler saves the session itself', async () => {
    let visitors = 0
    const { ask } = createApp(order, async (c) => {
      c.var.session.set('user', `${++visitors}`)
      await c.var.session.save()
      return c.text(`${visitors}`, 200, { 'cache-control': 'max-age=60' })
    })
    const seen = [await ask(), await ask()]
    expect(seen.map(({ body, isHit }) => [body, isHit])).toEqual([
      ['1', false],
      ['2', false],
    ])
    expect(new Set(seen.map(({ cookie }) => cookie)).size).toBe(2)
  })

  it('keeps its cookie out of what a 304 renews', async () => {
    let visitors = 0
    const { ask } = createApp(order, (c) => {
      if (visitors++ === 1) c.var.session.set('user', 'ada')
      const fields = { 'cache-control': 'public, max-age=60', etag: '"1"' }
      return c.req.header('if-none-match') ? c.body(null, 304, fields) : c.text('page', 200, fields)
    })
    expect((await ask()).cookie).toBeUndefined()
    wait(61_000)
    expect((await ask()).cookie).toContain('session')
    expect((await ask()).cookie).toBeUndefined()
  })

  it('is not stored when it is refreshed in the background', async () => {
    let visitors = 0
    const { ask, cache } = createApp(order, (c) => {
      if (visitors++ > 0) c.var.session.set('user', `${visitors}`)
      return c.text(`${visitors}`, 200, { 'cache-control': 'public, max-age=60, stale-while-revalidate=600' })
    })
    await ask()
    wait(61_000)
    const stale = await ask()
    await cache.flush()
    const next = await ask()
    expect([stale, next].map(({ body, cookie, isHit }) => [body, cookie === undefined, isHit])).toEqual([
      ['1', true, true],
      ['3', false, false],
    ])
  })
})

describe.each([
  ['the same request', { replaceRequest: false }],
  ['another request', {}],
] as const)('a page of an application mounted with %s, which changes its session', (_, mounting) => {
  it.each([
    ['200', '"no"'],
    ['304', '"1"'],
  ])('is not stored by the cache around it, nor is its cookie, with a %s', async (_status, tag) => {
    const store = memoryStore()
    const sessions = createSessions<Data>({ store, secrets: [new Uint8Array(32).fill(7)] })
    const cached = cacheResponse({ cache: createHttpCache({ store, profile: 'full' }) })
    let visitors = 0
    const inner = new Hono<{ Variables: Variables }>().use(session({ sessions }), cached).get('*', (c) => {
      if (++visitors === 2) c.var.session.set('user', 'ada')
      const fields = { 'cache-control': 'public, max-age=60', etag: '"1"' }
      const isKnown = c.req.header('if-none-match') === tag
      return isKnown ? c.body(null, 304, fields) : c.text(`${visitors}`, 200, fields)
    })
    const app = new Hono().use(cached).mount('/in', inner.fetch, mounting)
    const ask = async () => {
      const response = await app.request('https://a.example/in/page')
      return [await response.text(), response.headers.getSetCookie().length]
    }
    const isRenewed = tag === '"1"'
    expect(await ask()).toEqual(['1', 0])
    wait(61_000)
    expect(await ask()).toEqual([isRenewed ? '1' : '2', 1])
    expect(await ask()).toEqual([isRenewed ? '1' : '3', 0])
  })
})

it('the lifetimes of cacheResponse() are for no page that changes its session', async () => {
  const store = memoryStore()
  const sessions = createSessions<Data>({ store, secrets: [new Uint8Array(32).fill(7)] })
  const cache = createHttpCache({ store })
  const cached = cacheResponse({ cache, cacheControl: 's-maxage=60', cdnCacheControl: 'max-age=600' })
  const app = new Hono<{ Variables: Variables }>().use(session({ sessions }), cached).get('/page', (c) => {
    c.var.session.set('user', 'ada')
    return c.text('page', 200, { 'cache-control': 'max-age=0' })
  })
  const { headers } = await app.request('https://a.example/page')
  expect([headers.get('cache-control'), headers.get('cdn-cache-control')]).toEqual(['max-age=0', null])
})

it('a session that is changed after its middleware ran sets its cookie', async () => {
  const store = memoryStore()
  const sessions = createSessions<Data>({ store, secrets: [new Uint8Array(32).fill(7)] })
  const app = new Hono<{ Variables: Variables }>()
  app.use(cacheResponse({ cache: createHttpCache({ store }) }))
  app.use(async (c, next) => {
    await next()
    c.var.session.set('user', 'ada')
  })
  app.use(session({ sessions })).get('/page', (c) => c.text('page'))
  const { headers } = await app.request('https://a.example/page')
  expect(headers.getSetCookie()).toHaveLength(1)
})

describe('the cookie of a session in front of the cache is sent', () => {
  it('with a response by which middleware between them has replaced that of the cache', async () => {
    const store = memoryStore()
    const sessions = createSessions<Data>({ store, secrets: [new Uint8Array(32).fill(7)] })
    const app = new Hono<{ Variables: Variables }>().use(session({ sessions }))
    app.use(async (c, next) => {
      await next()
      c.res = undefined
      c.res = new Response('other')
    })
    app.use(cacheResponse({ cache: createHttpCache({ store }) })).get('/page', (c) => {
      c.var.session.set('user', 'ada')
      return c.text('page')
    })
    const response = await app.request('https://a.example/page')
    expect([await response.text(), response.headers.getSetCookie().length]).toEqual(['other', 1])
  })

  it('with the stored page that replaces an error', async () => {
    let isDown = false
    const { ask } = createApp('in front', (c) => {
      if (isDown) c.var.session.set('user', 'ada')
      return c.text('page', isDown ? 500 : 200, { 'cache-control': 'max-age=1, stale-if-error=600' })
    })
    await ask()
    isDown = true
    wait(2000)
    expect(await ask()).toMatchObject({ status: 200, body: 'page', cookie: expect.stringContaining('session') })
  })

  it('with the 304 of a client that has the page', async () => {
    let visitors = 0
    const { ask } = createApp('in front', (c) => {
      if (visitors++ > 0) c.var.session.set('user', 'ada')
      const fields = { 'cache-control': 'max-age=1', etag: '"1"' }
      return c.req.header('if-none-match') ? c.body(null, 304, fields) : c.text('page', 200, fields)
    })
    await ask()
    wait(2000)
    const headers = { 'if-none-match': '"1"' }
    expect(await ask({ headers })).toMatchObject({ status: 304, cookie: expect.stringContaining('session') })
  })
})

it('what was changed by a POST is dropped, though its session cannot be saved', async () => {
  let text = 'old'
  const { ask } = createApp('in front', (c) => {
    if (c.req.method === 'POST') {
      text = 'new'
      c.var.session.set('user', 'x'.repeat(2_000_000))
    }
    return c.text(text, 200, { 'cache-control': 'max-age=60' })
  })
  expect((await ask()).body).toBe('old')
  const failed = vi.spyOn(console, 'error').mockImplementation(() => {})
  expect((await ask({ method: 'POST' })).status).toBe(500)
  expect(failed).toHaveBeenCalledOnce()
  expect((await ask()).body).toBe('new')
})
