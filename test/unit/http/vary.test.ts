import { describe, expect, it } from 'vitest'
import { isNewer, type Selectable, selectorsOf } from '../../../src/http/vary.ts'

type Fields = Record<string, string>
/** The one of several stored responses that a request selects. */
function select<T extends Selectable>(stored: readonly T[], request: Headers, anyOrder: boolean): T | undefined {
  let best: T | undefined
  for (const one of stored) if (isNewer(one, best, request, anyOrder)) best = one
  return best
}
const store = (vary: string, request: Fields, dateMs = 0, anyOrder = true) => ({
  selectors: selectorsOf(new Headers(request), new Headers({ vary }), anyOrder) ?? [],
  dateMs,
})
const matches = (vary: string, stored: Fields, asked: Fields, anyOrder = true): boolean =>
  select([store(vary, stored, 0, anyOrder)], new Headers(asked), anyOrder) !== undefined

describe('a request', () => {
  it.each<[string, Fields, Fields, boolean]>([
    ['', {}, { foo: '1' }, true],
    ['Foo', { foo: '1' }, { foo: '1' }, true],
    ['Foo', { foo: '1' }, { foo: '2' }, false],
    ['Foo', { foo: '1' }, {}, false],
    ['Foo', {}, { foo: '1' }, false],
    ['Foo', {}, { foo: '' }, false],
    ['Foo', {}, {}, true],
    ['Foo', { foo: 'a,b' }, { foo: ' a ,\tb ' }, true],
    ['Foo', { foo: 'a' }, { foo: 'A' }, false],
    ['Foo', { foo: 'a, b' }, { foo: 'b, a' }, false],
    ['Foo, Bar', { foo: '1', bar: '2' }, { foo: '1', bar: '3' }, false],
    ['Accept-Language', { 'accept-language': 'en, DE' }, { 'accept-language': 'EN,de' }, true],
    ['Accept-Language', { 'accept-language': 'en, de' }, { 'accept-language': 'de, en' }, true],
    ['Accept-Language', { 'accept-language': 'en;q=0.5' }, { 'accept-language': 'en; q=0.5' }, true],
    ['Accept-Language', { 'accept-language': 'en, de' }, { 'accept-language': 'de;q=1.0, fr;q=0.5' }, false],
    ['Accept-Encoding', { 'accept-encoding': 'gzip' }, { 'accept-encoding': 'br' }, false],
  ])('selects by the fields of Vary: %s %j %j', (vary, stored, asked, expected) =>
    expect(matches(vary, stored, asked)).toBe(expected),
  )
  it('selects by the order of languages where that is asked for', () => {
    expect(matches('accept-language', { 'accept-language': 'a, b' }, { 'accept-language': 'b, a' }, false)).toBe(false)
  })
  it('selects the newest of several', () => {
    const all = [store('', {}, 1), store('foo', { foo: '1' }, 3), store('bar', {}, 2), store('foo', { foo: '2' }, 9)]
    expect(select(all, new Headers({ foo: '1' }), true)?.dateMs).toBe(3)
    expect(select(all, new Headers({ foo: '3', bar: 'x' }), true)?.dateMs).toBe(1)
    expect(select([store('', {}, 1), { ...store('', {}, 1), dateMs: 1 }], new Headers(), true)?.dateMs).toBe(1)
  })
  it('selects a compressed response by Accept-Encoding, whatever its Vary says', () => {
    const request = (coding: string): Headers => new Headers({ 'accept-encoding': coding })
    const selectors = (response: Record<string, string>) => selectorsOf(request('gzip'), new Headers(response), true)
    expect(selectors({ 'content-encoding': 'gzip' })).toEqual([['accept-encoding', 'gzip']])
    expect(selectors({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' })).toEqual([['accept-encoding', 'gzip']])
    expect(selectors({})).toEqual([])
  })
  it('selects nothing under an asterisk', () => {
    expect(selectorsOf(new Headers(), new Headers({ vary: 'a, *' }), true)).toBeUndefined()
  })
  it('has a long value compared as it is', () => {
    const long = 'a, '.repeat(2000)
    expect(matches('foo', { foo: long }, { foo: `${long}` })).toBe(true)
    expect(matches('foo', { foo: `${long}b` }, { foo: `${long.replaceAll(' ', '')}b` })).toBe(false)
  })
  it('that claims another host, URL or method has an answer for such requests alone, which others do not get', () => {
    const names = 'host port prefix proto protocol scheme server ssl uri user'
      .split(' ')
      .map((one) => `x-forwarded-${one}`)
    names.push('x-host', 'x-original-host', 'x-original-uri', 'x-original-url', 'x-rewrite-url', 'x-url-scheme')
    names.push(
      'x-http-method',
      'x-http-method-override',
      'x-method-override',
      'x-http-host-override',
      'front-end-https',
    )
    for (const name of names) {
      const claim = { [name]: 'evil.example' }
      expect([name, matches('', claim, {}), matches('', claim, claim), matches('', {}, claim)]).toEqual([
        name,
        false,
        true,
        true,
      ])
      expect(matches('', claim, { [name]: 'a.example' })).toBe(false)
      expect(matches(name, claim, claim)).toBe(true)
    }
    // A field that a proxy adds to name the client selects nothing: there would be a response for each client.
    for (const name of ['x-forwarded-for', 'x-original-forwarded-for', 'x-hostname', 'x-real-ip', 'forwarded'])
      expect([name, matches('', { [name]: '192.0.2.1' }, {})]).toEqual([name, true])
  })
})
