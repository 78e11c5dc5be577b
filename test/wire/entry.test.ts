import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { ioredisStore } from '../../adapters/ioredis/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { type AtomicStore, createCache } from '../../src/index.ts'
import { parseEntry } from '../../src/protocol/entry.ts'
import { generationKey } from '../../src/protocol/keys.ts'

/** Entries as version 0.1 stored them. Add entries, but never change one: every released form must stay readable. */
const released = JSON.parse(readFileSync(new URL('entry-form-1.json', import.meta.url), 'utf8')) as Record<
  string,
  string
>

const values: Record<string, unknown> = {
  text: 'žluťoučký 馬 👩‍👩‍👧',
  digits: '123',
  surrogate: 'a\ud800',
  zero: 0,
  'minus zero': -0,
  counter: 9007199254740991,
  float: 1.5,
  large: 2 ** 53,
  nan: Number.NaN,
  infinity: Number.NEGATIVE_INFINITY,
  null: null,
  true: true,
  object: { a: [1, 'x', null, { b: {} }], c: '' },
  date: new Date(1_795_000_000_000),
  'no date': new Date(Number.NaN),
  bigint: -(2n ** 70n),
  map: new Map<unknown, unknown>([[1, new Map([['a', undefined]])]]),
  set: new Set<unknown>([1, '1', null]),
  bytes: new Uint8Array([0, 127, 128, 255]),
  list: [undefined, 1],
  dollar: { $: 'm', v: [] },
  proto: JSON.parse('{"__proto__":{"x":1},"at":1}'),
}
const field = (name: string, width: number): string => `<${name}>`.padEnd(width, '.')
/** Replaces the fields that differ from write to write by names: id, times, token, generation. Every field keeps its width. */
const steady = (text: string): string => {
  const lease = text[1] === '-'
  const cut = (from: number, to: number): string => text.slice(from, to)
  const instant = (from: number): string =>
    /^(0|9)\1*$/.test(cut(from, from + 15)) ? cut(from, from + 15) : field('at', 15)
  return [
    cut(0, 2),
    lease ? cut(2, 43) : field('id', 16) + field('written', 16) + field('ms', 9),
    instant(43) + instant(58),
    lease ? field('token', 16) : cut(73, 89),
    instant(89),
    /^-+$/.test(cut(104, 120)) ? cut(104, 120) : field('generation', 16),
    cut(120, text.length),
  ].join('')
}

const redis = new Redis(process.env.REDIS7_URL ?? '', { enableOfflineQueue: false, maxRetriesPerRequest: 0 })
afterAll(() => redis.disconnect())
const stores: Record<string, () => AtomicStore> = { memory: () => memoryStore(), 'Redis 7': () => ioredisStore(redis) }

describe('stored form 1', () => {
  for (const [name, open] of Object.entries(stores)) {
    it(`is written to ${name} as it was released`, async () => {
      const store = open()
      const cache = createCache({ store, namespace: 'wire', storeTimeout: '20s' })
      const written: Record<string, string> = {}
      for (const [key, value] of Object.entries(values)) {
        await cache.set(key, value)
        written[key] = steady((await store.get(`wire:${key}`)) as string)
      }
      await cache.set('with ttl', 1, { ttl: '1h' })
      await cache.set('with grace', 1, { ttl: '1h', grace: '1d' })
      await cache.increment('incremented', 5)
      await cache.getOrSet('lease', async () => {
        written.lease = steady((await store.get('wire:lease')) as string)
        return 'x'
      })
      for (const key of ['with ttl', 'with grace', 'incremented']) {
        written[key] = steady((await store.get(`wire:${key}`)) as string)
      }
      await cache.delete([...Object.keys(written)])
      expect(written).toEqual(Object.fromEntries(Object.entries(released).map(([key, text]) => [key, steady(text)])))
    })
    it(`is read from ${name} as it was released`, async () => {
      const store = open()
      const cache = createCache({ store, namespace: 'wire-old', storeTimeout: '20s' })
      // An entry is valid only under the generation of its namespace, so store the generation of the released entries.
      await store.set(generationKey('wire-old'), (released.text as string).slice(104, 120), 60_000)
      for (const [key, value] of Object.entries(values)) {
        await store.set(`wire-old:${key}`, released[key] as string, 60_000)
        const entry = await cache.getEntry(key)
        expect(entry.status).toBe('fresh')
        expect(entry.value).toEqual(value)
      }
      await store.set('wire-old:lease', released.lease as string, 60_000)
      expect(await cache.get('lease')).toBeUndefined()
      await store.set('wire-old:n', released.incremented as string, 60_000)
      expect(await cache.increment('n')).toBe(6)
      await cache.delete([...Object.keys(values), 'lease', 'n'])
    })
  }
  it('has its payload after a tag block that this version does not read', () => {
    const text = released.object as string
    expect(parseEntry(`${text.slice(0, 120)}00000005{tag}${text.slice(128)}`)?.payload).toBe(text.slice(128))
  })
})
