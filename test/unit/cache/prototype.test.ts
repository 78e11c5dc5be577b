import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { plain } from 'hither/plain'
import { describe, expect, it } from 'vitest'
import * as known from '../../../src/cache/options.ts'
import { type Cache, type CacheOptions, createCache } from '../../../src/index.ts'
import { rounds } from '../../support/rounds.ts'
import { seedOfTheDay } from '../../support/seed.ts'

// A library that puts a name on Object.prototype gives it to every object. No such name may be taken for an option.

const NAMES = [
  ...new Set([
    ...Object.values(known).flatMap((names) => (typeof names === 'object' ? Object.keys(names) : [])),
    ...['value', 'mark', 'liveId', 'keepStale', 'maxAge', 'maxBytes', 'maxEntries', 'feed'],
  ]),
  // The platform's own calls read `signal` from the prototype: addEventListener(…, { once: true }).
].filter((name) => name !== 'signal')
const VALUES: readonly (readonly [what: string, value: unknown])[] = [
  ['a function', () => 'polluted'],
  ['a text', 'polluted'],
  ['an object', { polluted: true }],
]

/** How many of the values are tried for each name. The day decides which. */
const TRIED = rounds({ quick: 1, soak: VALUES.length })

async function polluted<T>(name: string, value: unknown, work: () => Promise<T>): Promise<T> {
  Object.defineProperty(Object.prototype, name, { value, enumerable: true, configurable: true, writable: true })
  try {
    return await work()
  } finally {
    Reflect.deleteProperty(Object.prototype, name)
  }
}

/** Calls each verb without options, with empty options and with some. Resolves to their results. */
async function use(cache: Cache<'frozen'>, isPlain: boolean): Promise<unknown[]> {
  const tagged = isPlain ? {} : { tags: ['t'] }
  const all: unknown[] = []
  for (const options of [undefined, {}, { ttl: '2m' as const }]) {
    const call = options && {}
    all.push(await cache.set('a', { n: 1 }, options))
    all.push(await cache.set('b', 2, { ...options, ttl: '1m', ...tagged }))
    all.push(await cache.setMany([['c', 3]], options))
    all.push(await cache.add('a', 4, options), await cache.add('d', 5, options))
    all.push(await cache.get('a', call), await cache.get('none', call), await cache.has('b', call))
    all.push([...(await cache.getMany(['a', 'b', 'none'], call))])
    all.push(await cache.getOrSet('a', () => 6, options), await cache.getOrSet('e', () => [7], options))
    all.push(await cache.getOrSet('f', () => 'f', { ...options, ttl: '1m', ...tagged }))
    all.push([...(await cache.getOrSetMany(['e', 'g'], (keys) => new Map(keys.map((key) => [key, key])), options))])
    all.push(Math.round(((await cache.ttl('b', call)) ?? 0) / 10_000), await cache.touch('b', options))
    all.push((await cache.getEntry('e', call)).value, (await cache.getEntry('none', call)).status)
    all.push(await cache.increment('n', 2, options), await cache.decrement('n', 1, options), cache.peek('none'))
    all.push(await cache.take('d', call), await cache.delete('c', call), await cache.delete(['c', 'n'], call))
    all.push(await cache.with({ deadline: Date.now() + 60_000 }).get('b'), await cache.with({}).get('b'))
    if (!isPlain) {
      const captured = await cache.capture(['t'], call)
      all.push(await cache.set('h', 8, { ...options, ttl: '1m', tags: captured }), await cache.get('h'))
      all.push(await cache.expire('a', call), await cache.invalidateTags(['t'], call), await cache.get('b'))
      all.push(await cache.namespace('x').get('a'), await cache.clear(call))
    }
    all.push(await cache.delete(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'n']))
  }
  return all
}

const kinds: Readonly<Record<string, () => Partial<CacheOptions>>> = {
  'far alone': () => ({}),
  near: () => ({ near: nearTier() }),
  plain: () => ({ format: plain() }) as never,
  'plain and near': () => ({ format: plain(), near: nearTier() }) as never,
}
describe.each(Object.entries(kinds))('a name on Object.prototype is no option: %s', (kind, options) => {
  const run = async (): Promise<unknown[]> => {
    const events: string[] = []
    const onEvent = ({ type }: { type: string }): void => void events.push(type)
    const cache: Cache<'frozen'> = createCache({ store: memoryStore(), ttl: '1m', onEvent, ...options() })
    const answers = await use(cache, kind.startsWith('plain'))
    await cache.close()
    return [...answers, events.filter((type) => /error|failed|dropped|refused/.test(type))]
  }
  /** The results where Object.prototype has no extra name. */
  let right: Promise<unknown[]> | undefined
  it.each(NAMES.map((name, i) => [name, i] as const))('%s', async (name, i) => {
    right ??= run()
    const expected = await right
    const from = seedOfTheDay() + i
    for (let n = 0; n < TRIED; n++) {
      const [what, value] = VALUES[(from + n) % VALUES.length] as (typeof VALUES)[number]
      const found = await polluted(name, value, () => run().catch((error: Error) => [`${error.stack}`]))
      expect([what, found]).toEqual([what, expected])
    }
  })
})

it('set, get and their like take a ttl and tags of nobody’s for none', async () => {
  for (const value of [() => 'polluted', 'polluted', { polluted: true }]) {
    for (const name of ['ttl', 'tags']) {
      await polluted(name, value, async () => {
        const cache = createCache({ store: memoryStore(), ttl: '1m' })
        await cache.set('a', 1)
        await cache.set('b', 2, {})
        await cache.set('c', 3, name === 'ttl' ? { tags: ['t'] } : { ttl: '1m' })
        await cache.set('d', 4, { ttl: '1m', tags: ['t'] })
        await cache.set('e', 5, { ttl: '1m', tags: await cache.capture(['t']) })
        const all = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((key) => cache.get(key, {})))
        expect(all).toEqual([1, 2, 3, 4, 5])
        expect([await cache.add('f', 6, {}), await cache.increment('n'), await cache.touch('a', {})]).toEqual([
          true,
          1,
          true,
        ])
        await cache.invalidateTags(['t'])
        expect([await cache.get('b'), await cache.get('d'), await cache.get('e')]).toEqual([2, undefined, undefined])
      })
    }
  }
})
