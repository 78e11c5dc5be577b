import { describe, expect, it } from 'vitest'
import { createKeys, prefixesOf } from '../../../src/http/keys.ts'
import { createPlaces } from '../../../src/http/place.ts'

const keys = createKeys('t')
const placeOf = createPlaces(keys)

it('of a long URL is remembered nowhere: requests choose how long they are', async () => {
  const url = (length: number) => `https://a.example/${'x'.repeat(length)}`
  await placeOf(url(10), '')
  expect(placeOf(url(10), '')).not.toBeInstanceOf(Promise)
  await placeOf(url(3000), '')
  expect(placeOf(url(3000), '')).toBeInstanceOf(Promise)
})

describe('the key of a URL', () => {
  const record = async (url: string, ignore?: readonly string[]) => (await placeOf(url, '', ignore)).record
  it('has no parameter of the query left out but those named, by their whole names', async () => {
    const base = await record('https://a.example/p?x=1', ['utm'])
    for (const same of ['?x=1&utm=2', '?utm&x=1', '?%75tm=1&x=1', '?x=1&utm=a&utm=b'])
      expect([same, await record(`https://a.example/p${same}`, ['utm'])]).toEqual([same, base])
    for (const other of [
      '?x=1&utm_source=2',
      '?x=1&UTM=2',
      '?x=1&utm[]=2',
      '?x=1;utm=2',
      '?utm=1;x=2&x=1&y',
      '?x=1&mutm=2',
      '?x=2&utm=1',
      '',
    ])
      expect([other, (await record(`https://a.example/p${other}`, ['utm'])) === base]).toEqual([other, false])
  })
  it('is another one for another namespace, tenant or key', async () => {
    const all = await Promise.all([
      placeOf('https://a.example/p', ''),
      placeOf('https://a.example/p', 'a'),
      placeOf('https://a.example/p', '', [], ''),
      placeOf('https://a.example/p', '', [], 'a'),
      placeOf('https://a.example/p', '["","a"]'),
      createPlaces(createKeys('u'))('https://a.example/p', ''),
    ])
    expect(new Set(all.map((place) => place.record)).size).toBe(6)
  })
  it('is never that of another in 100,000 pairs, whatever characters they have', async () => {
    let state = 1
    const random = (most: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return (state >>> 8) % most
    }
    const pieces = [
      '',
      'a',
      '"',
      ',',
      '","',
      '\\',
      '\0',
      '|',
      ':',
      '/',
      '?',
      '#',
      '\n',
      '[',
      ']',
      '\ud800',
      'ü',
      'u\u0308',
    ]
    const text = (): string => Array.from({ length: random(4) }, () => pieces[random(pieces.length)]).join('')
    const names = new Map<string, string>()
    for (let i = 0; i < 600; i++) {
      const parts = [text(), text(), text()] as const
      const key = await keys.record(...parts)
      const name = JSON.stringify(parts)
      expect(names.get(key) ?? name).toBe(name)
      names.set(key, name)
    }
    expect((names.size * (names.size - 1)) / 2).toBeGreaterThan(100_000)
  })
})

describe('what a path is below', () => {
  it.each([
    ['/', ['/']],
    ['/a', ['/', '/a/']],
    ['/a/b/', ['/', '/a/', '/a/b/']],
    ['//a', ['/', '/a/']],
    [
      '/1/2/3/4/5/6/7/8/9',
      [
        '/',
        '/1/',
        '/1/2/',
        '/1/2/3/',
        '/1/2/3/4/',
        '/1/2/3/4/5/',
        '/1/2/3/4/5/6/',
        '/1/2/3/4/5/6/7/',
        '/1/2/3/4/5/6/7/8/',
      ],
    ],
  ])('is its whole segments, eight at most: %s', (path, expected) => expect(prefixesOf(path)).toEqual(expected))
})
