import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { encrypted } from '../../../src/codec/index.ts'
import { type AtomicStore, type Cache, type CacheEvent, createCache } from '../../../src/index.ts'
import { nearTier } from '../../../src/near/index.ts'

const codec = encrypted({ keys: [{ id: 'a', secret: new Uint8Array(32).fill(1) }] })
const upper = { mark: 'U', encode: String, decode: (text: string) => text }
type Codec = typeof codec | typeof upper | undefined

/** The codec of the reader and that of the writer. Neither knows the other's mark. */
const pairs: readonly (readonly [what: string, reader: Codec, writer: Codec])[] = [
  ['a cache with a codec, of one without', codec, undefined],
  ['a cache without a codec, of one with', undefined, codec],
  ['a cache with a codec, of one with another', upper, codec],
]
const flags = [false, true]
/** `remembers`: the cache knows the generation, so that a step runs before anything is read. */
const settings = flags.flatMap((near) =>
  flags.flatMap((grace) => flags.map((remembers) => ({ near, grace, remembers }))),
)

describe.each(pairs)('an entry of another mark is absent to %s', (_, mine, theirs) => {
  describe.each(settings)('near: $near, grace: $grace, remembers: $remembers', ({ near, grace, remembers }) => {
    const events: CacheEvent['type'][] = []
    const open = (store: AtomicStore, own: Codec): Cache =>
      createCache({
        store,
        ttl: '1m',
        ...(own && { codec: own }),
        ...(grace && { grace: '1m' }),
        ...(near && { near: nearTier() }),
        mutable: true,
        onEvent: ({ type }) => events.push(type),
      })
    const met = async (value: unknown = { a: 1 }, tags: readonly string[] = []) => {
      const store = memoryStore()
      const [cache, other] = [open(store, mine), open(store, theirs)]
      await other.set('k', value, { tags })
      if (remembers) await cache.capture([])
      events.length = 0
      return { store, cache, other }
    }
    it.each<[verb: string, call: (cache: Cache) => unknown, answer: unknown]>([
      ['get', (cache) => cache.get('k'), undefined],
      ['getMany', (cache) => cache.getMany(['k']), new Map()],
      ['has', (cache) => cache.has('k'), false],
      ['ttl', (cache) => cache.ttl('k'), undefined],
      ['touch', (cache) => cache.touch('k', { ttl: '1h' }), false],
      ['take', (cache) => cache.take('k'), undefined],
      ['getEntry', async (cache) => (await cache.getEntry('k')).status, 'absent'],
    ])('%s leaves it to those who can read it', async (_, call, answer) => {
      for (const tags of [[], ['t']]) {
        const { cache, other } = await met({ a: 1 }, tags)
        expect(await call(cache)).toEqual(answer)
        expect(events).toContain('decode-failed')
        expect(events).not.toContain('hit')
        expect(cache.peek('k')).toBeUndefined()
        expect(await other.has('k')).toBe(true)
        expect(await other.ttl('k')).toBeLessThanOrEqual(60_000)
      }
    })
    it('add takes its place, once', async () => {
      for (const tags of [[], ['t']]) {
        const { cache } = await met({ a: 1 }, tags)
        const added = await Promise.all([cache.add('k', 'one'), cache.add('k', 'two')])
        expect([added, await cache.get('k')]).toEqual([[true, false], 'one'])
      }
    })
    it('increment begins at 0 in its place', async () => {
      const { cache } = await met()
      expect([await cache.increment('k'), await cache.increment('k', 4), await cache.get('k')]).toEqual([1, 5, 5])
    })
    it('getOrSet and getOrSetMany load once in its place', async () => {
      const { cache } = await met()
      let loads = 0
      const both = await Promise.all([
        cache.getOrSet('k', () => `loaded ${++loads}`),
        cache.getOrSet('k', () => `loaded ${++loads}`),
      ])
      expect([both, await cache.get('k'), await cache.has('k')]).toEqual([['loaded 1', 'loaded 1'], 'loaded 1', true])
      const second = await met()
      const many = await second.cache.getOrSetMany(['k'], (keys) => new Map(keys.map((key) => [key, 'loaded'])))
      expect(many).toEqual(new Map([['k', 'loaded']]))
    })
    it('is no stale copy of a load that fails', async () => {
      const { cache, other } = await met()
      await other.expire('k')
      const fail = (): never => {
        throw new Error('no')
      }
      await expect(Promise.resolve(cache.getOrSet('k', fail))).rejects.toThrow('no')
    })
    it('tells nothing of an entry that is gone for another reason', async () => {
      const { cache, other } = await met()
      await other.clear()
      events.length = 0
      expect([await cache.get('k'), await cache.has('k'), events]).toEqual([undefined, false, ['miss']])
    })
    it('a counter is read by all', async () => {
      const { cache, other } = await met()
      await other.increment('n', 3)
      expect([await cache.get('n'), await cache.has('n'), await cache.add('n', 1), await cache.increment('n')]).toEqual(
        [3, true, false, 4],
      )
      expect(await cache.take('n')).toBe(4)
    })
  })
})
