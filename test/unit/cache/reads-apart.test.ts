import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { type AtomicStore, type Cache, createCache } from '../../../src/index.ts'

// A store whose reads of one tick return at different times: a version first, and the entry much later.

const ttl = '1m'
const tags = ['t']

/** Reads of `key` run only when `release` is called. All other calls run at once. */
function apart(store: AtomicStore, key: string): { store: AtomicStore; asked: Promise<void>; release(): void } {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
  const { promise: released, resolve: release } = Promise.withResolvers<void>()
  return {
    asked,
    release,
    store: {
      ...store,
      traits: { ...store.traits, readsApart: true },
      async get(...args) {
        if (args[0] === key) {
          ask()
          await released
        }
        return store.get(...args)
      },
    },
  }
}

const ends = {
  'whose tag was invalidated': (cache) => cache.invalidateTags(tags),
  'whose tag was invalidated, keeping what is stale': (cache) => cache.invalidateTags(tags, { keepStale: true }),
  'whose namespace was cleared': (cache) => cache.clear(),
} satisfies Record<string, (cache: Pick<Cache, 'invalidateTags' | 'clear'>) => Promise<unknown>>

describe('an entry that is newer than the versions read beside it', () => {
  for (const [what, end] of Object.entries(ends)) {
    for (const named of [tags, []]) {
      it(`${what} is a hit, ${named.length > 0 ? 'with' : 'without'} the tag named`, async () => {
        const memory = memoryStore()
        const writer = createCache({ store: memory, ttl, grace: '1m' })
        await writer.set('k', 'old', { tags })
        const { store, asked, release } = apart(memory, 'hither:k')
        const reader = createCache({ store, ttl, grace: '1m' })
        let loads = 0
        const load = (): string => `loaded ${++loads}`
        const found = Promise.all([
          reader.get('k', { tags: named }),
          reader.getOrSet('k', load, { tags: named }),
          reader.has('k'),
          reader.add('k', 'added', { tags: named }),
        ])
        await asked
        await end(writer)
        await writer.set('k', 'new', { tags })
        release()
        expect(await found).toEqual(['new', 'new', true, false])
        expect(loads).toBe(0)
        expect(await writer.get('k')).toBe('new')
      })
    }
  }
  it('is dead where its tag was invalidated once more after it was written', async () => {
    const memory = memoryStore()
    const writer = createCache({ store: memory, ttl })
    await writer.set('k', 'old', { tags })
    const { store, asked, release } = apart(memory, 'hither:k')
    const found = createCache({ store, ttl }).get('k', { tags })
    await asked
    await writer.invalidateTags(tags)
    await writer.set('k', 'new', { tags })
    await writer.invalidateTags(tags)
    release()
    expect(await found).toBeUndefined()
  })
})
