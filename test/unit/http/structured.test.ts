import { describe, expect, it } from 'vitest'
import { parseDictionary, parseList } from '../../../src/http/structured.ts'

describe('a structured list', () => {
  it.each([
    ['"a", "b"', ['a', 'b']],
    ['"a";x=1;y="z", "b";q', ['a', 'b']],
    ['"a\\"\\\\"', ['a"\\']],
    ['1, -2, 1.5', [1, -2, { other: true }]],
    ['a/b:c, *x', [{ token: 'a/b:c' }, { token: '*x' }]],
    ['?1, ?0', [true, false]],
    ['("a" "b");x, ()', [['a', 'b'], []]],
    [':aGk=:, @1, %"a%c3%bc"', [{ other: true }, { other: true }, { other: true }]],
    ['  "a"', ['a']],
    ['"a"\t,\t"b"', ['a', 'b']],
  ])('is read: %s', (text, expected) => expect(parseList(text)).toEqual(expected))
  it.each([
    '',
    ' ',
    ',',
    '"a",',
    '"a" "b"',
    '"a',
    '"é"',
    '"\\a"',
    '("a""b")',
    '("a"',
    '?2',
    '1.',
    '1.2345',
    '1234567890123456',
    '"a";X',
    '"a",,"b"',
    ':a',
    '@1.5',
    '{}',
  ])('that is malformed is none: %s', (text) => expect(parseList(text)).toBeUndefined())
  it('has 1,024 members at most, each with 256 parameters', () => {
    expect(parseList(Array(1024).fill('1').join())?.length).toBe(1024)
    expect(parseList(Array(1025).fill('1').join())).toBeUndefined()
    expect(parseList(`1${';a'.repeat(256)}`)?.length).toBe(1)
    expect(parseList(`1${';a'.repeat(257)}`)).toBeUndefined()
  })
  it('that is absent is none', () => expect(parseList(null)).toBeUndefined())
})

describe('a structured dictionary', () => {
  it.each([
    ['a, b=1, c="x";p', { a: true, b: 1, c: 'x' }],
    ['a=1, a=2', { a: 2 }],
    ['a=(1 "b");x, *b', { a: [1, 'b'], '*b': true }],
    ['a;x=1', { a: true }],
  ])('is read: %s', (text, expected) => expect(Object.fromEntries(parseDictionary(text) ?? [])).toEqual(expected))
  it.each(['', 'A=1', 'a=', 'a =1', 'a= 1', '1=a', 'a,', 'a b', '"a"=1'])('that is malformed is none: %s', (text) =>
    expect(parseDictionary(text)).toBeUndefined(),
  )
})
