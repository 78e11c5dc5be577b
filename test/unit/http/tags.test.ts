import { describe, expect, it } from 'vitest'
import { createKeys } from '../../../src/http/keys.ts'
import type { Place } from '../../../src/http/place.ts'
import { checkTags, endedGroups, versionKeysOf } from '../../../src/http/tags.ts'
import type { HttpRule } from '../../../src/http/types.ts'

const keys = createKeys('t')
const place = { origin: 'https://a.example' } as Place
const request = new Request('https://a.example/')
const versions = (fields: Record<string, string>, rule?: HttpRule) =>
  versionKeysOf(keys, { place, rule, request }, new Response('', { headers: fields }))
const tags = (...names: string[]): Promise<string[]> => Promise.all(names.map(keys.tag))
const group = (name: string): Promise<string> => keys.group('https://a.example', name)

describe('a response', () => {
  it('has the tags of its field and of its rule, each once, as they are spelled', async () => {
    expect(await versions({ 'cache-tag': 'a, B ,,a' }, { tags: ['c', 'a'] })).toEqual(await tags('c', 'a', 'B'))
    expect(await versions({}, { tags: (_, response) => [`${response.status}`] })).toEqual(await tags('200'))
    expect(await versions({})).toEqual([])
  })
  it('has its groups as tags and as groups of its origin', async () => {
    expect(await versions({ 'cache-groups': '"g 1";x, "G", token, 1' })).toEqual([
      ...(await tags('g 1', 'G')),
      await group('g 1'),
      await group('G'),
    ])
    for (const bad of ['g', '"g', '"g",', '']) expect([bad, await versions({ 'cache-groups': bad })]).toEqual([bad, []])
    const many = Array.from({ length: 32 }, (_, i) => `"${`${i}`.padStart(32, 'g')}"`).join()
    expect((await versions({ 'cache-groups': many }))?.length).toBe(64)
  })
  it('with more tags than could be purged has none, and is not stored', async () => {
    const list = (count: number): string => Array.from({ length: count }, (_, i) => i).join()
    expect((await versions({ 'cache-tag': list(64) }))?.length).toBe(64)
    expect(await versions({ 'cache-tag': list(65) })).toBeUndefined()
    expect(await versions({ 'cache-tag': 'x'.repeat(513) })).toBeUndefined()
  })
})

describe('an answer to an unsafe method', () => {
  it('ends groups of its own origin, in the case that they have', async () => {
    const ended = (text: string, origin = 'https://a.example') =>
      endedGroups(keys, origin, new Headers({ 'cache-group-invalidation': text }))
    expect(await ended('"g", "H";x')).toEqual([await group('g'), await group('H')])
    expect(await ended('"g"', 'https://b.example')).not.toEqual([await group('g')])
    expect(await ended('g, "h"')).toEqual([await group('h')])
    expect(await ended('"g')).toEqual([])
  })
})

describe('tags of a purge', () => {
  it('are a list of text', () => {
    expect(checkTags(['a'])).toEqual(['a'])
    for (const bad of ['a', [''], [1], ['x'.repeat(513)], undefined] as unknown[])
      expect(() => checkTags(bad as string[])).toThrow(/tags are a list/)
  })
})
