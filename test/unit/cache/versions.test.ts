import { describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { createVersions } from '../../../src/cache/versions.ts'
import {
  type AtomicStore,
  type Cache,
  type CacheEvent,
  type CacheOptions,
  createCache,
  HitherError,
  type Results,
  type Transition,
} from '../../../src/index.ts'
import { nearTier } from '../../../src/near/index.ts'
import { generationKey, storedKey, tagKey } from '../../../src/protocol/keys.ts'
import { byHand, pause } from './slow-store.ts'

// Generations and tag versions. An acknowledged write is visible though the cache remembers versions that have ended; a tag
// version lives longer than the entries that have the tag; a read from before a `forget` does not bring an old version back;
// a cache without a ttl; malformed texts are misses.

const DAY_MS = 86_400_000
const WITHOUT = { without: undefined, near: nearTier } as const

/** A memory store that lists its calls, on a clock that the test moves. */
function counting(): {
  store: AtomicStore
  asked: string[]
  /** Fails the calls for which `when` returns true: after they have run if `ran` is set, otherwise before. */
  fail: { when?: (what: string) => boolean; ran: boolean }
  leftMs(key: string): number | undefined
  pass(ms: number): void
} {
  let at = Date.now()
  const memory = memoryStore({ now: () => at })
  const asked: string[] = []
  const fail: { when?: (what: string) => boolean; ran: boolean } = { ran: false }
  const ask = async <T>(what: string, call: () => Promise<T>): Promise<T> => {
    asked.push(what)
    const failing = fail.when?.(what)
    if (failing && !fail.ran) throw new HitherError('STORE_UNAVAILABLE', 'refused')
    const answer = await call()
    if (failing) throw new HitherError('STORE_UNAVAILABLE', 'lost', { maybeExecuted: true })
    return answer
  }
  let leftMs: number | undefined
  const peek = {
    name: 'test.left',
    effect: 'read',
    lua: '',
    apply(current: string | undefined, _: readonly [], moment: { leftMs: number | undefined }): Transition<number> {
      leftMs = moment.leftMs
      return { next: current, ttl: 'keep', reply: current === undefined ? 0 : 1 }
    },
  } as const
  return {
    store: {
      ...memory,
      get: (...args) => ask(`get ${args[0]}`, () => memory.get(...args)),
      run: (...args) => ask(`${args[0].name} ${args[1]} ${args[2][0]}`, () => memory.run(...args)),
    },
    asked,
    fail,
    leftMs(key) {
      leftMs = undefined
      void memory.run(peek, key, [])
      return leftMs
    },
    pass(ms) {
      at += ms
    },
  }
}

const LIFE = { ttl: '1m' } as const

for (const [near, tier] of Object.entries(WITHOUT)) {
  describe(`an acknowledged write is there, ${near} near tier`, () => {
    const two = (
      options: Partial<CacheOptions> = {},
    ): [Cache<Results>, Cache<Results>, ReturnType<typeof counting>] => {
      const counted = counting()
      const one = (): Cache<Results> =>
        createCache({ store: counted.store, ...LIFE, ...(tier && { near: tier() }), ...options })
      return [one(), one(), counted]
    }
    const KEY = storedKey('hither', 'k')
    const TAGS = { tags: ['t', 'u'] }
    /** How another process, or the server, ends the versions that the first cache remembers. */
    const ends: Record<string, (other: Cache<Results>, store: AtomicStore) => Promise<unknown>> = {
      'a clear by another process': (other) => other.clear(),
      'an invalidation by another process': (other) => other.invalidateTags(['u']),
      'one that keeps it stale': (other) => other.invalidateTags(['u'], { keepStale: true }),
      'the server came back empty': (_, store) =>
        store.delete([generationKey('hither'), tagKey('hither', 't'), tagKey('hither', 'u')]),
      'a clear, and a write by another process': async (other) => {
        await other.clear()
        await other.set('elsewhere', 1, TAGS)
      },
    }
    const writes: Record<string, (cache: Cache<Results>) => Promise<unknown>> = {
      set: (cache) => cache.set('k', 'new', TAGS),
      setMany: (cache) => cache.setMany([['j', 1], ['k', 'new']], TAGS), // biome-ignore format: pairs
      add: (cache) => cache.add('k', 'new', TAGS),
      'set by define': async (cache) => {
        const kind = cache.define({ name: 'n', tags: ['t', 'u'], load: () => 'loaded' })
        await kind.set(1, 'new')
        await cache.set('k', await kind.get(1), TAGS)
      },
    }
    for (const [what, write] of Object.entries(writes)) {
      for (const [when, end] of Object.entries(ends)) {
        it(`${what} after ${when}`, async () => {
          const [here, there, { store }] = two()
          await here.set('seen', 1, TAGS)
          await here.set('before', 1, TAGS)
          await end(there, store)
          await write(here)
          expect([await here.get('k'), await there.get('k', TAGS)]).toEqual(['new', 'new'])
          expect(await there.getOrSet('k', () => 'loaded', TAGS)).toBe('new')
          // The entry still has its tags.
          await there.invalidateTags(['t'])
          expect(await there.get('k')).toBeUndefined()
        })
      }
    }
    it('increment after a clear, and after a server that came back empty', async () => {
      const [here, there, { store }] = two()
      await here.increment('n')
      await there.clear()
      expect(await here.increment('n', 5)).toBe(5)
      expect(await there.get('n')).toBe(5)
      await store.delete([generationKey('hither')])
      expect(await here.increment('n', 7)).toBe(7)
      expect(await there.increment('n')).toBe(8)
    })
    it('touch after the entry was written by another process with other tags', async () => {
      const [here, there, { store, leftMs }] = two()
      await here.set('k', 1, { tags: ['t'] })
      await there.clear()
      await there.set('k', 2, { tags: ['u'] })
      expect(await here.touch('k', { ttl: '6d' })).toBe(true)
      expect(leftMs(tagKey('hither', 'u'))).toBeGreaterThanOrEqual(leftMs(KEY) as number)
      expect(await store.get(KEY)).toContain('u=')
    })
    it('goes over nothing that another process has put there, or taken away, in between', async () => {
      const cases: Record<string, [(other: Cache<Results>) => Promise<unknown>, unknown]> = {
        set: [(other) => other.set('k', 'theirs'), 'theirs'],
        delete: [(other) => other.delete('k'), undefined],
        'delete, add': [(other) => other.delete('k').then(() => other.add('k', 'added')), 'added'],
      }
      for (const [what, [act, left]] of Object.entries(cases)) {
        const memory = memoryStore()
        const { store, next, flow } = byHand(memory)
        const here = createCache({ store, ...LIFE, ...(tier && { near: tier() }) })
        const there = createCache({ store: memory, ...LIFE })
        const first = here.set('first', 1)
        await (await next('set')).answer()
        await first
        await there.clear()
        const writing = here.set('k', 'mine')
        const sent = await next('set')
        await sent.act()
        await act(there)
        flow()
        await sent.answer()
        await writing
        expect([what, await there.get('k')]).toEqual([what, left])
      }
    })
    it('ends the load that began where its entry counted as gone', async () => {
      for (const ends of ['loads on', 'fails'] as const) {
        const memory = memoryStore()
        const { store, next, flow } = byHand(memory)
        const here = createCache({ store, ...LIFE, ...(tier && { near: tier() }) })
        const there = createCache({ store: memory, ...LIFE })
        const first = here.set('first', 1)
        await (await next('set')).answer()
        await first
        await there.clear()
        const writing = here.set('k', 'mine')
        const sent = await next('set')
        await sent.act()
        const { promise: door, resolve: open } = Promise.withResolvers<void>()
        let runs = 0
        const load = there.getOrSet('k', async () => {
          runs++
          await door
          if (ends === 'fails') throw new Error('down')
          return 'loaded before'
        })
        const early = load.catch(() => 'failed')
        while (runs === 0) await pause(1)
        if (ends === 'fails') {
          open()
          await early
        }
        flow()
        await sent.answer()
        await writing
        expect(await there.get('k')).toBe('mine')
        expect(await there.getOrSet('k', () => 'loaded after')).toBe('mine')
        open()
        await early
        await there.flush()
        expect(await there.get('k')).toBe('mine')
      }
    })
    it('is not written again for versions that were captured before its value was read', async () => {
      const [here, there] = two()
      for (const end of [() => there.clear(), () => there.invalidateTags(['t'])]) {
        const captured = await here.capture(['t'])
        await end()
        await here.set('k', 'read before', { tags: captured })
        expect(await here.get('k')).toBeUndefined()
        expect(await here.add('k', 'read before', { tags: captured })).toBe(true)
        expect(await there.get('k')).toBeUndefined()
      }
    })
    it('asks for nothing more than once where nothing has changed', async () => {
      const [here, , { asked }] = two()
      await here.set('k', 1, TAGS)
      asked.length = 0
      await here.set('k', 2, TAGS)
      expect(asked.sort()).toEqual(
        [
          `entry.once ${KEY} set`,
          `version.capture ${generationKey('hither')}`,
          `version.capture ${tagKey('hither', 't')}`,
          `version.capture ${tagKey('hither', 'u')}`,
        ].map((start) => expect.stringMatching(start.replaceAll('.', '\\.'))),
      )
      asked.length = 0
      await here.setMany(
        Array.from({ length: 50 }, (_, i) => [`k${i}`, i]),
        TAGS,
      )
      expect(asked).toHaveLength(53)
    })
    it('rejects where it cannot be known, and says that it may have run', async () => {
      for (const ran of [false, true]) {
        for (const what of ['version.capture', 'rewrite']) {
          const [here, there, { store, fail }] = two()
          await here.set('first', 1)
          await there.clear()
          Object.assign(fail, { ran, when: (asked: string) => asked.includes(what) })
          for (const write of [() => here.set('k', 1), () => here.setMany([['k', 1]])]) {
            const error = { code: 'STORE_UNAVAILABLE', maybeExecuted: true }
            await expect(write()).rejects.toMatchObject(error)
            delete fail.when
            await here.set('k', 'again')
            expect(await there.get('k')).toBe('again')
            await there.clear()
            fail.when = (asked) => asked.includes(what)
          }
          delete fail.when
          expect(await store.get(KEY)).toBeDefined()
        }
      }
    })
    it('is an event where it was to be one', async () => {
      const events: CacheEvent[] = []
      const [here, there, { fail }] = two({ onEvent: (event) => events.push(event) })
      await here.set('first', 1)
      await there.clear()
      fail.when = (what) => what.includes('rewrite')
      await here.set('k', 1, { onWriteFailure: 'event' })
      expect(events.filter(({ type }) => type === 'write-dropped')).toHaveLength(1)
    })
  })
}

describe('a tag lives as long as what bears it', () => {
  const open = (options: Partial<CacheOptions> = {}) => {
    const counted = counting()
    return { cache: createCache({ store: counted.store, ...LIFE, ...options }), ...counted }
  }
  const KEY = storedKey('hither', 'k')
  const TAG = tagKey('hither', 't')
  const tags = ['t']

  const writes: Record<string, (cache: Cache<Results>, ttl: number) => Promise<unknown>> = {
    set: (cache, ttl) => cache.set('k', 1, { tags, ttl }),
    setMany: (cache, ttl) => cache.setMany([['k', 1]], { tags, ttl }),
    add: (cache, ttl) => cache.add('k', 1, { tags, ttl }),
    touch: async (cache, ttl) => {
      await cache.set('k', 1, { tags, ttl: 1000 })
      await cache.touch('k', { ttl })
    },
    getOrSet: (cache, ttl) => cache.getOrSet('k', () => 1, { tags, ttl }),
    'a loader that names its lifetime': (cache, ttl) =>
      cache.getOrSet(
        'k',
        ({ setTtl }) => {
          setTtl(ttl)
          return 1
        },
        { tags },
      ),
    'a loader that names its tags': async (cache, ttl) => {
      const load = ({ setTags }: { setTags(tags: readonly string[]): void }): number => {
        setTags(tags)
        return 1
      }
      // The first load only finds out which tags the loader names.
      for (let i = 0; i < 2; i++) {
        await cache.getOrSet('k', load, { ttl })
        await cache.flush()
      }
    },
    'what was captured': async (cache, ttl) => cache.set('k', 1, { tags: await cache.capture(tags), ttl }),
  }
  for (const [what, write] of Object.entries(writes)) {
    it(`${what}, remembered or not, and no longer than a margin`, async () => {
      for (const before of [[], [1000], [1000, 6.9 * DAY_MS]]) {
        const { cache, leftMs, pass } = open()
        for (const ttl of before) await cache.set('other', 1, { tags, ttl })
        // After this read the cache may remember the version of the tag.
        if (before.length > 0) await cache.get('other', { tags })
        for (const ttl of [2000, 6 * DAY_MS]) {
          await cache.delete('k')
          if (before.length > 0) await pause(5)
          await write(cache, ttl)
          await cache.flush()
          const left = [leftMs(KEY), leftMs(TAG)] as [number, number]
          expect(left[1]).toBeGreaterThan(left[0])
          if (before.length < 2 && what !== 'what was captured') expect(left[1]).toBeLessThan(ttl + 10 * 60_000)
        }
        pass(6 * DAY_MS - 1)
        expect(await cache.get('k', { tags })).toBe(1)
      }
    })
  }
  it('a session that is touched each day lasts', async () => {
    const { cache, pass } = open()
    await cache.set('k', 'session', { tags, ttl: '7d' })
    for (let day = 0; day < 40; day++) {
      pass(DAY_MS)
      expect(await cache.touch('k', { ttl: '7d' })).toBe(true)
    }
    expect(await cache.get('k')).toBe('session')
  })
  it('of calls of one moment the longest life counts', async () => {
    for (const before of [true, false]) {
      const { cache, leftMs } = open()
      if (before) await cache.set('other', 1, { tags, ttl: 1000 })
      await Promise.all([
        cache.set('short', 1, { tags, ttl: 1000 }),
        cache.set('k', 1, { tags, ttl: '1d' }),
        cache.set('middle', 1, { tags, ttl: '1h' }),
      ])
      expect(leftMs(TAG)).toBeGreaterThan(leftMs(KEY) as number)
    }
    const { cache, leftMs } = open()
    // A write with a shorter lifetime does not shorten the life of the tag version.
    await cache.set('k', 1, { tags, ttl: '1d' })
    await pause(5)
    await cache.set('short', 1, { tags, ttl: 1000 })
    await cache.capture(tags)
    expect(leftMs(TAG)).toBeGreaterThan(leftMs(KEY) as number)
    await cache.invalidateTags(tags)
    await Promise.all(['1h', '1d', '1m'].map((ttl, i) => cache.getOrSet(`${i}`, () => 1, { tags, ttl: ttl as '1h' })))
    await cache.flush()
    expect(leftMs(TAG)).toBeGreaterThan(leftMs(storedKey('hither', '1')) as number)
  })
  it('is not made by who renews it', async () => {
    const { cache, store } = open()
    const captured = await cache.capture(tags)
    await cache.invalidateTags(tags)
    await cache.set('k', 1, { tags: captured })
    expect(await store.get(TAG)).toBeUndefined()
  })
})

describe('what is remembered of a version', () => {
  it('is nothing that was read before it was forgotten', () => {
    const versions = createVersions(memoryStore().run, { starts: 0 })
    const key = generationKey('hither')
    const [old, current] = ['a'.repeat(16), 'b'.repeat(16)]
    const sentIn = versions.epoch
    versions.note(key, old, sentIn)
    expect(versions.recall(key)).toBe(old)
    versions.forget(key)
    versions.note(key, old, sentIn)
    expect(versions.recall(key)).toBeUndefined()
    versions.note(key, current, versions.epoch)
    expect(versions.recall(key)).toBe(current)
  })
  it('is what a read from before shows as well, and not once the two differ', () => {
    const versions = createVersions(memoryStore().run, { starts: 0 })
    const key = generationKey('hither')
    const [old, current] = ['a'.repeat(16), 'b'.repeat(16)]
    const sentIn = versions.epoch
    versions.forget(key)
    versions.note(key, current, versions.epoch)
    versions.note(key, current, sentIn)
    expect(versions.recall(key)).toBe(current)
    versions.note(key, old, sentIn)
    expect(versions.recall(key)).toBeUndefined()
  })
})

describe('a cache without a ttl', () => {
  it('frees what a clear has ended as it is read, and says once that nothing else does', async () => {
    const { store, leftMs } = counting()
    const events: CacheEvent[] = []
    const cache = createCache({ store, onEvent: (event) => events.push(event) })
    for (let i = 0; i < 3; i++) await cache.set(`k${i}`, i)
    expect(events.filter(({ type }) => type === 'no-lifetime')).toEqual([{ type: 'no-lifetime', namespace: 'hither' }])
    await cache.clear()
    await cache.getMany(['k0', 'k1'])
    await cache.flush()
    const left = [0, 1, 2].map((i) => leftMs(storedKey('hither', `k${i}`)))
    expect(left).toEqual([60_000, 60_000, undefined])
    const bounded = createCache({ store, ttl: '1m', onEvent: (event) => events.push(event) })
    await bounded.set('k', 1)
    expect(events.filter(({ type }) => type === 'no-lifetime')).toHaveLength(1)
  })
  it('keeps what only looked ended, since its generation was read before it', async () => {
    const { store, leftMs } = counting()
    const there = createCache({ store })
    await there.set('k', 1)
    let older: string | undefined
    const late: AtomicStore = {
      ...store,
      // The first read of a key of the namespace returns its older value.
      get: async (key, call) => {
        const text = key.startsWith(':') ? older : undefined
        if (text) older = undefined
        return text ?? store.get(key, call)
      },
    }
    older = 'generationgener0'
    const here = createCache({ store: late })
    expect(await here.get('k')).toBeUndefined()
    await here.flush()
    expect(leftMs(storedKey('hither', 'k'))).toBeUndefined()
    expect(await here.get('k')).toBe(1)
  })
})

describe('what is stored and malformed is a miss', () => {
  const block = (tags: string): string => String(tags.length).padStart(8, '0') + tags
  const version = 'v'.repeat(32)
  const blocks: Record<string, string> = {
    'a tag name that is too long': block(`${'n'.repeat(600)}=${version}`),
    'one that is longer than a key': block(`${'n'.repeat(5000)}=${version}`),
    'one that is not percent-encoded': block(`%zz=${version}`),
    'no name': block(`=${version}`),
    'no version': block('t'),
    // The versions of the first 64 are current.
    '65 tags': block(Array.from({ length: 65 }, (_, i) => `t${i}=${version}`).join()),
    'a million tags': block('t=v,'.repeat(1_000_000)),
    'a block that is longer than the entry': `99999999t=${version}`,
    commas: block(',,,'),
  }
  for (const near of [false, true]) {
    for (const [what, tags] of Object.entries(blocks)) {
      it(`${what}${near ? ', with a near tier' : ''}`, async () => {
        const { store } = counting()
        const cache = createCache({ store, ...LIFE, ...(near && { near: nearTier() }) })
        await cache.set('k', 1)
        const key = storedKey('hither', 'k')
        for (let i = 0; i < 65; i++) await store.set(tagKey('hither', `t${i}`), version)
        const text = (await store.get(key)) as string
        for (const mark of ['j', '-']) {
          const bad = `h${mark}${text.slice(2, 120)}${tags}1`
          const spoil = () => store.set(key, bad)
          await spoil()
          expect(await cache.get('k')).toBeUndefined()
          expect(await cache.get('k', { tags: ['t'] })).toBeUndefined()
          expect((await cache.getMany(['k'])).size).toBe(0)
          expect(await cache.has('k')).toBe(false)
          expect(await cache.ttl('k')).toBeUndefined()
          expect((await cache.getEntry('k')).status).toBe('absent')
          expect(await cache.touch('k', LIFE)).toBe(false)
          expect(await cache.take('k')).toBeUndefined()
          expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded')
          await cache.flush()
          expect(await cache.get('k')).toBe('loaded')
          await spoil()
          expect((await cache.getOrSetMany(['k'], () => ({ k: 'loaded' }))).get('k')).toBe('loaded')
          await cache.flush()
          await spoil()
          expect(await cache.add('k', 'added')).toBe(true)
          await spoil()
          expect(await cache.increment('k')).toBe(1)
          await cache.set('k', 1)
        }
      })
    }
  }
  it('no load captures more tags than an entry may have, whatever is hinted', async () => {
    const { store } = counting()
    const run = vi.spyOn(store, 'run')
    const cache = createCache({ store, ...LIFE })
    const names = (from: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${from}${i}`)
    const late = ({ setTags }: { setTags(tags: readonly string[]): void }): string => {
      setTags(names('late', 60))
      return 'loaded'
    }
    await cache.getOrSet('k', late)
    await cache.flush()
    run.mockClear()
    expect(await cache.getOrSet('k', () => 'other', { tags: names('named', 40) })).toBe('other')
    await cache.flush()
    const captured = run.mock.calls.map(([, key]) => key).filter((key) => key.startsWith(':hither:t:'))
    expect(new Set(captured).size).toBe(64)
    expect([await cache.get('k'), (await cache.getEntry('k')).tags.length]).toEqual(['other', 64])
  })
  it('more hints than an entry may have tags are not taken', async () => {
    const { store } = counting()
    const cache = createCache({ store, ...LIFE })
    const names = (from: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${from}${i}`)
    const late = ({ setTags }: { setTags(tags: readonly string[]): void }): string => {
      setTags(names('late', 40))
      return 'loaded'
    }
    expect(await cache.getOrSet('k', late)).toBe('loaded')
    await cache.flush()
    expect(await cache.getOrSet('k', () => 'other', { tags: names('named', 40) })).toBe('other')
    await cache.flush()
    expect(await cache.get('k')).toBe('other')
    await cache.delete('k')
    expect(await cache.getOrSet('k', late)).toBe('loaded')
    await cache.flush()
    const others = ({ setTags }: { setTags(tags: readonly string[]): void }): string => {
      setTags(names('others', 64))
      return 'loaded'
    }
    for (let i = 0; i < 2; i++) expect(await cache.getOrSet('k', others)).toBe('loaded')
    await cache.flush()
    expect(await cache.get('k')).toBe('loaded')
    expect((await cache.getEntry('k')).tags).toEqual(names('others', 64))
  })
  for (const bad of ['', 'x', 'g'.repeat(15), 'g'.repeat(17), 'g'.repeat(32), 'g:=,g:=,g:=,g:=,', 'é'.repeat(16)]) {
    it(`a generation or a version of ${bad.length} characters, ${JSON.stringify(bad.slice(0, 2))}, is made anew`, async () => {
      const { store } = counting()
      const tags = ['t']
      const cache = createCache({ store, ...LIFE })
      const other = createCache({ store, ...LIFE })
      const keys = [generationKey('hither'), tagKey('hither', 't')] as const
      const writes = [
        (cache: Cache<Results>) => cache.set('k', 'v', { tags }),
        (cache: Cache<Results>) => cache.getOrSet('k', () => 'v', { tags }),
        (cache: Cache<Results>) => cache.add('k', 'v', { tags }),
      ]
      for (const key of keys) {
        // A tag version may have 32 characters.
        if (bad.length === 32 && key === keys[1]) continue
        for (const write of writes) {
          await store.delete(['hither:k'])
          await cache.set('seen', 1, { tags })
          await store.set(key, bad)
          expect(await cache.get('seen', { tags })).toBeUndefined()
          await write(cache)
          await cache.flush()
          expect(await other.get('k', { tags })).toBe('v')
          await store.set(key, bad)
          expect(await cache.get('k')).toBeUndefined()
          const sum = await cache.increment('n', 1)
          expect(await other.get('n')).toBe(sum)
        }
      }
    })
  }
})
