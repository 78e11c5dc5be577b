import { describe, expect, it } from 'vitest'
import {
  controlOf,
  fieldsOf,
  isUnqualified,
  listOf,
  parseDirectives,
  seconds,
  secondsOf,
} from '../../../src/http/directives.ts'

const read = (text: string): Record<string, string | true> => Object.fromEntries(parseDirectives(text))

describe('Cache-Control', () => {
  it.each([
    ['max-age=60, Public', { 'max-age': '60', public: true }],
    ['No-StOrE', { 'no-store': true }],
    [' max-age=60 ,\tno-cache', { 'max-age': '60', 'no-cache': true }],
    [',, ,max-age=1,,', { 'max-age': '1' }],
    ['ext="max-age=60, private", no-cache', { ext: 'max-age=60, private', 'no-cache': true }],
    ['ext="a\\"b, no-store"', { ext: 'a"b, no-store' }],
    ['ext="never closed, no-store', { ext: 'never closed, no-store', 'no-store': true }],
    ['max-age="60', { 'max-age': '60' }],
    ['private="a, b"', { private: 'a, b' }],
    ['private=', { private: '' }],
    ['max-age="60"', { 'max-age': '60' }],
    ["max-age='60'", { 'max-age': "'60'" }],
    ['max-age="60"x', { 'max-age': '"60' }],
    ['max-age=6 0', { 'max-age': '6 0' }],
    ['=60', {}],
    ['private; max-age=60', { private: true }],
    ['max-age=60; Private', { 'max-age': '60; Private', private: true }],
    ['max-age=60 no-store', { 'max-age': '60 no-store', 'no-store': true }],
    ['ext="a" private', { ext: '"a', private: true }],
    ['"no-store", public', { 'no-store': true, public: true }],
    ['private\\', { private: true }],
    ['\u00a0no-cache\u00a0', { 'no-cache': true }],
    ['public; max-age=60', {}],
    ['not-private, private-x; y', { 'not-private': true }],
    ['', {}],
    [
      '__proto__=1, constructor',
      Object.fromEntries([
        ['__proto__', '1'],
        ['constructor', true],
      ]),
    ],
  ])('is read in any spelling: %s', (text, expected) => expect(read(text)).toEqual(expected))
  it.each([
    ['max-age=60, max-age=10', '10'],
    ['max-age=10, max-age=60', '10'],
    ['max-age=x, max-age=60', 'x'],
    ['max-age=60, max-age', true],
  ])('that says one thing twice has the stricter: %s', (text, expected) => expect(read(text)['max-age']).toBe(expected))
  it('that limits one directive twice limits it by both', () => {
    expect(fieldsOf(parseDirectives('private="a", private="B"'), 'private')).toEqual(['a', 'b'])
    expect(isUnqualified(parseDirectives('private="a", private'), 'private')).toBe(true)
    expect(isUnqualified(parseDirectives('private=""'), 'private')).toBe(true)
    expect(isUnqualified(parseDirectives('private="a"'), 'private')).toBe(false)
    for (const named of ['="a, b"', '=a', '=" a ,b, "', '="\ta"'])
      expect([named, isUnqualified(parseDirectives(`private${named}`), 'private')]).toEqual([named, false])
    for (const named of ['=a; b', '=a b;', '="a; b"', '="a"b', '=", "', '=""', '="é"'])
      expect([named, isUnqualified(parseDirectives(`private${named}`), 'private')]).toEqual([named, true])
    expect(isUnqualified(parseDirectives('public'), 'private')).toBe(false)
  })
  it('forbid storing where they are more than any parser has to take', () => {
    expect(parseDirectives('max-age=9,'.repeat(1024)).has('no-store')).toBe(false)
    expect(parseDirectives('max-age=9,'.repeat(1025)).has('no-store')).toBe(true)
  })
})

describe('delta-seconds', () => {
  it.each<[string | true | undefined, number | undefined]>([
    ['0', 0],
    ['0060', 60],
    ['2147483648', 2 ** 31],
    ['99999999999999999999', 2 ** 31],
    ['-1', undefined],
    ['+1', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['0x10', undefined],
    [' 1', undefined],
    ['', undefined],
    [true, undefined],
    [undefined, undefined],
  ])('are digits, and no more than 2^31: %s', (text, expected) => expect(seconds(text)).toBe(expected))
  it('of a directive that is there but invalid are 0', () => {
    expect(secondsOf(parseDirectives('max-age=x'), 'max-age')).toBe(0)
    expect(secondsOf(parseDirectives('max-age'), 'max-age')).toBe(0)
    expect(secondsOf(parseDirectives('public'), 'max-age')).toBeUndefined()
  })
})

describe('a list', () => {
  it.each([
    ['a, B ,a', ['a', 'b']],
    [', ,', []],
    [' a\t', ['a']],
    [null, []],
  ])('has each member once, in lower case: %s', (text, expected) => expect(listOf(text)).toEqual(expected))
})

describe('the field that decides', () => {
  const control = (fields: Record<string, string>) => {
    const { directives, targeted } = controlOf(new Headers(fields))
    return [Object.fromEntries(directives), targeted]
  }
  it('is the first targeted one that is valid and not empty, else Cache-Control', () => {
    const [own, cdn, all] = [
      { 'hither-cache-control': 'max-age=1' },
      { 'cdn-cache-control': 'max-age=2' },
      { 'cache-control': 'max-age=3' },
    ]
    expect(control({ ...own, ...cdn, ...all })).toEqual([{ 'max-age': '1' }, true])
    expect(control({ ...cdn, ...all })).toEqual([{ 'max-age': '2' }, true])
    expect(control(all)).toEqual([{ 'max-age': '3' }, false])
    for (const bad of ['', ' ', ',', 'Max-Age=1', 'max-age=1,', 'max-age = 1', '"x"', 'a=(1'])
      expect([bad, control({ 'hither-cache-control': bad, ...cdn })]).toEqual([bad, [{ 'max-age': '2' }, true]])
  })
  it.each([
    ['max-age=60;x=1, no-store', { 'max-age': '60', 'no-store': true }],
    ['max-age="60"', {}],
    ['max-age=1.5', {}],
    ['max-age=?0, no-store=?0', {}],
    ['no-store=?1', { 'no-store': true }],
    ['no-store=1', { 'no-store': '1' }],
    ['private="a, b"', { private: 'a, b' }],
    ['private=token', { private: true }],
    ['max-age=-1', { 'max-age': '-1' }],
    ['max-age=1, max-age=2', { 'max-age': '2' }],
  ])('coerces no value of a wrong type: %s', (text, expected) =>
    expect(control({ 'cdn-cache-control': text })).toEqual([expected, true]),
  )
})
