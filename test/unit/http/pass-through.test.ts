import { cacheResponse } from 'hither/hono'
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'
import { cacheOf, createOrigin, get, isHit, skipFor, URL_A } from './support.ts'

/**
 * A response of which no new `Response` can be made: a runtime has attached a socket to it, or it stands for a network
 * error.
 */
function switching(status: number): Response {
  const response = new Response(null)
  return Object.defineProperties(response, { status: { value: status }, webSocket: { value: 'a socket' } })
}

describe('an answer that is not final', () => {
  it('is passed on as it is: a switch to WebSocket, and a network error', async () => {
    for (const status of [101, 0]) {
      for (const method of ['GET', 'HEAD', 'POST']) {
        for (const headers of [{ upgrade: 'websocket' }, { upgrade: 'WebSocket' }, {}] as Record<string, string>[]) {
          const cache = cacheOf()
          const answer = switching(status)
          const request = new Request(URL_A, { method, headers })
          expect([status, method, (await cache(request, () => answer)) === answer]).toEqual([status, method, true])
        }
      }
    }
  })
  it('of a handler behind cacheResponse too', async () => {
    const answer = switching(101)
    const app = new Hono()
    app.use(cacheResponse({ cache: cacheOf(), cacheControl: 'max-age=60', vary: 'X-A', tags: ['t'] }))
    app.get('/ws', () => answer)
    expect((await app.request('https://a.example/ws', { headers: { upgrade: 'websocket' } })) === answer).toBe(true)
  })
  it('is not waited for, and what is stored answers no request for a switch', async () => {
    const cache = cacheOf()
    const origin = createOrigin()
    await get(cache, origin)
    expect(isHit(await get(cache, origin))).toBe(true)
    const { story, body } = await get(cache, origin, { headers: { upgrade: 'websocket' } })
    expect([story, body]).toEqual(['hither; fwd=bypass; fwd-status=200; detail=upgrade', '2'])
    expect(isHit(await get(cache, origin, { headers: { upgrade: 'h2c' } }))).toBe(true)
  })
})

describe('a Vary field', () => {
  it.each(['a b', 'x-a;q=1', '"x-a"', 'x-a, b:'])('with what names no field is passed on: %s', async (vary) => {
    for (const profile of ['safe', 'full'] as const) {
      const cache = cacheOf({ profile })
      const origin = createOrigin({ 'cache-control': 'max-age=60', vary })
      for (const count of ['1', '2']) {
        const { body, story } = await get(cache, origin)
        expect([body, story]).toEqual([count, 'hither; fwd=uri-miss; fwd-status=200; detail=vary'])
      }
    }
  })
})

/** As a request of Workers is, which knows where its client is. */
function withCf(): typeof Request {
  if ('cf' in new Request(URL_A, { cf: {} } as RequestInit)) return Request
  return class extends Request {
    readonly cf: unknown
    constructor(input: RequestInfo | URL, init?: RequestInit & { readonly cf?: unknown }) {
      super(input, init)
      this.cf = init?.cf
    }
  }
}

for (const [how, refresh, cacheControl] of [
  ['validated', false, 'max-age=0'],
  ['refreshed', undefined, 'max-age=0, stale-while-revalidate=60'],
] as const) {
  it(`a handler knows of its client what Workers say when a response is ${how}`, async ({ skip }) => {
    const made = withCf()
    const isFixed = Object.getOwnPropertyDescriptor(globalThis, 'Request')?.configurable === false
    if (made !== Request && isFixed) skipFor(skip, 'this runtime lets nobody stand in for its Request, which has no cf')
    vi.stubGlobal('Request', made)
    const cache = cacheOf()
    const origin = createOrigin({ 'cache-control': cacheControl, etag: '"a"' })
    for (let i = 0; i < 2; i++) {
      const request = new Request(URL_A, { cf: { country: 'NL' } } as RequestInit)
      await (await cache(request, origin, refresh === undefined ? {} : { refresh })).text()
      await cache.flush()
    }
    vi.unstubAllGlobals()
    const known = origin.asked.map((request) => (request as { cf?: { country?: string } }).cf?.country)
    expect(known).toEqual(['NL', 'NL'])
  })
}

describe('a HEAD', () => {
  it('whose handler makes a body ends it', async () => {
    const cancel = vi.fn(() => Promise.reject(new Error('gone')))
    const body = new ReadableStream({ cancel }, { highWaterMark: 0 })
    const response = await cacheOf()(new Request(URL_A, { method: 'HEAD' }), () => new Response(body))
    expect([response.status, response.body, cancel.mock.calls.length]).toEqual([200, null, 1])
  })
  it('that says another length than what is stored has drops it', async () => {
    for (const [length, kept] of [
      ['1', true],
      ['999', false],
    ] as const) {
      const cache = cacheOf()
      const origin = createOrigin({ 'cache-control': 'max-age=0, stale-while-revalidate=1', etag: '"e"' })
      await get(cache, origin, { refresh: false })
      origin.answers(
        () => new Response(null, { headers: { etag: '"e"', 'cache-control': 'max-age=60', 'content-length': length } }),
      )
      await get(cache, origin, { method: 'HEAD', refresh: false, headers: { 'cache-control': 'max-stale=0' } })
      origin.answers(() => new Response('new'))
      expect([length, (await get(cache, origin, { refresh: false })).body]).toEqual([length, kept ? '1' : 'new'])
    }
  })
})

describe('a purge', () => {
  it.each([
    ['a key', { key: ({ headers }: Request) => headers.get('x-a') ?? '' }],
    ['a query without some of it', { ignoreQuery: ['x'] }],
  ] as const)('of a URL, or a POST to it, ends what has %s by a rule for some fields', async (_, rule) => {
    for (const end of ['purge', 'POST']) {
      const cache = cacheOf({ rules: [{ match: ({ headers }) => headers.has('x-a'), ...rule }] })
      const origin = createOrigin()
      const ask = async (): Promise<string> => (await get(cache, origin, { headers: { 'x-a': '1' } })).body
      expect([await ask(), await ask()]).toEqual(['1', '1'])
      if (end === 'purge') await cache.purge({ url: URL_A })
      else await cache(new Request(URL_A, { method: 'POST' }), () => new Response('done'))
      expect([end, await ask()]).toEqual([end, '2'])
    }
  })
  it('refuses what is no list of whole URLs', async () => {
    for (const field of ['url', 'path', 'prefix'])
      for (const bad of [1, {}, [1], null, [null], '/a', 'javascript:1', 'data:,', 'a.example/a'] as unknown[])
        await expect(cacheOf().purge({ [field]: bad })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(cacheOf().purge({ tags: null, url: URL_A } as never)).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await expect(cacheOf().purge(undefined as never)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})
