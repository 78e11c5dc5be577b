import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createKeys } from '../../../src/http/keys.ts'
import { cacheOf, createOrigin, type Fields, get, isHit, URL_A } from './support.ts'

const START = Date.UTC(2026, 0, 1)
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
})
afterEach(() => {
  vi.useRealTimers()
})
const wait = (ms: number): void => void vi.setSystemTime(Date.now() + ms)
const both = ['safe', 'full'] as const

interface Shared {
  readonly first?: Fields
  readonly second?: Fields
  readonly status?: number
  readonly body?: string | null
  readonly url?: string
}

/** Whether the response to one request is served to the next. */
async function isShared(
  profile: 'safe' | 'full',
  fields: Fields,
  { first = {}, second, status = 200, body = 'x', url = URL_A }: Shared = {},
): Promise<boolean> {
  const cache = cacheOf({ profile, near: nearTier() })
  const origin = createOrigin()
  origin.answers(() => new Response(body, { status, headers: fields }))
  await get(cache, origin, { url, headers: first })
  await get(cache, origin, { url, headers: second ?? first })
  return origin.asked.length === 1
}

describe('a response that says it is not for others', () => {
  it.each(both)('never reaches a second client, however it says so (%s)', async (profile) => {
    const says = [
      'private',
      'PRIVATE',
      'max-age=60, Private',
      'private, max-age=60, public',
      'no-store',
      'No-Store, max-age=60',
      'public,no-store',
      'max-age=60,\tno-store ',
      'no-cache',
      'max-age=60, NO-CACHE',
      'private=',
      'private=""',
      'foo="bar, max-age=60"',
      'foo="a", private',
      'private; max-age=60',
      'max-age=60, no-store;',
      's-maxage=60, "private"',
      's-maxage=60, private=x-a; x-b',
      'max-age=60, private, private="x"',
      'no-store=1',
      's-maxage=60, private',
    ]
    for (const control of says)
      expect([control, await isShared(profile, { 'cache-control': control })]).toEqual([control, false])
    for (const vary of ['*', 'x, *', '*,*', ', *', '* ']) {
      expect([vary, await isShared(profile, { 'cache-control': 'max-age=60', vary })]).toEqual([vary, false])
    }
  })
  it('is not stored in safe where a cookie or credentials select it, though it says public', async () => {
    const fields = { 'cache-control': 'public, max-age=60' }
    for (const vary of ['Cookie', 'accept, cookie', 'Authorization']) {
      for (const first of [{}, { cookie: 'theme=dark' }, { authorization: 'Bearer a' }]) {
        const shared = await Promise.all(both.map((profile) => isShared(profile, { ...fields, vary }, { first })))
        expect([vary, first, ...shared]).toEqual([vary, first, false, true])
      }
    }
  })
  it('nor in safe where it says nothing, though it could be validated', async () => {
    for (const [profile, condition] of [
      ['safe', null],
      ['full', '"e"'],
    ] as const) {
      // biome-ignore format: pairs
      const cache = cacheOf({ profile })
      const origin = createOrigin({ etag: '"e"' })
      for (let i = 0; i < 2; i++) await get(cache, origin)
      expect([profile, origin.asked[1]?.headers.get('if-none-match')]).toEqual([profile, condition])
    }
  })
  it('by several lines is read as one list', async () => {
    const cache = cacheOf()
    const origin = createOrigin()
    origin.answers(
      () =>
        new Response('x', {
          headers: [
            ['cache-control', 'max-age=60'],
            ['cache-control', 'private'],
          ],
        }),
    )
    await get(cache, origin)
    expect(isHit(await get(cache, origin))).toBe(false)
  })
  it.each(both)('in some fields is stored without these (%s)', async (profile) => {
    const cache = cacheOf({ profile })
    const fields = {
      'x-user': 'ada',
      'x-own': '1',
      'x-all': '2',
      'cache-control': 'max-age=60, private="X-User", no-cache="x-own"',
    }
    const origin = createOrigin(fields)
    const first = await get(cache, origin)
    expect([first.headers.get('x-user'), first.headers.get('x-own')]).toEqual(['ada', '1'])
    const { headers } = await get(cache, origin)
    expect([headers.get('x-user'), headers.get('x-own'), headers.get('x-all')]).toEqual([null, null, '2'])
    expect(origin.asked.length).toBe(1)
  })
})

describe('two users', () => {
  it('share what says public or s-maxage, and in full what plain max-age covers', async () => {
    const cookies = { first: { cookie: 'a=1' }, second: { cookie: 'a=2' } }
    expect(await isShared('safe', { 'cache-control': 'public, max-age=60' }, cookies)).toBe(true)
    expect(await isShared('safe', { 'cache-control': 's-maxage=60' }, cookies)).toBe(true)
    expect(await isShared('safe', { 'cache-control': 'max-age=60' }, cookies)).toBe(false)
    expect(await isShared('full', { 'cache-control': 'max-age=60' }, cookies)).toBe(true)
    const tokens = { first: { authorization: 'a' }, second: { authorization: 'b' } }
    for (const profile of both) {
      expect(await isShared(profile, { 'cache-control': 'max-age=60' }, tokens)).toBe(false)
      for (const more of ['public', 's-maxage=60', 'must-revalidate'])
        expect([more, await isShared(profile, { 'cache-control': `max-age=60, ${more}` }, tokens)]).toEqual([
          more,
          true,
        ])
    }
  })
  it('are told apart by the cookies that a rule names', async () => {
    for (const profile of both) {
      const cache = cacheOf({ profile, rules: [{ cookies: ['session'] }] })
      const origin = createOrigin()
      await get(cache, origin, { headers: { cookie: 'theme=dark' } })
      expect(isHit(await get(cache, origin, { headers: { cookie: 'theme=light' } }))).toBe(true)
      for (let i = 0; i < 2; i++) {
        const mine = await get(cache, origin, { headers: { cookie: 'theme=dark; session=1' } })
        expect([profile, isHit(mine)]).toEqual([profile, false])
      }
    }
  })
})

describe('what is stored by default', () => {
  it('says for how long, and sets no cookie, is no error, no part and no stream', async () => {
    const fresh = { 'cache-control': 'max-age=60' }
    expect(await isShared('safe', fresh)).toBe(true)
    for (const fields of [
      {},
      { 'last-modified': 'Thu, 01 Jan 2015 00:00:00 GMT' },
      { etag: '"a"' },
      { ...fresh, 'set-cookie': 'a=1' },
      { ...fresh, 'content-type': 'Text/Event-Stream' },
    ])
      expect([fields, await isShared('safe', fields)]).toEqual([fields, false])
    for (const status of [400, 401, 403, 405, 413, 414, 431, 451, 500, 502, 503, 504])
      expect([status, await isShared('safe', fresh, { status })]).toEqual([status, false])
    for (const status of [200, 203, 301, 308, 404, 410])
      expect([status, await isShared('safe', fresh, { status })]).toEqual([status, true])
    expect(await isShared('safe', fresh, { status: 204, body: null })).toBe(true)
    expect(await isShared('safe', { etag: '"a"' }, { status: 204, body: null })).toBe(false)
    for (const body of ['', null]) expect(await isShared('safe', fresh, { body })).toBe(false)
    expect(await isShared('safe', fresh, { status: 302, body: null })).toBe(false)
  })
  it('does not depend on the look of a path', async () => {
    for (const path of ['/account/x.css', '/static/a.js', '/x.png', '/account%2fx.css'])
      expect(await isShared('safe', {}, { url: `https://a.example${path}` })).toBe(false)
  })
  it('is not changed by anything that a request says', async () => {
    const tricks: Fields[] = [
      { 'x-middleware-cache': '1' },
      { 'x-forwarded-host': 'evil.example' },
      { 'x-original-url': '/b' },
      { 'x-forwarded-user': 'ada' },
      { 'x-http-method': 'PUT' },
      { 'x-http-method-override': 'POST' },
      { 'cache-control': 'max-age=60, public' },
      { 'cdn-cache-control': 'max-age=60' },
      { pragma: 'cache' },
      { 'cache-tag': 'a' },
    ]
    for (const first of tricks) {
      for (const fields of [{}, { 'cache-control': 'private' }, { 'cache-control': 'no-store' }])
        expect([first, await isShared('full', fields, { first })]).toEqual([first, false])
      expect(await isShared('full', { 'cache-control': 'max-age=60' }, { first: {}, second: first })).toBe(true)
    }
  })
  it('is never taken the place of by an error', async () => {
    const cache = cacheOf()
    const origin = createOrigin({ 'cache-control': 'max-age=10, stale-if-error=1000' })
    await get(cache, origin)
    wait(11_000)
    for (const control of ['max-age=600', 'no-store', 'private', 'max-age=0'])
      for (const status of [400, 403, 413, 429, 431, 500]) {
        origin.answers(() => new Response('bad', { status, headers: { 'cache-control': control } }))
        await get(cache, origin, { headers: { 'cache-control': 'no-cache' } })
        await get(cache, origin)
      }
    origin.answers(() => Promise.reject(new TypeError('gone')))
    expect((await get(cache, origin)).body).toBe('1')
  })
  it.each(['no-store', 'private', 'max-age=0', 'no-cache, max-age=60'])(
    'is ended by a newer one with %s',
    async (control) => {
      const cache = cacheOf()
      const origin = createOrigin({ 'cache-control': 'max-age=60' })
      await get(cache, origin)
      origin.answers(() => new Response('newer', { headers: { 'cache-control': control } }))
      await get(cache, origin, { headers: { 'cache-control': 'no-cache' } })
      expect((await get(cache, origin)).body).toBe('newer')
    },
  )
  it('is not ended by a newer part of it that is of no use', async () => {
    const cache = cacheOf()
    const origin = createOrigin({ 'cache-control': 'max-age=60' })
    await get(cache, origin)
    const headers = { 'content-range': 'bytes 0-0/4', 'cache-control': 'max-age=0' }
    origin.answers(() => new Response('1', { status: 206, headers }))
    await get(cache, origin, { headers: { 'cache-control': 'no-cache', range: 'bytes=0-0' } })
    expect(isHit(await get(cache, origin))).toBe(true)
  })
})

describe('the key', () => {
  it('is scheme, authority, path and the whole query', async () => {
    const cache = cacheOf()
    const origin = createOrigin()
    const urls = [
      'https://a.example/p',
      'http://a.example/p',
      'https://a.example:8443/p',
      'https://b.example/p',
      'https://a.example/P',
      'https://a.example/p/',
      'https://a.example//p',
      'https://a.example/p?',
      'https://a.example/p?a',
      'https://a.example/p?a=',
      'https://a.example/p?a=1',
      'https://a.example/p?a=1&b=2',
      'https://a.example/p?b=2&a=1',
      'https://a.example/p?a=1;b=2',
      'https://a.example/%70',
      'https://a.example/p%2Fq',
      'https://a.example/p/q',
      'https://a.example/p%2fq',
    ]
    for (const [i, url] of urls.entries()) {
      const { body, story } = await get(cache, origin, { url })
      expect([url, body, i, story.includes('hit;')]).toEqual([url, `${i + 1}`, i, false])
    }
    expect(isHit(await get(cache, origin, { url: 'https://A.Example:443/x/../p#fragment' }))).toBe(true)
    expect((await get(cache, origin, { url: 'https://a.example/p?#fragment' })).body).toBe('8')
    expect((await get(cache, origin, { url: 'https://a.example/p#a?' })).body).toBe('1')
    await cache.purge({ url: 'https://a.example/p?' })
    expect((await get(cache, origin, { url: 'https://a.example/p?' })).story).toContain('fwd=uri-miss')
    expect(isHit(await get(cache, origin, { url: 'https://a.example/p' }))).toBe(true)
  })
  it('has text for its further part, or no answer is given: two promises would be one key', async () => {
    const cache = cacheOf({ rules: [{ key: (async () => 'tenant') as never }] })
    const origin = createOrigin()
    await expect(get(cache, origin)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const byContext = cacheOf()
    const ask = byContext(new Request(URL_A), origin, { key: Promise.resolve('tenant') as never })
    await expect(ask).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(origin.asked).toEqual([])
  })
  it('cannot be forged: two different names never share one, and all have one length', async () => {
    const keys = createKeys('t')
    const parts = ['', 'a', '"', '","', '\\', '\u0000', '|', ':', '/', '?', '#', 'ž', '\ud800', '\n', '[]', 'a"', '\\"']
    const seen = new Map<string, string>()
    for (const a of parts)
      for (const b of parts)
        for (const c of parts) {
          const key = await keys.record(a, b, c)
          const name = JSON.stringify([a, b, c])
          expect(seen.get(key) ?? name).toBe(name)
          seen.set(key, name)
          expect(key.length).toBe('t!:'.length + 43)
        }
    const kinds = await Promise.all([
      keys.tag('x'),
      keys.group('x', ''),
      keys.path('x', ''),
      keys.prefix('x', ''),
      keys.record('x', '', ''),
    ])
    expect(new Set(kinds).size).toBe(5)
  })
  it.each([
    ['a.example', ['https://a.example/', 'http://a.example/'], 'https://a.example:444/'],
    ['A.Example:443', ['https://a.example/', 'https://a.example:443/'], 'http://a.example/'],
    ['a.example:80', ['http://a.example/', 'http://a.example:80/'], 'https://a.example/'],
    ['a.example:08443', ['https://a.example:8443/', 'http://a.example:8443/'], 'https://a.example/'],
    ['münchen.example', ['https://xn--mnchen-3ya.example/', 'https://münchen.example/'], 'https://munchen.example/'],
    ['[0:0::1]:8080', ['http://[::1]:8080/', 'https://[::1]:8080/'], 'http://[::1]/'],
  ])('knows a listed host as a URL has it: %s', async (host, urls, another) => {
    const [cache, origin] = [cacheOf({ hosts: [host] }), createOrigin()]
    for (const url of urls) expect((await get(cache, origin, { url })).story).not.toContain('host')
    expect((await get(cache, origin, { url: another })).story).toContain('detail=host')
  })
  it('lets a GET with a body, and hosts that are not listed, pass', async () => {
    const cache = cacheOf({ hosts: ['a.example'] })
    const origin = createOrigin()
    for (const headers of [{ 'content-length': '5' }, { 'transfer-encoding': 'chunked' }] as Fields[]) {
      await get(cache, origin, { headers })
      expect((await get(cache, origin, { headers })).story).toContain('detail=body')
    }
    expect((await get(cache, origin, { url: 'https://evil.example/page?x=1' })).story).toContain('detail=host')
    await get(cache, origin)
    expect(isHit(await get(cache, origin))).toBe(true)
  })
})

describe('fields of one connection', () => {
  it('are in no entry and no hit', async () => {
    const store = memoryStore()
    const stored: string[] = []
    const spy = {
      ...store,
      run: ((operation, key, args, call) => {
        stored.push(JSON.stringify(args))
        return store.run(operation, key, args, call)
      }) as typeof store.run,
    }
    const cache = cacheOf({ store: spy })
    const names = [
      'keep-alive',
      'te',
      'trailer',
      'transfer-encoding',
      'upgrade',
      'proxy-connection',
      'proxy-authenticate',
      'proxy-authorization',
      'proxy-authentication-info',
      'x-hop',
    ]
    const fields = Object.fromEntries(names.map((name) => [name, 'secret-of-a-hop']))
    const origin = createOrigin({ ...fields, connection: 'close, X-Hop', 'cache-control': 'max-age=60' })
    await get(cache, origin)
    const hit = await get(cache, origin)
    expect([isHit(hit), names.filter((name) => hit.headers.has(name)), hit.headers.has('connection')]).toEqual([
      true,
      [],
      false,
    ])
    expect(stored.join()).not.toContain('secret-of-a-hop')
  })
})

describe('stored bytes', () => {
  it('of another form are a miss, and spoil nothing', async () => {
    const forms = [
      '',
      'x',
      'h1',
      '{}',
      '{"form":1}',
      '{"__proto__":{"polluted":1},"form":1}',
      'null',
      '[]',
      '{"form":1,"status":200,"fields":[["a\\nb","c"]]}',
    ]
    for (const form of forms) {
      const store = memoryStore()
      const cache = cacheOf({ store })
      const origin = createOrigin()
      await get(cache, origin)
      const key = await createKeys('http').record('https://a.example', '/page?x=1', '')
      const text = (await store.get(key)) as string
      expect(text).toMatch(/^h1/)
      const [head, line = ''] = text.split('\n')
      await store.set(key, `${head}\n${line.slice(0, 75)}${form}`)
      expect([form, (await get(cache, origin)).body]).toEqual([form, '2'])
      await store.set(key, form)
      expect([form, (await get(cache, origin)).body]).toEqual([form, '3'])
      expect(({} as { polluted?: number }).polluted).toBeUndefined()
    }
  })
  it('of a body that is no base64 are a miss', async () => {
    for (const base64 of ['*', 'A', 'A===', '/w=', 'é/==']) {
      const store = memoryStore()
      const cache = cacheOf({ store })
      const origin = createOrigin()
      origin.answers(() => new Response(Uint8Array.of(255), { headers: { 'cache-control': 'max-age=60' } }))
      await get(cache, origin)
      const key = await createKeys('http').record('https://a.example', '/page?x=1', '')
      const text = (await store.get(key)) as string
      expect(text).toContain('"base64":"/w=="')
      await store.set(key, text.replace('/w==', base64))
      expect([base64, isHit(await get(cache, origin)), origin.asked.length]).toEqual([base64, false, 2])
      expect(isHit(await get(cache, origin))).toBe(true)
    }
  })
  it('that a store keeps for ever are used for no longer than they are fresh, whatever its clock says', async () => {
    for (const skew of [0, -86_400_000, 86_400_000]) {
      const store = memoryStore({ now: () => Date.now() + skew })
      const endless = { ...store, set: (key: string, value: string) => store.set(key, value) }
      const cache = cacheOf({ store: endless, profile: 'safe' })
      const origin = createOrigin({ 'cache-control': 'max-age=60' })
      await get(cache, origin)
      expect(isHit(await get(cache, origin))).toBe(true)
      wait(60_000)
      expect([skew, isHit(await get(cache, origin))]).toEqual([skew, false])
    }
  })
  it('are not fresh again after the clock was set back', async () => {
    const cache = cacheOf()
    const origin = createOrigin({ 'cache-control': 'max-age=60' })
    await get(cache, origin)
    wait(-3_600_000)
    expect(isHit(await get(cache, origin))).toBe(false)
  })
})

describe('an origin', () => {
  it('invalidates no other', async () => {
    const cache = cacheOf()
    const origin = createOrigin()
    await get(cache, origin)
    for (const location of ['https://a.example/page?x=1', '//a.example/page?x=1']) {
      origin.answers(() => new Response('', { headers: { location, 'content-location': location } }))
      await get(cache, origin, { url: 'https://evil.example/', method: 'POST' })
    }
    expect(isHit(await get(cache, origin))).toBe(true)
    origin.answers(() => new Response('', { headers: { location: '/page?x=1' } }))
    await get(cache, origin, { url: 'https://a.example/form', method: 'POST' })
    expect(isHit(await get(cache, origin))).toBe(false)
  })
  it('cannot name more tags than can be purged', async () => {
    const tags = (count: number): Fields => ({
      'cache-control': 'max-age=60',
      'cache-tag': Array.from({ length: count }, (_, i) => `t${i}`).join(),
    })
    expect(await isShared('full', tags(64))).toBe(true)
    expect(await isShared('full', tags(65))).toBe(false)
    expect(await isShared('full', { 'cache-control': 'max-age=60', 'cache-tag': 'x'.repeat(513) })).toBe(false)
    const groups = Array.from({ length: 32 }, (_, i) => `"${`${i}`.padStart(32, 'g')}"`).join(', ')
    expect(await isShared('full', { 'cache-control': 'max-age=60', 'cache-groups': groups })).toBe(true)
  })
})
