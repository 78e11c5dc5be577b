import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cacheOf, createOrigin, get, isHit, see, URL_A } from './support.ts'

// The HTTP cache from request to response: storing, revalidation, stale responses, request directives, HEAD and ranges,
// Cache-Status, variants, groups, rules, targeted fields, POST, and stores that fail, hang or hold small values only.

const START = Date.UTC(2026, 0, 1)
let nowMs = START
const wait = (ms: number): void => {
  nowMs += ms
  vi.setSystemTime(nowMs)
}
beforeEach(() => {
  nowMs = START
  vi.useFakeTimers({ toFake: ['Date'], now: nowMs })
})
afterEach(() => {
  vi.useRealTimers()
})
const date = (ms: number): string => new Date(ms).toUTCString()

describe.each([
  ['without a near tier', () => cacheOf()],
  ['with a near tier', () => cacheOf({ near: nearTier({ maxAge: '1h' }) })],
])('a cache %s', (_, make) => {
  it('stores a response without a Date whose lifetime is guessed, whatever the millisecond', async () => {
    for (let round = 0; round < 20; round++) {
      const errors: unknown[] = []
      const cache = cacheOf({ onEvent: (event) => 'error' in event && errors.push(event.error) })
      const origin = createOrigin({ 'last-modified': new Date(Date.now() - 3_600_000).toUTCString() })
      await get(cache, origin)
      expect([errors, isHit(await get(cache, origin))]).toEqual([[], true])
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  })
  it('answers from the store while a response is fresh, with its age, then asks again', async () => {
    const [cache, origin] = [make(), createOrigin()]
    expect((await get(cache, origin)).body).toBe('1')
    wait(59_000)
    const hit = await get(cache, origin)
    expect([hit.body, hit.headers.get('age'), hit.story]).toEqual(['1', '59', 'hither; hit; ttl=1'])
    wait(1000)
    expect((await get(cache, origin)).body).toBe('2')
    expect(origin.asked.length).toBe(2)
  })
  it('keeps bytes, every field and repeated Set-Cookie as they came', async () => {
    const [cache, origin] = [make(), createOrigin()]
    const bytes = Uint8Array.from({ length: 1000 }, (__, i) => i % 256)
    origin.answers(() => {
      const headers = new Headers({ 'cache-control': 'max-age=60', 'x-own': 'ž'.normalize('NFD').slice(0, 1) })
      headers.append('set-cookie', 'a=1')
      headers.append('set-cookie', 'b=2, c')
      return new Response(bytes, { status: 203, headers })
    })
    await (await cache(new Request(URL_A), origin)).arrayBuffer()
    const hit = await cache(new Request(URL_A), origin)
    expect(new Uint8Array(await hit.arrayBuffer())).toEqual(bytes)
    expect([hit.status, hit.headers.getSetCookie(), hit.headers.get('x-own')]).toEqual([203, ['a=1', 'b=2, c'], 'z'])
    expect(origin.asked.length).toBe(1)
  })
  it('keeps text with every line terminator of Unicode, beside another variant', async () => {
    const [cache, origin] = [make(), createOrigin()]
    const text = 'a\u2028b\u2029c\r\nd\u0085e\0'
    origin.answers((request) => {
      const fields = { 'cache-control': 'max-age=60', vary: 'accept-language' }
      return new Response(text + request.headers.get('accept-language'), { headers: fields })
    })
    for (const language of ['de', 'en', 'de', 'en'])
      expect((await get(cache, origin, { headers: { 'accept-language': language } })).body).toBe(text + language)
    expect(origin.asked.length).toBe(2)
  })
  it('adds no Content-Type to a response that has none: whole, a part, of any length', async () => {
    for (const body of ['', 'text', 'x'.repeat(40_000)])
      for (const near of [undefined, nearTier()]) {
        const [cache, origin] = [cacheOf(near && { near }), createOrigin()]
        const bytes = new TextEncoder().encode(body)
        origin.answers(() => new Response(bytes, { headers: { 'cache-control': 'max-age=60' } }))
        for (const headers of [{}, {}, {}, { range: 'bytes=0-' }, { range: 'bytes=1-2' }]) {
          const seen = await get(cache, origin, { headers })
          expect([body.length, headers, seen.headers.get('content-type')]).toEqual([body.length, headers, null])
        }
        // A server such as @hono/node-server adds one to an empty body, but not to none.
        if (body === '') expect((await cache(new Request(URL_A), origin)).body).toBe(null)
        expect(origin.asked.length).toBe(1)
      }
  })
  it('invalidates a URL by an unsafe method that succeeds, and by no other', async () => {
    const [cache, origin] = [make(), createOrigin()]
    await get(cache, origin)
    origin.answers((__, count) => new Response(`${count}`, { status: 500 }))
    await get(cache, origin, { method: 'POST', body: 'x' })
    expect(isHit(await get(cache, origin))).toBe(true)
    origin.answers((__, count) => new Response(`${count}`, { status: 302, headers: { 'cache-control': 'max-age=9' } }))
    await get(cache, origin, { method: 'OPTIONS' })
    expect(isHit(await get(cache, origin))).toBe(true)
    await get(cache, origin, { method: 'DELETE' })
    expect(isHit(await get(cache, origin))).toBe(false)
  })
  it('purges by tag, url, path and prefix, at once and for those being fetched', async () => {
    const purges = [
      { tags: ['t1'] },
      { url: URL_A },
      { path: 'https://a.example/page' },
      { prefix: 'https://a.example/' },
      { prefix: 'https://a.example/page' },
    ]
    for (const selection of purges) {
      const [cache, origin] = [make(), createOrigin({ 'cache-control': 'max-age=60', 'cache-tag': 't0, t1' })]
      await get(cache, origin)
      expect(isHit(await get(cache, origin))).toBe(true)
      await cache.purge(selection)
      const after = await get(cache, origin)
      expect([selection, after.body]).toEqual([selection, '2'])
      wait(60_000)
      origin.answers(async (__, count) => {
        wait(1)
        await cache.purge(selection)
        return new Response(`${count}`, { headers: { 'cache-control': 'max-age=60', 'cache-tag': 't0, t1' } })
      })
      await get(cache, origin)
      origin.answers((__, count) => new Response(`${count}`, { headers: { 'cache-control': 'max-age=60' } }))
      expect([selection, (await get(cache, origin)).body]).toEqual([selection, '4'])
    }
  })
  it('purges a URL however it is spelled: with a name and a password, a port, a fragment', async () => {
    for (const url of [
      'https://user:pw@a.example/page?x=1',
      'HTTPS://A.example:443/page?x=1#top',
      'https://a.example/else/../page?x=1',
    ]) {
      const [cache, origin] = [make(), createOrigin()]
      await get(cache, origin)
      await cache.purge({ url })
      expect([url, (await get(cache, origin)).body]).toEqual([url, '2'])
      const fields = { location: url, 'content-location': 'https://:pw@a.example/other' }
      origin.answers(() => new Response(null, { status: 201, headers: fields }))
      await get(cache, origin, { method: 'POST', url: 'https://a.example/form' })
      origin.answers((_, count) => new Response(`${count}`))
      expect([url, (await get(cache, origin)).body]).toEqual([url, '4'])
    }
  })
  it('leaves what a purge does not name', async () => {
    const [cache, origin] = [make(), createOrigin({ 'cache-control': 'max-age=60', 'cache-tag': 't0' })]
    await get(cache, origin)
    await cache.purge({ tags: ['t', 'T0', 't0,'] })
    await cache.purge({ url: ['https://a.example/page', 'http://a.example/page?x=1', 'https://b.example/page?x=1'] })
    await cache.purge({ path: 'https://a.example/pag', prefix: ['https://a.example/pa', 'https://b.example/'] })
    expect(isHit(await get(cache, origin))).toBe(true)
    await cache.clear()
    expect(isHit(await get(cache, origin))).toBe(false)
  })
})

describe('revalidation', () => {
  it('renews freshness and fields by a 304, and keeps the body', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10', etag: '"a"', 'x-a': '1' })]
    await get(cache, origin)
    wait(11_000)
    origin.answers((request) => {
      expect([request.headers.get('if-none-match'), request.method]).toEqual(['"a"', 'GET'])
      return new Response(null, { status: 304, headers: { etag: '"a"', 'x-a': '2', 'cache-control': 'max-age=10' } })
    })
    const validated = await get(cache, origin)
    expect([validated.status, validated.body, validated.headers.get('x-a')]).toEqual([200, '1', '2'])
    expect(validated.story).toBe('hither; fwd=stale; fwd-status=304; stored; ttl=10')
    wait(9000)
    const hit = await get(cache, origin)
    expect([isHit(hit), hit.body, hit.headers.get('x-a'), hit.headers.get('age')]).toEqual([true, '1', '2', '9'])
  })
  it('asks once more without conditions after a 304 for another ETag, and updates nothing by it', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10', etag: '"a"' })]
    await get(cache, origin)
    wait(11_000)
    origin.answers((request, count) =>
      request.headers.has('if-none-match')
        ? new Response(null, { status: 304, headers: { etag: '"b"', 'cache-control': 'max-age=100' } })
        : new Response(`${count}`, { headers: { 'cache-control': 'max-age=10', etag: '"b"' } }),
    )
    expect((await get(cache, origin)).body).toBe('3')
  })
  it('passes on the 304 for a tag of the client where the stored response has no validator', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10' })]
    await get(cache, origin)
    wait(11_000)
    for (const fields of [{}, { etag: '"b"' }]) {
      origin.answers((_, count) => {
        expect(count).toBe(2)
        return new Response(null, { status: 304, headers: fields })
      })
      const headers = { 'if-none-match': '"b"' }
      const { status, body, story } = await get(cache, origin, { headers })
      expect([status, body, story]).toEqual([304, '', 'hither; fwd=stale; fwd-status=304; detail=status'])
      origin.asked.pop()
    }
    origin.answers(() => new Response('new', { headers: { 'cache-control': 'max-age=10' } }))
    expect((await get(cache, origin)).body).toBe('new')
  })
  it('says the age of a 304 that is not stored', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10', etag: '"a"' })]
    await get(cache, origin)
    wait(11_000)
    origin.answers(() => new Response(null, { status: 304, headers: { etag: '"a"', age: '7' } }))
    const { body, headers } = await get(cache, origin, { headers: { 'cache-control': 'no-store' } })
    expect([body, headers.get('age')]).toEqual(['1', '7'])
  })
  it('sends 304 to a client that has it: If-None-Match first, weakly, then If-Modified-Since', async () => {
    const lm = date(START - 50_000)
    const origin = createOrigin({ 'cache-control': 'max-age=60', etag: 'W/"a"', 'last-modified': lm, 'x-a': '1' })
    const cache = cacheOf()
    await get(cache, origin)
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await get(cache, origin, { headers })).status
    expect(await status({ 'if-none-match': '"a"' })).toBe(304)
    expect(await status({ 'if-none-match': '"b,", W/"a"' })).toBe(304)
    expect(await status({ 'if-none-match': '*' })).toBe(304)
    expect(await status({ 'if-none-match': '"b"', 'if-modified-since': lm })).toBe(200)
    expect(await status({ 'if-modified-since': lm })).toBe(304)
    expect(await status({ 'if-modified-since': date(START - 51_000) })).toBe(200)
    expect(await status({ 'if-modified-since': 'yesterday' })).toBe(200)
    const { headers } = await get(cache, origin, { headers: { 'if-none-match': '"a"' } })
    expect([headers.get('etag'), headers.get('x-a'), headers.get('cache-control')]).toEqual([
      'W/"a"',
      null,
      'max-age=60',
    ])
    expect(origin.asked.length).toBe(1)
  })
  it('gives a whole answer to a client whose own tag is another than the stored one', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10', etag: '"a"' })]
    await get(cache, origin)
    wait(11_000)
    origin.answers(() => new Response(null, { status: 304, headers: { etag: '"a"' } }))
    const seen = await get(cache, origin, { headers: { 'if-none-match': '"mine"' } })
    expect([seen.status, seen.body]).toEqual([200, '1'])
  })
  it('drops what a 304 says may not be kept', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10', etag: '"a"' })]
    await get(cache, origin)
    wait(11_000)
    origin.answers(() => new Response(null, { status: 304, headers: { etag: '"a"', 'cache-control': 'no-store' } }))
    expect((await get(cache, origin)).body).toBe('1')
    origin.answers((request, count) => new Response(`${count} ${request.headers.has('if-none-match')}`))
    expect((await get(cache, origin)).body).toBe('3 false')
  })
  it('renews by a HEAD that agrees, and drops by one that does not', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10', etag: '"a"' })]
    await get(cache, origin)
    wait(11_000)
    origin.answers(() => new Response(null, { headers: { etag: '"a"', 'cache-control': 'max-age=10' } }))
    expect((await get(cache, origin, { method: 'HEAD' })).body).toBe('')
    const renewed = await get(cache, origin)
    expect([isHit(renewed), renewed.body]).toEqual([true, '1'])
    wait(11_000)
    origin.answers((_, count) => new Response(count === 3 ? null : `${count}`, { headers: { etag: '"b"' } }))
    await get(cache, origin, { method: 'HEAD' })
    expect((await get(cache, origin)).body).toBe('4')
    expect(origin.asked[3]?.headers.get('if-none-match')).toBeNull()
  })
  it.each(['"a"', undefined])(
    'renews nothing by a HEAD without a validator, where what is stored has %s',
    async (etag) => {
      const fields = { 'cache-control': 'max-age=10', ...(etag ? { etag } : {}) }
      const [cache, origin] = [cacheOf(), createOrigin(fields)]
      await get(cache, origin)
      wait(11_000)
      origin.answers((_, count) => new Response(`${count}`, { headers: { 'cache-control': 'max-age=10' } }))
      await get(cache, origin, { method: 'HEAD' })
      expect((await get(cache, origin)).body).toBe('3')
    },
  )
  it('gives a stored body no ETag by a HEAD', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10' })]
    await get(cache, origin)
    wait(11_000)
    const fields = { etag: '"b"', 'cache-control': 'max-age=10' }
    origin.answers(
      ({ headers }) => new Response('new', { status: headers.has('if-none-match') ? 304 : 200, headers: fields }),
    )
    await get(cache, origin, { method: 'HEAD' })
    expect((await get(cache, origin)).body).toBe('new')
  })
})

describe('stale responses', () => {
  const swr = { 'cache-control': 'max-age=10, stale-while-revalidate=20' }
  it('are used while they are refreshed, once, until the window ends', async () => {
    const [cache, origin] = [cacheOf(), createOrigin(swr)]
    await get(cache, origin)
    wait(15_000)
    const stale = await Promise.all([get(cache, origin), get(cache, origin)])
    expect(stale.map((one) => [isHit(one), one.body])).toEqual([
      [true, '1'],
      [true, '1'],
    ])
    expect(stale[0]?.story).toBe('hither; hit; ttl=-5')
    await cache.flush()
    expect(origin.asked.length).toBe(2)
    expect((await get(cache, origin)).body).toBe('2')
    wait(31_000)
    expect((await get(cache, origin)).body).toBe('3')
  })
  it('are not used over no-cache, must-revalidate, proxy-revalidate and s-maxage', async () => {
    for (const more of ['must-revalidate', 'proxy-revalidate', 's-maxage=10', 'no-cache']) {
      const fields = { 'cache-control': `${swr['cache-control']}, ${more}, stale-if-error=100`, etag: '"a"' }
      const [cache, origin] = [cacheOf(), createOrigin(fields)]
      await get(cache, origin)
      wait(15_000)
      expect([more, (await get(cache, origin)).body]).toEqual([more, '2'])
      wait(15_000)
      origin.answers(() => Promise.reject(new TypeError('gone')))
      const answer = await get(cache, origin).catch((error: Error) => error.message)
      expect([more, typeof answer === 'string' ? answer : `${answer.status} ${answer.story}`]).toEqual([
        more,
        more === 'no-cache' ? 'gone' : '504 hither; fwd=stale; detail=disconnected',
      ])
    }
  })
  it('with s-maxage are used by the option of that name', async () => {
    const cache = cacheOf({ staleDespiteSMaxage: true })
    const origin = createOrigin({ 'cache-control': 's-maxage=10, stale-while-revalidate=20' })
    await get(cache, origin)
    wait(15_000)
    expect(isHit(await get(cache, origin))).toBe(true)
  })
  it('stand in for errors until their window ends, and for nothing else', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10, stale-if-error=20' })]
    await get(cache, origin)
    wait(20_000)
    for (const status of [500, 502, 503, 504]) {
      origin.answers(() => new Response('broken', { status }))
      expect((await get(cache, origin)).body).toBe('1')
    }
    origin.answers(() => new Response('broken', { status: 501 }))
    expect((await get(cache, origin)).body).toBe('broken')
    const told = await get(cache, origin, { headers: { 'cache-control': 'stale-if-error=1' } })
    expect([told.body, told.story]).toEqual(['broken', 'hither; fwd=stale; fwd-status=501; detail=no-freshness'])
    origin.answers(() => Promise.reject(new TypeError('gone')))
    const { body, story } = await get(cache, origin)
    // The request was forwarded, so it is no hit by RFC 9211.
    expect([body, story]).toEqual(['1', 'hither; fwd=stale; ttl=-10; detail=disconnected'])
    wait(11_000)
    origin.answers(() => new Response('broken', { status: 503 }))
    expect((await get(cache, origin)).body).toBe('broken')
    const asked = await get(cache, origin, { headers: { 'cache-control': 'stale-if-error=60' } })
    expect([asked.body, asked.story]).toEqual(['1', 'hither; fwd=stale; fwd-status=503; ttl=-21; detail=error'])
    origin.answers(() => Promise.reject(new TypeError('gone')))
    await expect(get(cache, origin)).rejects.toThrow('gone')
  })
  it('without a window stand in for an origin that cannot be reached, not for its errors', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10' })]
    await get(cache, origin)
    wait(20_000)
    origin.answers(() => new Response('broken', { status: 503 }))
    expect((await get(cache, origin)).body).toBe('broken')
    origin.answers(() => Promise.reject(new TypeError('gone')))
    expect((await get(cache, origin)).body).toBe('1')
  })
  it('are validated first where nothing refreshes them', async () => {
    const [cache, origin] = [cacheOf(), createOrigin(swr)]
    await get(cache, origin)
    wait(15_000)
    const { body, story } = await get(cache, origin, { refresh: false })
    expect([body, story]).toEqual(['2', 'hither; fwd=stale; fwd-status=200; stored'])
  })
  it('are not refreshed for a request whose answer may not be stored', async () => {
    const [cache, origin] = [cacheOf(), createOrigin(swr)]
    await get(cache, origin)
    wait(15_000)
    expect((await get(cache, origin, { headers: { 'cache-control': 'no-store' } })).body).toBe('1')
    await cache.flush()
    expect(origin.asked.length).toBe(1)
    expect((await get(cache, origin)).body).toBe('1')
    await cache.flush()
    expect((await get(cache, origin)).body).toBe('2')
  })
})

describe('request directives', () => {
  it('ask for less or more than fresh', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=60' })]
    const ask = (control: string) => get(cache, origin, { headers: { 'cache-control': control } })
    expect(await ask('only-if-cached')).toMatchObject({ status: 504, story: 'hither; detail=only-if-cached' })
    await get(cache, origin)
    wait(30_000)
    expect(isHit(await ask('max-age=30'))).toBe(true)
    expect(isHit(await ask('min-fresh=30'))).toBe(true)
    expect((await ask('only-if-cached')).body).toBe('1')
    expect((await ask('max-age=29')).story).toBe('hither; fwd=request; fwd-status=200; stored')
    wait(30_000)
    expect((await ask('min-fresh=31')).body).toBe('3')
    wait(70_000)
    expect((await ask('max-stale=10')).body).toBe('3')
    expect((await ask('max-stale=9, only-if-cached')).status).toBe(504)
    wait(60_000)
    expect((await ask('max-stale')).body).toBe('3')
    expect((await ask('no-cache')).body).toBe('4')
    expect((await ask('no-store')).body).toBe('4')
  })
})

describe('HEAD and ranges', () => {
  it('come from a stored GET', async () => {
    const origin = createOrigin()
    origin.answers(() => new Response('0123456789', { headers: { 'cache-control': 'max-age=60', etag: '"a"' } }))
    const cache = cacheOf()
    await get(cache, origin)
    const head = await get(cache, origin, { method: 'HEAD' })
    expect([head.status, head.body, head.headers.get('content-length')]).toEqual([200, '', '10'])
    const range = async (value: string, more: Record<string, string> = {}) => {
      const { status, body, headers } = await get(cache, origin, { headers: { range: value, ...more } })
      return [status, body, headers.get('content-range'), headers.get('content-length')]
    }
    expect(await range('bytes=2-4')).toEqual([206, '234', 'bytes 2-4/10', '3'])
    expect(await range('bytes=8-')).toEqual([206, '89', 'bytes 8-9/10', '2'])
    expect(await range('bytes=-3')).toEqual([206, '789', 'bytes 7-9/10', '3'])
    expect(await range('bytes=0-99')).toEqual([206, '0123456789', 'bytes 0-9/10', '10'])
    expect(await range('bytes=10-')).toEqual([416, '', 'bytes */10', null])
    expect(await range('bytes=-0')).toEqual([416, '', 'bytes */10', null])
    for (const whole of ['bytes=4-2', 'bytes=1-2,4-5', 'items=1-2', 'bytes=', 'bytes=-', 'bytes=a-b'])
      expect(await range(whole)).toEqual([200, '0123456789', null, '10'])
    expect(await range('bytes=2-4', { 'if-range': '"a"' })).toEqual([206, '234', 'bytes 2-4/10', '3'])
    for (const tag of ['"b"', 'W/"a"', date(START)])
      expect(await range('bytes=2-4', { 'if-range': tag })).toEqual([200, '0123456789', null, '10'])
    expect(origin.asked.length).toBe(1)
  })
  it('are stored of a 206 that is the whole, and of no other', async () => {
    const store = async (contentRange: string, body: string): Promise<string> => {
      const [cache, origin] = [cacheOf(), createOrigin()]
      const headers = { 'cache-control': 'max-age=60', 'content-range': contentRange }
      origin.answers(() => new Response(body, { status: 206, headers }))
      const first = await get(cache, origin, { headers: { range: 'bytes=0-' } })
      expect([first.status, first.body]).toEqual([206, body])
      origin.answers(() => new Response('again'))
      return (await get(cache, origin)).body
    }
    expect(await store('bytes 0-9/10', '0123456789')).toBe('0123456789')
    expect(await store('bytes 0-9/10', '01234')).toBe('again')
    expect(await store('bytes 0-4/10', '01234')).toBe('again')
    expect(await store('bytes 4-9/10', '012345')).toBe('again')
    expect(await store('bytes 0-9/*', '0123456789')).toBe('again')
  })
})

describe('Cache-Status', () => {
  it('is the last member, after those of others, and can be named or left out', async () => {
    const fields = { 'cache-control': 'max-age=60', 'cache-status': 'ExampleCDN; fwd=miss' }
    const [cache, origin] = [cacheOf({ cacheStatus: 'edge.example' }), createOrigin(fields)]
    expect((await get(cache, origin)).headers.get('cache-status')).toBe(
      'ExampleCDN; fwd=miss, edge.example; fwd=uri-miss; fwd-status=200; stored',
    )
    expect((await get(cache, origin)).headers.get('cache-status')).toBe(
      'ExampleCDN; fwd=miss, edge.example; hit; ttl=60',
    )
    const silent = cacheOf({ cacheStatus: false })
    expect((await get(silent, createOrigin())).headers.get('cache-status')).toBeNull()
    for (const cacheStatus of ['', 'a b', 'a;b', '"a"', '1a']) {
      expect(() => createHttpCache({ store: memoryStore(), cacheStatus })).toThrow(/cacheStatus/)
    }
  })
  it('says why a request was forwarded and why nothing was stored', async () => {
    const origin = createOrigin()
    const cache = cacheOf()
    const story = async (fields: Record<string, string>, headers = {}, method = 'GET'): Promise<string> => {
      origin.answers(() => new Response('x', { headers: fields }))
      return (await get(cache, origin, { headers, method })).story
    }
    expect(await story({ 'cache-control': 'no-store' })).toBe('hither; fwd=uri-miss; fwd-status=200; detail=no-store')
    expect(await story({}, {}, 'PUT')).toBe('hither; fwd=method; fwd-status=200')
    expect(await story({}, { 'if-match': '"a"' })).toBe('hither; fwd=bypass; fwd-status=200; detail=condition')
    await story({ 'cache-control': 'max-age=60', vary: 'x-a' }, { 'x-a': '1' })
    expect(await story({ 'cache-control': 'private' }, { 'x-a': '2' })).toBe(
      'hither; fwd=vary-miss; fwd-status=200; detail=private',
    )
  })
  it('says why a response that may be stored by its fields was not stored', async () => {
    const cache = cacheOf({ profile: 'safe', maxBodyBytes: 9 })
    const fresh = { 'cache-control': 'max-age=60' }
    const detail = async (fields: Record<string, string>, body: BodyInit | null = 'x') => {
      const response = new Response(body, { headers: { ...fresh, ...fields } })
      return (await cache(new Request(URL_A), () => response)).headers.get('cache-status')
    }
    const not = (why: string, status = 200) => `hither; fwd=uri-miss; fwd-status=${status}; detail=${why}`
    expect(await detail({}, null)).toBe(not('empty'))
    expect(await detail({ 'content-length': '10' })).toBe(not('size'))
    expect(await detail({ 'cache-tag': Array.from({ length: 65 }, (_, i) => `${i}`).join() })).toBe(not('tags'))
    const moved = await cache(
      new Request(URL_A),
      () => new Response('x', { status: 301, headers: { ...fresh, location: '/b' } }),
      { mayStore: ({ status }) => status !== 301 },
    )
    expect(moved.headers.get('cache-status')).toBe(not('option', 301))
    const refresh = new Request(URL_A, { headers: { 'cache-control': 'no-cache' } })
    const full = cacheOf({ profile: 'full' })
    const range = { status: 206, headers: { ...fresh, 'content-range': 'bytes 0-0/4' } }
    const part = await full(new Request(URL_A), () => new Response('g', range))
    expect(part.headers.get('cache-status')).toBe(not('part', 206))
    await (await full(new Request(URL_A), () => new Response('good', { headers: fresh }))).text()
    const worse = await full(refresh, () => new Response('bad', { status: 500, headers: fresh }))
    expect(worse.headers.get('cache-status')).toBe('hither; fwd=request; fwd-status=500; detail=worse')
  })
})

describe('variants', () => {
  it('are stored side by side, and at most so many', async () => {
    const cache = cacheOf({ maxVariants: 2 })
    const origin = createOrigin({ 'cache-control': 'max-age=60', vary: 'X-A' })
    const ask = (value: string) => get(cache, origin, { headers: { 'x-a': value } })
    await ask('1')
    await ask('2')
    expect([(await ask('1')).body, (await ask('2')).body]).toEqual(['1', '2'])
    await ask('3')
    expect([(await ask('2')).body, (await ask('3')).body]).toEqual(['2', '3'])
    expect((await ask('1')).body).toBe('4')
  })
  it('are told from one another by a Vary that a 304 has changed', async () => {
    const [cache, origin] = [cacheOf(), createOrigin({ 'cache-control': 'max-age=10', etag: '"a"' })]
    await get(cache, origin, { headers: { 'x-a': '1' } })
    wait(11_000)
    origin.answers(() => new Response(null, { status: 304, headers: { etag: '"a"', vary: 'x-a' } }))
    await get(cache, origin, { headers: { 'x-a': '1' } })
    origin.answers(() => new Response('other', { headers: { 'cache-control': 'max-age=10', vary: 'x-a' } }))
    expect((await get(cache, origin, { headers: { 'x-a': '2' } })).body).toBe('other')
    expect((await get(cache, origin, { headers: { 'x-a': '1' } })).body).toBe('1')
  })
})

describe('groups and queries', () => {
  it('are read while a stored response has them, and no longer', async () => {
    const memory = memoryStore()
    let asked = 0
    const getMany: typeof memory.getMany = (keys, call) => {
      asked = keys.length
      return memory.getMany(keys, call)
    }
    const cache = cacheOf({ store: { ...memory, getMany } })
    const origin = createOrigin()
    origin.answers((_, count) => {
      const fields = { 'cache-control': 'max-age=60', 'cache-tag': `post-${count}, post-${count + 1}` }
      return new Response(`${count}`, { headers: fields })
    })
    const reads: number[] = []
    for (let i = 0; i < 5; i++) {
      for (let j = 0; j < 3; j++) await get(cache, origin)
      reads.push(asked)
      await cache.purge({ url: URL_A })
    }
    expect([origin.asked.length, new Set(reads).size]).toEqual([5, 1])
    origin.answers(() => new Response('none', { headers: { 'cache-control': 'max-age=60' } }))
    for (let j = 0; j < 3; j++) await get(cache, origin)
    expect(asked).toBe((reads[0] as number) - 2)
  })
  it('a group is ended by an answer to an unsafe method of its origin, and by the tag of its name', async () => {
    const fields = { 'cache-control': 'max-age=60', 'cache-groups': '"g 1";a=1, "g2"' }
    const [cache, origin] = [cacheOf(), createOrigin(fields)]
    await get(cache, origin)
    const post = async (url: string, groups: string, method = 'POST'): Promise<void> => {
      origin.answers(() => new Response('', { headers: { 'cache-group-invalidation': groups } }))
      await get(cache, origin, { url, method })
      origin.answers((_, count) => new Response(`${count}`, { headers: fields }))
    }
    await post('https://a.example/other', '"G2", "g", malformed"')
    await post('https://a.example/other', '"G2", "g"')
    await post('https://b.example/other', '"g2"')
    await post('https://a.example/safe', '"g2"', 'GET')
    expect(isHit(await get(cache, origin))).toBe(true)
    await post('https://a.example/other', '"g 1"')
    expect(isHit(await get(cache, origin))).toBe(false)
    await cache.purge({ tags: ['g2'] })
    expect(isHit(await get(cache, origin))).toBe(false)
  })
  it('No-Vary-Search lets one response answer the queries it makes equal', async () => {
    const fields = { 'cache-control': 'max-age=60', 'no-vary-search': 'key-order, params=("utm" "ref")' }
    const [cache, origin] = [cacheOf(), createOrigin(fields)]
    const ask = async (search: string): Promise<string> =>
      (await get(cache, origin, { url: `https://a.example/p${search}` })).body
    expect(await ask('?a=1&utm=x&b=2')).toBe('1')
    for (const same of ['?a=1&utm=x&b=2', '?a=1&b=2', '?b=2&a=1', '?ref=r&b=2&a=1&utm='])
      expect([same, await ask(same)]).toEqual([same, '1'])
    for (const other of ['?a=1', '?a=2&b=2', '?a=1&b=2&UTM=1'])
      expect([other, await ask(other)]).not.toEqual([other, '1'])
    await get(cache, origin, { url: 'https://a.example/p?b=2&a=1', method: 'DELETE' })
    expect(await ask('?a=1&utm=x&b=2')).not.toBe('1')
  })
  it('Vary selects among what No-Vary-Search makes equal, and Cache-Status says which of them it was', async () => {
    const fields = { 'cache-control': 'max-age=60', 'no-vary-search': 'params=("utm")', vary: 'X-A' }
    const [cache, origin] = [cacheOf(), createOrigin(fields)]
    const ask = (search: string, a: string) =>
      get(cache, origin, { url: `https://a.example/p${search}`, headers: { 'x-a': a } })
    expect((await ask('?a=1&utm=1', '1')).story).toContain('fwd=uri-miss')
    for (const search of ['?a=1', '?a=1&utm=2']) {
      expect((await ask(search, '1')).story).toContain('hit')
      expect([search, (await ask(search, search)).story]).toEqual([search, expect.stringContaining('fwd=vary-miss')])
      expect([search, (await ask('?a=1&utm=3', search)).body]).toEqual([search, `${origin.asked.length}`])
    }
  })
})

describe('rules', () => {
  it('give a lifetime, tags, a key, Vary and what is no part of the key', async () => {
    const origin = createOrigin({})
    const cache = cacheOf({
      profile: 'safe',
      rules: [
        { match: '/none/*', bypass: () => true },
        {
          match: '/page',
          ttl: '1m',
          tags: ['page'],
          vary: ['X-A'],
          key: (r) => r.headers.get('x-tenant') ?? '',
          ignoreQuery: ['utm'],
        },
      ],
    })
    const first = await get(cache, origin, { headers: { 'x-a': '1', 'x-tenant': 't' } })
    expect([first.headers.get('vary'), first.story]).toEqual(['X-A', 'hither; fwd=uri-miss; fwd-status=200; stored'])
    const same = { url: 'https://a.example/page?utm=2&x=1', headers: { 'x-a': '1', 'x-tenant': 't' } }
    expect(isHit(await get(cache, origin, same))).toBe(true)
    expect(isHit(await get(cache, origin, { ...same, headers: { 'x-a': '2', 'x-tenant': 't' } }))).toBe(false)
    expect(isHit(await get(cache, origin, { ...same, headers: { 'x-a': '1', 'x-tenant': 'u' } }))).toBe(false)
    await cache.purge({ tags: ['page'] })
    expect(isHit(await get(cache, origin, same))).toBe(false)
    await get(cache, origin, { url: 'https://a.example/none/1' })
    expect((await get(cache, origin, { url: 'https://a.example/none/1' })).story).toContain('fwd=bypass')
    expect((await get(cache, origin, { url: 'https://a.example/other' })).story).toContain('detail=no-freshness')
  })
  it('store errors by status, for 5 minutes at most', async () => {
    const cache = cacheOf({ profile: 'safe', rules: [{ negative: { 404: '10s', 503: '1h' } }] })
    const origin = createOrigin()
    for (const [status, seconds] of [
      [404, 10],
      [503, 300],
    ] as const) {
      const url = `https://a.example/${status}`
      origin.answers((_, count) => new Response(`${count}`, { status }))
      const first = await get(cache, origin, { url })
      wait(seconds * 1000 - 1)
      expect((await get(cache, origin, { url })).body).toBe(first.body)
      wait(1)
      expect((await get(cache, origin, { url })).body).not.toBe(first.body)
    }
  })
  it('are checked', () => {
    const make = (rule: object) => () => createHttpCache({ store: memoryStore(), rules: [rule] })
    expect(make({ mach: '/' })).toThrow(/no option mach/)
    expect(make({ ttl: '1w' })).toThrow(/ttl/)
    expect(make({ match: 'page' })).toThrow(/match/)
    expect(make({ key: 'x' })).toThrow(/key/)
    for (const name of ['vary', 'tags', 'ignoreQuery', 'cookies'])
      for (const list of ['accept', 5, [1], [''], [null]])
        expect(make({ [name]: list })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(make({ negative: { 404: 'soon' } })).toThrow(/negative/)
    for (const status of [200, 399, 'not-found']) expect(make({ negative: { [status]: '1s' } })).toThrow(/negative/)
    make({ vary: [], tags: ['t'], ignoreQuery: ['utm'], cookies: ['s'], negative: { 404: '1m', 503: '1s' } })()
  })
  it('and so are the other options', () => {
    for (const options of [
      { hosts: 'a' },
      { hosts: [1] },
      ...['', 'https://a.example', 'a.example/b', 'u@a.example', '*.example', 'a b', 'a.example:x', '::1'].map(
        (host) => ({
          hosts: [host],
        }),
      ),
      { layers: {} },
      { layers: [{}] },
      { layers: [null] },
      { onEvent: 5 },
    ])
      expect(() => cacheOf(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it('of a URL decide what an unsafe method drops that names it, not those of its own URL', async () => {
    const key = (request: Request) => request.headers.get('x-tenant') ?? ''
    const rules = [
      { match: '/keyed', key },
      { match: '/tracked', ignoreQuery: ['utm'] },
    ]
    const [cache, origin] = [cacheOf({ rules }), createOrigin()]
    for (const url of ['https://a.example/keyed', 'https://a.example/tracked?utm=1']) {
      const ask = () => get(cache, origin, { url, headers: { 'x-tenant': 't' } })
      await ask()
      expect(isHit(await ask())).toBe(true)
      origin.answers(() => new Response(null, { status: 201, headers: { location: url } }))
      await get(cache, origin, { url: 'https://a.example/form', method: 'POST' })
      origin.answers(() => new Response('new', { headers: { 'cache-control': 'max-age=60' } }))
      expect((await ask()).body).toBe('new')
    }
  })
})

describe('targeted fields', () => {
  it('decide alone: the own one, then CDN-Cache-Control, then Cache-Control', async () => {
    const isStored = async (fields: Record<string, string>): Promise<boolean> => {
      const [cache, origin] = [cacheOf({ profile: 'safe' }), createOrigin(fields)]
      await get(cache, origin)
      return isHit(await get(cache, origin))
    }
    expect(await isStored({ 'cache-control': 'no-store', 'cdn-cache-control': 'max-age=60' })).toBe(true)
    expect(await isStored({ 'cdn-cache-control': 'max-age=60', 'hither-cache-control': 'no-store' })).toBe(false)
    expect(await isStored({ 'cdn-cache-control': 'no-store', 'hither-cache-control': 'max-age=60' })).toBe(true)
    expect(await isStored({ 'cache-control': 'max-age=60', 'cdn-cache-control': 'private' })).toBe(false)
    expect(await isStored({ 'cache-control': 'max-age=60', 'cdn-cache-control': '' })).toBe(true)
    expect(await isStored({ 'cache-control': 'max-age=60', 'cdn-cache-control': 'max-age=, no-store' })).toBe(true)
    expect(await isStored({ 'cache-control': 'max-age=60', 'cdn-cache-control': 'max-age="60"' })).toBe(false)
    expect(await isStored({ expires: date(START + 99_000), 'cdn-cache-control': 'max-age=0' })).toBe(false)
    expect(await isStored({ 'cdn-cache-control': 'max-age=60;p=1, foo=(1 2)' })).toBe(true)
  })
})

describe('a POST', () => {
  it('answers a later GET only where it says that it is the same, for how long, and in full', async () => {
    const answer = { 'cache-control': 'max-age=60', 'content-location': URL_A }
    const later = async (cache: ReturnType<typeof cacheOf>, fields: Record<string, string>, headers = {}) => {
      const origin = createOrigin(fields)
      await get(cache, origin, { method: 'POST', body: 'x', headers })
      return (await get(cache, origin)).body
    }
    expect(await later(cacheOf(), answer)).toBe('1')
    expect(await later(cacheOf({ profile: 'safe' }), answer)).toBe('2')
    expect(await later(cacheOf(), { ...answer, 'content-location': '/other' })).toBe('2')
    expect(await later(cacheOf(), { 'content-location': URL_A })).toBe('2')
    expect(await later(cacheOf(), answer, { cookie: 'a=1' })).toBe('2')
  })
})

describe('a store that does not answer', () => {
  it('lets requests pass, and a purge reject', async () => {
    const store = memoryStore()
    const events: string[] = []
    const cache = cacheOf({ store, onEvent: ({ type }) => events.push(type) })
    const origin = createOrigin()
    await get(cache, origin)
    await store.close()
    expect((await get(cache, origin)).story).toBe('hither; fwd=miss; fwd-status=200; detail=store')
    const count = origin.asked.length
    const asked = await get(cache, origin, { headers: { 'cache-control': 'only-if-cached' } })
    expect(asked).toMatchObject({ status: 504, story: 'hither; detail=store' })
    expect(origin.asked.length).toBe(count)
    await get(cache, origin, { method: 'DELETE' })
    expect(events).toContain('store-error')
    await expect(cache.purge({ tags: ['a'] })).rejects.toThrow()
    await expect(cache.purge({})).rejects.toThrow(/tags, url, path or prefix/)
    await expect(cache.purge({ url: '/a' })).rejects.toThrow(/whole URLs/)
  })
})

describe('a store that ends no call at its deadline', () => {
  /** A double of a store, as a test would write it. */
  const hangingStore = () => {
    const inner = memoryStore()
    let hangs = false
    const store = new Proxy(inner, {
      get(_, name: keyof typeof inner) {
        const own = inner[name]
        const isCall = typeof own === 'function' && name !== 'close'
        return isCall ? (...args: never[]) => (hangs ? new Promise(() => {}) : Reflect.apply(own, inner, args)) : own
      },
    })
    const hang = (): void => {
      hangs = true
    }
    return { store, hang }
  }
  const large = () => new Response('x'.repeat(600_000), { headers: { 'cache-control': 'max-age=60' } })

  it('hangs neither requests nor purges, nor a body that is stored on its way', async () => {
    const { store, hang } = hangingStore()
    const cache = cacheOf({ store, storeTimeout: '50ms' })
    const origin = createOrigin()
    origin.answers(large)
    await get(cache, origin)
    origin.answers(() => {
      hang()
      return large()
    })
    expect((await get(cache, origin, { url: 'https://a.example/other' })).body.length).toBe(600_000)
    origin.answers(() => new Response('from the origin'))
    expect((await get(cache, origin)).body).toBe('from the origin')
    expect((await get(cache, origin, { method: 'POST', body: 'x' })).body).toBe('from the origin')
    await expect(cache.purge({ tags: ['a'] })).rejects.toMatchObject({
      code: expect.stringMatching(/^(TIMEOUT|STORE_UN)/),
    })
    await cache.flush()
  })
})

describe('a store of small values', () => {
  it('has a body that is no small one in parts', async () => {
    const [cache, origin] = [cacheOf({ store: memoryStore({ maxValueBytes: 2000 }) }), createOrigin()]
    for (const length of [10, 500, 1400, 20_000]) {
      const url = `https://a.example/${length}`
      origin.answers(() => new Response('x'.repeat(length), { headers: { 'cache-control': 'max-age=60' } }))
      await get(cache, origin, { url })
      const { body, story } = await get(cache, origin, { url })
      expect([length, body.length, story.includes('hit;')]).toEqual([length, length, true])
    }
  })
})

describe('see', () => {
  it('reads a response', async () => expect((await see(new Response('x'))).body).toBe('x'))
})
