import { describe, expect, it } from 'vitest'
import { bypassReason, hasIdentity, ruleFor, timesOf } from '../../../src/http/plan.ts'

const request = (path: string, headers: Record<string, string> = {}): Request =>
  new Request(`https://a.example${path}`, { headers })

describe('a rule', () => {
  const rules = [{ match: '/a' }, { match: '/b/*' }, { match: (r: Request) => r.headers.has('x') }, { match: '/c*' }]
  it.each([
    ['/a', 0],
    ['/a?x=1', 0],
    ['/a/', undefined],
    ['/A', undefined],
    ['/b/', 1],
    ['/b/c/d', 1],
    ['/b', undefined],
    ['/cd', 3],
    ['/x/../a', 0],
    ['/%61', undefined],
  ])('matches a path, or what begins with it: %s', (path, index) =>
    expect(ruleFor(rules, request(path))).toBe(index === undefined ? undefined : rules[index]),
  )
  it('matches by a function, and the first one counts', () => {
    expect(ruleFor(rules, request('/', { x: '1' }))).toBe(rules[2])
    expect(ruleFor([{}, { match: '/a' }], request('/a'))).toEqual({})
  })
  it('has lifetimes in milliseconds, of errors only for errors', () => {
    const { ttlMs, negativeMs } = timesOf({ ttl: '2s', negative: { 404: '1s', 200: '9s' } })
    expect([ttlMs, negativeMs(404), negativeMs(500), negativeMs(200)]).toEqual([2000, 1000, undefined, undefined])
    expect(timesOf(undefined).ttlMs).toBeUndefined()
  })
})

describe('a cookie', () => {
  const has = (cookie: string | undefined, cookies: readonly string[] | undefined, every: boolean): boolean =>
    hasIdentity(new Headers(cookie === undefined ? {} : { cookie }), cookies && { cookies }, every)
  it.each<[string | undefined, readonly string[] | undefined, boolean, boolean]>([
    [undefined, undefined, true, false],
    ['a=1', undefined, true, true],
    ['', undefined, true, true],
    ['a=1', undefined, false, false],
    ['a=1', ['s'], true, false],
    ['a=1; s=2', ['s'], false, true],
    ['s', ['s'], false, true],
    ['a=1, s=2', ['s'], false, true],
    ['S=1', ['s'], false, false],
    ['xs=1; a=s', ['s'], false, false],
    ['a="; s=1"', ['s'], false, true],
    ['a=1', [], true, false],
  ])('says who asks, or not: %s of %j', (cookie, cookies, every, expected) =>
    expect(has(cookie, cookies, every)).toBe(expected),
  )
})

describe('a request goes to the origin whatever is stored', () => {
  it.each<[Record<string, string>, string | undefined]>([
    [{}, undefined],
    [{ 'content-length': '0' }, undefined],
    [{ 'content-length': '1' }, 'body'],
    [{ 'content-length': '00' }, 'body'],
    [{ 'transfer-encoding': 'chunked' }, 'body'],
    [{ 'if-match': '*' }, 'condition'],
    [{ expect: '100-continue' }, 'condition'],
    [{ 'if-none-match': '"a"' }, undefined],
  ])('by its fields: %j', (headers, expected) =>
    expect(bypassReason(request('/', headers), undefined, undefined)).toBe(expected),
  )
  it('by its host and by a rule', () => {
    expect(bypassReason(request('/'), undefined, new Set(['b.example']))).toBe('host')
    expect(bypassReason(request('/'), undefined, new Set(['a.example']))).toBeUndefined()
    expect(bypassReason(request('/'), { bypass: () => true }, undefined)).toBe('rule')
  })
})
