import { describe, expect, it } from 'vitest'
import { controlOf } from '../../../src/http/directives.ts'
import { judgeStorable, PROFILES, type RuleTimes } from '../../../src/http/storable.ts'

type Fields = Record<string, string>
const NOW = Date.UTC(2026, 0, 1)
interface Case {
  readonly status?: number
  readonly request?: Fields
  readonly rule?: RuleTimes
  readonly hasIdentity?: boolean
}

/** In each profile: `stored`, or the reason why the response is not. */
function judge(fields: Fields, { status = 200, request = {}, rule = {}, hasIdentity = false }: Case = {}) {
  const headers = new Headers(fields)
  const asked = { headers: new Headers(request), hasIdentity, ...rule }
  const received = { status, headers, requestMs: NOW, responseMs: NOW }
  return (['safe', 'full'] as const).map((profile) => {
    const verdict = judgeStorable(asked, received, controlOf(headers), PROFILES[profile])
    return verdict.store ? 'stored' : verdict.why
  })
}
const fresh = { 'cache-control': 'max-age=60' }
const cc = (text: string): Fields => ({ 'cache-control': text })
const old = { 'last-modified': 'Thu, 01 Jan 2015 00:00:00 GMT' }

describe('a response is stored, or not, in safe and in full', () => {
  it.each<[Fields, string, string]>([
    [fresh, 'stored', 'stored'],
    [cc('s-maxage=60'), 'stored', 'stored'],
    [{ expires: 'Fri, 02 Jan 2026 00:00:00 GMT' }, 'stored', 'stored'],
    [cc('public'), 'no-freshness', 'no-freshness'],
    [{}, 'no-freshness', 'no-freshness'],
    [old, 'no-freshness', 'stored'],
    [{ etag: '"a"' }, 'no-freshness', 'stored'],
    [cc('max-age=0'), 'stale', 'stale'],
    [{ ...cc('max-age=0'), etag: '"a"' }, 'stored', 'stored'],
    [cc('max-age=0, stale-while-revalidate=9'), 'stored', 'stored'],
    [cc('max-age=x'), 'stale', 'stale'],
    [{ expires: '0' }, 'stale', 'stale'],
    [cc('no-store, max-age=60'), 'no-store', 'no-store'],
    [cc('private, max-age=60'), 'private', 'private'],
    [cc('private="x", max-age=60'), 'stored', 'stored'],
    [cc('private, public, max-age=60'), 'private', 'private'],
    [{ ...cc('no-cache, max-age=60'), etag: '"a"' }, 'stored', 'stored'],
    [cc('no-cache, max-age=60, stale-while-revalidate=9'), 'stale', 'stale'],
    [cc('no-cache="x", max-age=60'), 'stored', 'stored'],
    [{ ...fresh, vary: '*' }, 'vary', 'vary'],
    [{ ...fresh, vary: 'x, *' }, 'vary', 'vary'],
    [{ ...fresh, vary: 'cookie' }, 'vary', 'stored'],
    [{ ...fresh, vary: 'X, Authorization' }, 'vary', 'stored'],
    [{ ...fresh, 'set-cookie': 'a=1' }, 'set-cookie', 'stored'],
    [{ ...fresh, 'content-type': 'Text/Event-Stream;x' }, 'stream', 'stream'],
    [cc('must-understand, no-store, max-age=60'), 'stored', 'stored'],
    [{ ...cc('no-store'), 'cdn-cache-control': 'max-age=60' }, 'stored', 'stored'],
    [{ ...fresh, 'cdn-cache-control': 'no-store' }, 'no-store', 'no-store'],
    [{ ...fresh, 'cdn-cache-control': 'private' }, 'private', 'private'],
    [{ ...fresh, 'cdn-cache-control': 'max-age=0' }, 'stale', 'stale'],
    [{ ...fresh, 'surrogate-control': 'no-store' }, 'stored', 'stored'],
    [{ ...fresh, pragma: 'no-cache' }, 'stored', 'stored'],
  ])('%j: %s, %s', (fields, safe, full) => expect(judge(fields)).toEqual([safe, full]))
})

describe('by its status', () => {
  it.each([
    [200, 'stored', 'stored'],
    [203, 'stored', 'stored'],
    [204, 'stored', 'stored'],
    [206, 'status', 'stored'],
    [301, 'stored', 'stored'],
    [302, 'stored', 'stored'],
    [304, 'status', 'status'],
    [308, 'stored', 'stored'],
    [404, 'stored', 'stored'],
    [410, 'stored', 'stored'],
    [400, 'status', 'stored'],
    [403, 'status', 'stored'],
    [416, 'status', 'status'],
    [429, 'status', 'stored'],
    [500, 'status', 'stored'],
    [503, 'status', 'stored'],
    [199, 'status', 'status'],
    [600, 'status', 'status'],
  ])('%i: %s, %s', (status, safe, full) => expect(judge(fresh, { status })).toEqual([safe, full]))
  it('that is not understood is not stored where that is asked for', () => {
    expect(judge(cc('must-understand, max-age=60'), { status: 299 })).toEqual(['no-store', 'no-store'])
    expect(judge(cc('must-understand, no-store, max-age=60'), { status: 499 })).toEqual(['no-store', 'no-store'])
    expect(judge(cc('max-age=60'), { status: 299 })).toEqual(['stored', 'stored'])
  })
  it('an error is fresh for 5 minutes at most', () => {
    for (const status of [404, 503]) {
      const headers = new Headers(cc('max-age=3600'))
      const asked = { headers: new Headers(), hasIdentity: false }
      const received = { status, headers, requestMs: NOW, responseMs: NOW }
      expect(judgeStorable(asked, received, controlOf(headers), PROFILES.full)).toMatchObject({
        lifetime: { ms: 300_000 },
      })
    }
  })
})

describe('by its request', () => {
  const auth = { request: { authorization: 'Bearer x' } }
  it.each<[string, string]>([
    ['max-age=60', 'authorization'],
    ['max-age=60, no-cache', 'authorization'],
    ['max-age=60, proxy-revalidate', 'authorization'],
    ['max-age=60, public', 'stored'],
    ['s-maxage=60', 'stored'],
    ['max-age=60, must-revalidate', 'stored'],
    ['max-age=60, public, private', 'private'],
  ])('with Authorization, %s: %s', (control, expected) =>
    expect(judge(cc(control), auth)).toEqual([expected, expected]),
  )
  it('with a cookie that counts is stored only where it says that it is for all', () => {
    const cookie = { hasIdentity: true }
    expect(judge(fresh, cookie)).toEqual(['cookie', 'cookie'])
    expect(judge(cc('max-age=60, must-revalidate'), cookie)).toEqual(['cookie', 'cookie'])
    expect(judge(cc('max-age=60, public'), cookie)).toEqual(['stored', 'stored'])
    expect(judge(cc('s-maxage=60'), cookie)).toEqual(['stored', 'stored'])
    expect(judge({ 'cdn-cache-control': 'max-age=60' }, cookie)).toEqual(['stored', 'stored'])
  })
  it('with no-store is not stored; its other directives count for nothing', () => {
    expect(judge(fresh, { request: cc('no-store') })).toEqual(['request-no-store', 'request-no-store'])
    expect(judge(fresh, { request: cc('no-cache, max-age=0, private') })).toEqual(['stored', 'stored'])
    expect(judge({}, { request: cc('public, max-age=60') })).toEqual(['no-freshness', 'no-freshness'])
  })
})

describe('by a rule', () => {
  it('with a lifetime, where it says none; nothing makes what is private or not to be stored storable', () => {
    const rule = { ttlMs: 1000, negativeMs: (status: number) => (status === 503 ? 1000 : undefined) }
    expect(judge({}, { rule })).toEqual(['stored', 'stored'])
    expect(judge({}, { rule, status: 503 })).toEqual(['stored', 'stored'])
    for (const status of [400, 401, 403, 405, 413, 429, 500, 502])
      expect(judge({}, { rule, status })).toEqual(['status', 'no-freshness'])
    for (const status of [302, 404, 410]) expect(judge({}, { rule, status })).toEqual(['stored', 'stored'])
    for (const control of ['private', 'no-store', 'PRIVATE, public'])
      for (const status of [200, 404, 503]) {
        const why = control === 'no-store' ? control : 'private'
        expect(judge(cc(control), { rule, status })).toEqual([why, why])
      }
    expect(judge({}, { rule, request: { authorization: 'x' } })).toEqual(['authorization', 'authorization'])
    expect(judge({}, { rule, hasIdentity: true })).toEqual(['cookie', 'cookie'])
    expect(judge({ 'set-cookie': 'a=1' }, { rule })).toEqual(['set-cookie', 'stored'])
    expect(judge({ vary: '*' }, { rule })).toEqual(['vary', 'vary'])
  })
})
