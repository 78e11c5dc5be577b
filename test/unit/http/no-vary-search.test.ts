import { describe, expect, it } from 'vitest'
import { canonicalQuery } from '../../../src/http/no-vary-search.ts'

describe('No-Vary-Search', () => {
  it.each([
    ['params', '?a=1&b=2', ''],
    ['params=?1', '?a=1', ''],
    ['params=?0', '?a=1&b=2', '?a=1&b=2'],
    ['params=("a")', '?a=1&b=2&a=3', '?b=2'],
    ['params=("a" "b")', '?b=1&A=2', '?A=2'],
    ['params, except=("a")', '?b=2&a=1&c', '?a=1'],
    ['key-order', '?b=2&a=1&a=0', '?a=1&a=0&b=2'],
    ['key-order=?0', '?b=2&a=1', '?b=2&a=1'],
    ['key-order, params=("utm source")', '?b&utm+source=x&a', '?a=&b='],
    ['params=("é")', '?a=1', '?a=1'],
    ['params=("%C3%A9")', '?%C3%A9=1&%25C3%25A9=2', '?%25C3%25A9=2'],
    [
      'params=("%C3%A9+%E6%B0%97" "a%3Db&c=d")',
      '?é 気=1&%C3%A9%20%E6%B0%97&a%3db&b&a=1&c%3Dd&a%3Db%26c%3Dd=2',
      '?a%3Db=&b=&a=1&c%3Dd=',
    ],
    ['params=("%f6" "%zz")', '?%EF%BF%BD=1&%zz=2&b', '?b='],
    ['except=("a")', '?b=2&a=1&c', '?a=1'],
    ['except=("%61")', '?b=2&a=1', '?a=1'],
    ['except=()', '?b=2&a=1', ''],
    ['key-order, except=("a" "b")', '?c&b=2&a=1', '?a=1&b=2'],
  ])('%s makes of %s: %s', (field, search, expected) => expect(canonicalQuery(search, field)).toBe(expected))
  it.each([
    '',
    'params=1',
    'params="a"',
    'params=(a)',
    'params=(1)',
    'except',
    'except=a',
    'except=(a)',
    'params=(), except=()',
    'params=?0, except=("a")',
    'params=("b"), except=("a")',
    'params, except',
    'key-order=1',
    'params=(',
    'Params',
  ])('that is malformed changes nothing: %s', (field) => expect(canonicalQuery('?b=2&a=1', field)).toBe('?b=2&a=1'))
  it('that is absent changes nothing', () =>
    expect([canonicalQuery('?a', null), canonicalQuery('', 'params')]).toEqual(['?a', '']))
  it('makes one of two spellings of a query', () => {
    expect(canonicalQuery('?%61=%31', 'key-order')).toBe(canonicalQuery('?a=1', 'key-order'))
  })
})
