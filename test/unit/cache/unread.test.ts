import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { type AtomicStore, type Cache, createCache } from '../../../src/index.ts'

// `add`, `increment`, `take` and `touch` run before anything is read, under a generation that may have ended.

const options = { ttl: '1m', grace: '1m' } as const
/** Two caches on one store. The first remembers the generation; the second is another process. */
async function two(store: AtomicStore = memoryStore()): Promise<{ cache: Cache; other: Cache }> {
  const [cache, other] = [createCache({ store, ...options }), createCache({ store, ...options })]
  await Promise.all([cache.set('any', 1), other.set('any', 1)])
  return { cache, other }
}

/** A store that lists the verb, which is the first argument, of each step on an entry. */
function counting(): { store: AtomicStore; verbs: unknown[] } {
  const inner = memoryStore()
  const verbs: unknown[] = []
  const store: AtomicStore = {
    ...inner,
    traits: inner.traits,
    run(operation, key, args, call) {
      if (operation.name.startsWith('entry.')) verbs.push(args[0])
      return inner.run(operation, key, args, call)
    },
  }
  return { store, verbs }
}

describe('steps that run before anything is read', () => {
  it('each is one step while the generation is remembered', async () => {
    const { store, verbs } = counting()
    const { cache } = await two(store)
    verbs.length = 0
    expect(await cache.increment('n')).toBe(1)
    expect(await cache.add('a', 'first')).toBe(true)
    expect(await cache.add('a', 'second')).toBe(false)
    expect(await cache.touch('a')).toBe(true)
    expect(await cache.take('a')).toBe('first')
    expect(await cache.take('a')).toBe(undefined)
    expect(verbs).toEqual(['increment', 'add', 'add', 'touch', 'take', 'take'])
  })
  it('what another process has cleared is gone for each', async () => {
    const { cache, other } = await two()
    for (const key of ['increment', 'add', 'take', 'touch']) await cache.set(key, 5)
    await other.clear()
    expect(await cache.increment('increment', 2)).toBe(2)
    await cache.set('add', 5)
    await other.clear()
    expect(await cache.add('add', 'new')).toBe(true)
    expect(await other.get('add')).toBe('new')
    await cache.set('take', 5)
    await other.clear()
    expect(await cache.take('take')).toBe(undefined)
    await cache.set('touch', 5)
    await other.clear()
    expect(await cache.touch('touch')).toBe(false)
  })
  it('a counter begun under a generation that has ended counts under the current one', async () => {
    const { cache, other } = await two()
    await other.clear()
    expect(await cache.increment('n', 3)).toBe(3)
    expect(await other.get('n')).toBe(3)
    await other.clear()
    await other.increment('n', 10)
    expect(await cache.increment('n', 1)).toBe(11)
    expect(await other.get('n')).toBe(11)
  })
  it('a count of a generation that has ended is replaced by the next step', async () => {
    const { store, verbs } = counting()
    const { cache, other } = await two(store)
    await other.clear()
    verbs.length = 0
    expect(await cache.increment('n', 3)).toBe(3)
    expect(verbs).toEqual(['increment', 'increment'])
  })
  it('what another process has written under a newer generation is left to it', async () => {
    const { cache, other } = await two()
    const anew = async (key: string): Promise<void> => {
      await cache.set('any', 1)
      await other.clear()
      await other.set(key, 'theirs')
    }
    await anew('a')
    expect(await cache.add('a', 'ours')).toBe(false)
    await anew('b')
    expect(await cache.take('b')).toBe('theirs')
    await anew('c')
    expect(await cache.touch('c', { ttl: '1h' })).toBe(true)
    expect(await other.get('c')).toBe('theirs')
    await anew('d')
    await expect(cache.increment('d')).rejects.toMatchObject({ code: 'WRONG_TYPE' })
    expect(await other.get('d')).toBe('theirs')
  })
  it('what has a tag is valid while its tag is, though nobody names it', async () => {
    const { cache, other } = await two()
    for (const key of ['add', 'take', 'touch']) await cache.set(key, 1, { tags: ['t'] })
    expect(await cache.add('add', 2)).toBe(false)
    expect(await cache.touch('touch')).toBe(true)
    expect(await cache.take('take')).toBe(1)
    for (const end of [() => other.invalidateTags(['t']), () => other.invalidateTags(['t'], { keepStale: true })]) {
      for (const key of ['add', 'take', 'touch', 'increment']) await cache.set(key, 1, { tags: ['t'] })
      await end()
      expect(await cache.touch('touch')).toBe(false)
      expect(await cache.take('take')).toBe(undefined)
      expect(await cache.increment('increment')).toBe(1)
      expect(await cache.add('add', 2)).toBe(true)
      expect(await cache.get('add')).toBe(2)
    }
  })
  it('a value that has just been loaded is there for each', async () => {
    const { cache } = await two()
    const [loaded, added] = await Promise.all([cache.getOrSet('k', () => 'loaded'), cache.add('other', 1)])
    expect([loaded, added]).toEqual(['loaded', true])
    expect(await cache.add('k', 'added')).toBe(false)
    await cache.getOrSet('l', () => 'loaded')
    expect(await cache.take('l')).toBe('loaded')
    await cache.getOrSet('m', () => 'loaded')
    expect(await cache.touch('m')).toBe(true)
  })
  it('a value that is still being stored for a load is waited for', async () => {
    const inner = memoryStore()
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    const run: AtomicStore['run'] = async (operation, key, args, call) => {
      if (args[0] === 'fill') await gate
      return inner.run(operation, key, args, call)
    }
    const { cache } = await two({ ...inner, traits: inner.traits, run })
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded')
    const adding = cache.add('k', 'added')
    await new Promise(setImmediate)
    open()
    expect(await adding).toBe(false)
    expect(await cache.get('k')).toBe('loaded')
  })
  it('the generation is read once the call has begun, and what fails then may have run', async () => {
    const inner = memoryStore()
    let fails = false
    const get: AtomicStore['get'] = (key, call) =>
      fails && key.startsWith(':') ? Promise.reject(new Error('reset')) : inner.get(key, call)
    const { cache } = await two({ ...inner, traits: inner.traits, get } as AtomicStore)
    await cache.increment('n')
    fails = true
    await expect(cache.increment('n')).rejects.toThrow()
    fails = false
    expect(await cache.get('n')).toBe(2)
  })
  it('calls on one key run in the order of the calls', async () => {
    const { cache } = await two()
    const replies = await Promise.all([
      cache.add('k', 1),
      cache.take('k'),
      cache.increment('k', 7),
      cache.touch('k'),
      cache.set('k', 'set'),
      cache.take('k'),
      cache.get('k'),
    ])
    expect(replies).toEqual([true, 1, 7, true, undefined, 'set', undefined])
  })
})
