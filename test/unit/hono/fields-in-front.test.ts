import { type CacheResponseOptions, cacheResponse } from 'hither/hono'
import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { Hono, type MiddlewareHandler } from 'hono'
import { cors } from 'hono/cors'
import { timeout } from 'hono/timeout'
import { describe, expect, it, vi } from 'vitest'

const URL_A = 'https://a.example/a'

/** An application with a middleware in front of `cacheResponse`. Each response of its handler has a number. */
function appWith(front: MiddlewareHandler, options: Partial<CacheResponseOptions> = {}) {
  const app = new Hono()
  const cache = createHttpCache({ store: memoryStore() })
  let calls = 0
  app.use(front)
  app.use(cacheResponse({ cache, cacheControl: 'max-age=60', ...options }))
  app.get('/a', (c) => {
    c.header('x-own', 'of the handler')
    return c.text(`${++calls}`, 200, { etag: '"1"' })
  })
  app.get('/raw', () => new Response(`${++calls}`))
  const ask = async (from: string, headers: Record<string, string> = {}, url = URL_A) => {
    const response = await app.request(url, { headers: { origin: from, ...headers } })
    const [, story = ''] = (response.headers.get('cache-status') ?? '').split('; ')
    return {
      fields: response.headers,
      text: await response.text(),
      story: story.split('=', 1)[0],
      status: response.status,
    }
  }
  return { app, ask }
}

describe('what middleware in front of cacheResponse sets for a request', () => {
  it('allows the origin of each client, on hits too', async () => {
    const { ask } = appWith(cors({ origin: ['https://x.example', 'https://y.example'] }))
    for (const url of [URL_A, 'https://a.example/raw']) {
      const seen = []
      for (const from of ['https://x.example', 'https://y.example', 'https://z.example']) {
        const { fields, story } = await ask(from, {}, url)
        seen.push([story, fields.get('access-control-allow-origin')])
      }
      expect(seen).toEqual([
        ['fwd', 'https://x.example'],
        ['hit', 'https://y.example'],
        ['hit', null],
      ])
    }
    const { status, fields } = await ask('https://y.example', { 'if-none-match': '"1"' })
    expect([status, fields.get('access-control-allow-origin')]).toEqual([304, 'https://y.example'])
  })
  it('is of each request: fields and cookies, whichever way they are set', async () => {
    const { ask } = appWith(async (c, next) => {
      const from = c.req.header('origin') ?? ''
      c.header('x-request-id', from)
      c.res.headers.set('x-user', from)
      c.header('x-own', 'in front')
      if (from !== 'ada') c.header('set-cookie', `of=${from}`)
      await next()
    })
    for (const [from, story] of [
      ['ada', 'fwd'],
      ['bob', 'hit'],
    ] as const) {
      const { fields, ...seen } = await ask(from)
      expect([seen.text, seen.story]).toEqual(['1', story])
      const names = ['x-request-id', 'x-user', 'x-own', 'set-cookie']
      const cookie = from === 'ada' ? null : 'of=bob'
      expect(names.map((name) => fields.get(name))).toEqual([from, from, 'of the handler', cookie])
    }
  })
  it('stores nothing with a cookie that it sets, and sends that once', async () => {
    const { ask } = appWith(async (c, next) => {
      c.header('set-cookie', `of=${c.req.header('origin')}`)
      await next()
    })
    for (const [i, from] of ['ada', 'bob'].entries()) {
      const { text, fields } = await ask(from)
      expect([text, fields.getSetCookie()]).toEqual([`${i + 1}`, [`of=${from}`]])
    }
  })
  it('still says how long a response lasts, and what it depends on', async () => {
    const { ask } = appWith(
      async (c, next) => {
        c.header('cache-control', 'no-store')
        c.header('vary', 'x-a')
        await next()
      },
      { cacheControl: 'public' },
    )
    for (const text of ['1', '2']) {
      const { fields, ...seen } = await ask('ada')
      expect([seen.text, fields.get('vary'), fields.get('cache-control')]).toEqual([text, 'x-a', 'no-store, public'])
    }
  })
  it('is not stored by a refresh either', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
    const front: MiddlewareHandler = async (c, next) => {
      if (c.req.header('origin') !== 'bob') c.header('x-user', c.req.header('origin'))
      await next()
    }
    const { app, ask } = appWith(front, {
      cacheControl: 'max-age=1, stale-while-revalidate=600',
      refresh: (request) => app.fetch(request),
    })
    await ask('ada')
    vi.setSystemTime(Date.now() + 2000)
    expect((await ask('ada')).text).toBe('1')
    await vi.waitFor(async () => expect((await ask('ada')).text).toBe('2'))
    const { text, story, fields } = await ask('bob')
    vi.useRealTimers()
    expect([text, story, fields.get('x-user')]).toEqual(['2', 'hit', null])
  })
})

it('a response after that of a timeout in front is dropped without an error', async () => {
  const app = new Hono()
  const errors: string[] = []
  app.onError((error, c) => {
    errors.push(error.name)
    return c.text('late', 504)
  })
  const cache = createHttpCache({ store: memoryStore() })
  let end = (): void => {}
  let calls = 0
  // The first request alone: a busy machine may take longer for the second.
  const inTime = timeout(5)
  app.use((c, next) => (calls === 0 ? inTime(c, next) : next()))
  app.use(async (_, next) => {
    await next()
    end()
  })
  app.use(cacheResponse({ cache, cacheControl: 'max-age=60' }))
  app.get('/a', async (c) => {
    if (++calls === 1) await new Promise((wait) => setTimeout(wait, 50))
    return c.text(`${calls}`)
  })
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  expect(await (await app.request(URL_A)).text()).toBe('late')
  await ended
  expect(errors).toEqual(['Error'])
  const { status, headers } = await app.request(URL_A)
  expect([status, headers.get('cache-status')]).toEqual([200, 'hither; fwd=uri-miss; fwd-status=200; stored'])
})
