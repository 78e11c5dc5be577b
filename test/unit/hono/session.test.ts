import { session } from 'hither/hono'
import { memoryStore } from 'hither/memory'
import { createSessions } from 'hither/session'
import { brokenStore } from 'hither/testing'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'

interface Data {
  user?: number
}
const secrets = [crypto.getRandomValues(new Uint8Array(32))]
const make = () => createSessions<Data>({ store: memoryStore(), secrets })
const cookieOf = (response: Response): string => response.headers.get('set-cookie')?.split(';')[0] ?? ''

const application = (sessions = make()) =>
  new Hono()
    .use(session({ sessions }))
    .get('/', (c) => c.json({ user: c.var.session.get('user') ?? null }))
    .post('/login', async (c) => {
      await c.var.session.rotate()
      c.var.session.set('user', 7)
      return c.text('in')
    })
    .post('/logout', async (c) => {
      await c.var.session.destroy()
      return c.text('out')
    })
    .post('/fail', (c) => {
      c.var.session.set('user', 9)
      throw new Error('handler')
    })
    .get('/cached', (c) => {
      c.var.session.set('user', 8)
      return c.text('x', 200, { 'cache-control': 'private, max-age=5' })
    })

describe('session of hither/hono', () => {
  it('opens, saves once, and sends a cookie that no cache keeps', async () => {
    const app = application()
    const first = await app.request('https://a.example/')
    expect([await first.json(), first.headers.get('set-cookie'), first.headers.get('cache-control')]).toEqual([
      { user: null },
      null,
      null,
    ])
    const login = await app.request('https://a.example/login', { method: 'POST' })
    expect(login.headers.get('cache-control')).toBe('no-store')
    const cookie = cookieOf(login)
    const second = await app.request('https://a.example/', { headers: { cookie } })
    expect([await second.json(), second.headers.get('set-cookie')]).toEqual([{ user: 7 }, null])
    const logout = await app.request('https://a.example/logout', { method: 'POST', headers: { cookie } })
    expect(logout.headers.get('set-cookie')).toContain('Max-Age=0')
    const third = await app.request('https://a.example/', { headers: { cookie } })
    expect(await third.json()).toEqual({ user: null })
  })
  it('opens one session for a request that passes it twice', async () => {
    const store = memoryStore()
    let reads = 0
    const get: typeof store.get = (key, call) => {
      reads++
      return store.get(key, call)
    }
    const sessions = createSessions<Record<string, number>>({ store: { ...store, get }, secrets })
    const others = createSessions<Record<string, number>>({ store, secrets, cookie: { name: 'other' } })
    const api = new Hono()
      .use(session({ sessions: () => sessions }))
      .get('/', (c) => {
        c.var.session.set('inner', 2)
        return c.json([c.var.session.get('outer'), c.var.session.get('inner')])
      })
      .get('/other', session({ sessions: others }), (c) => {
        c.var.session.set('other', 3)
        return c.text('x')
      })
    const app = new Hono()
      .use(session({ sessions }))
      .use(async (c, next) => {
        c.var.session.set('outer', 1)
        await next()
      })
      .route('/api', api)
    const first = await app.request('https://a.example/api')
    const cookie = cookieOf(first)
    expect([await first.json(), first.headers.getSetCookie().length]).toEqual([[1, 2], 1])
    await app.request('https://a.example/api', { headers: { cookie } })
    expect(reads).toBe(1)
    const opened = await sessions.open({ headers: new Headers({ cookie }) })
    expect([opened.get('outer'), opened.get('inner')]).toEqual([1, 2])
    const other = await app.request('https://a.example/api/other')
    expect(other.headers.getSetCookie().map((value) => value.split('=')[0])).toEqual(['__Host-other', '__Host-session'])
  })
  it('opens and saves by the deadline of its request, asked for once', async () => {
    const store = memoryStore()
    const deadlines: unknown[] = []
    const run: typeof store.run = (operation, key, args, call) => {
      deadlines.push(call?.deadline)
      return store.run(operation, key, args, call)
    }
    const get: typeof store.get = (key, call) => {
      deadlines.push(call?.deadline)
      return store.get(key, call)
    }
    const until = Date.now() + 60_000
    let asked = 0
    const app = new Hono()
      .use(
        session({
          sessions: createSessions<Data>({ store: { ...store, get, run }, secrets }),
          deadline: () => until + asked++,
        }),
      )
      .get('/', (c) => {
        c.var.session.set('user', (c.var.session.get('user') ?? 0) + 1)
        return c.text('x')
      })
    const cookie = cookieOf(await app.request('https://a.example/'))
    expect(new Set(deadlines.splice(0))).toEqual(new Set([until]))
    await app.request('https://a.example/', { headers: { cookie } })
    expect(deadlines).toHaveLength(2) // read, then saved
    expect(new Set(deadlines)).toEqual(new Set([until + 1]))
  })
  it('leaves a Cache-Control of the handler, and saves after one that threw', async () => {
    const app = application()
    const cached = await app.request('https://a.example/cached')
    expect(cached.headers.get('cache-control')).toBe('private, max-age=5')
    app.onError((error, c) => c.text(error.message, 500))
    const failed = await app.request('https://a.example/fail', { method: 'POST' })
    expect([failed.status, await failed.text()]).toEqual([500, 'handler'])
    const next = await app.request('https://a.example/', { headers: { cookie: cookieOf(failed) } })
    expect(await next.json()).toEqual({ user: 9 })
  })
  it('sends the cookie of a save() of the handler, once', async () => {
    const app = application()
      .post('/save', async (c) => {
        await c.var.session.rotate()
        c.var.session.set('user', (c.var.session.get('user') ?? 0) + 1)
        await c.var.session.save()
        return c.redirect('/')
      })
      .post('/own', async (c) => {
        c.var.session.set('user', 5)
        c.header('set-cookie', await c.var.session.save())
        return c.text('x')
      })
      .post('/short', async (c) => {
        c.var.session.set('user', 5)
        c.header('set-cookie', (await c.var.session.save())?.replace(/; Max-Age=\d+/, ''))
        return c.text('x')
      })
      .post('/destroy', async (c) => {
        c.var.session.set('user', 6)
        await c.var.session.save()
        await c.var.session.destroy()
        return c.text('x')
      })
    const post = (path: string, cookie = '') =>
      app.request(`https://a.example${path}`, { method: 'POST', headers: { cookie } })
    const first = await post('/save')
    expect([first.status, first.headers.get('cache-control')]).toEqual([302, 'no-store'])
    const second = await post('/save', cookieOf(first))
    const read = await app.request('https://a.example/', { headers: { cookie: cookieOf(second) } })
    expect(await read.json()).toEqual({ user: 2 })
    expect((await post('/own')).headers.getSetCookie()).toHaveLength(1)
    expect((await post('/short')).headers.getSetCookie()).toEqual([expect.not.stringContaining('Max-Age')])
    expect((await post('/destroy')).headers.getSetCookie()).toEqual([expect.stringContaining('Max-Age=0')])
  })
  it('takes an outage for no logged-out visitor', async () => {
    const store = brokenStore(undefined, { store: memoryStore() })
    const app = application(createSessions<Data>({ store, secrets }))
    const cookie = cookieOf(await app.request('https://a.example/login', { method: 'POST' }))
    store.fault = 'down'
    app.onError((error, c) => c.text(`${(error as { code?: string }).code}`, 503))
    const response = await app.request('https://a.example/', { headers: { cookie } })
    expect([response.status, await response.text()]).toEqual([503, 'STORE_UNAVAILABLE'])
    expect((await app.request('https://a.example/')).status).toBe(200)
  })
  it('asks a function once per request, and refuses what makes no sessions', async () => {
    const sessions = make()
    const app = new Hono()
      .use(session({ sessions: async (c) => (c.req.path === '/' ? sessions : (undefined as never)) }))
      .get('/', (c) => c.text(`${c.var.session.isNew}`))
    expect(await (await app.request('https://a.example/')).text()).toBe('true')
    expect(() => session({ sessions: {} as never })).toThrow('session takes { sessions }')
    expect(() => session(undefined as never)).toThrow('session takes { sessions }')
    expect(() => session({ sessions, secure: false } as never)).toThrow('session has no option secure')
  })
})
