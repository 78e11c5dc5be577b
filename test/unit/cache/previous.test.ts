import { type Cache, type CacheOptions, createCache, type GetOrSetOptions, type Loader } from 'hither'
import { memoryStore } from 'hither/memory'
import { describe, expect, it, vi } from 'vitest'
import { pause } from './slow-store.ts'

// `previous` and `notModified`: a loader may return its previous value again only if nobody has ended that value since.

function two(options: Partial<CacheOptions> = {}): { here: Cache<'frozen'>; there: Cache<'frozen'> } {
  const store = memoryStore()
  const make = (): Cache<'frozen'> => createCache({ store, ttl: '1m', grace: '1h', ...options })
  return { here: make(), there: make() }
}

const keeping: Loader<string> = ({ previous, notModified }) => (previous ? notModified() : 'new')

const isText = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => (typeof value === 'string' ? { value } : { issues: [{ message: 'no' }] }),
  },
}

const trimmed = {
  '~standard': { version: 1 as const, vendor: 'test', validate: (value: unknown) => ({ value: `${value}`.trim() }) },
}

/** Loads twice: the tags that a loader names are known from the second load on, and only then its value is stored. */
async function load(
  cache: Cache | Cache<'frozen'>,
  loader: Loader<unknown>,
  options: GetOrSetOptions = {},
): Promise<void> {
  for (let i = 0; i < 2; i++) {
    await cache.getOrSet('k', loader, options)
    await cache.flush()
  }
}

describe('a stale copy that is ended before its load has the lease', () => {
  const ends: Record<string, (cache: Cache<'frozen'>) => Promise<unknown>> = {
    delete: (cache) => cache.delete('k'),
    'set and expire': async (cache) => {
      await cache.set('k', 'second', { tags: ['t'] })
      await cache.expire('k')
    },
    invalidateTags: (cache) => cache.invalidateTags(['t']),
    clear: (cache) => cache.clear(),
  }
  for (const [name, end] of Object.entries(ends)) {
    for (const who of ['here', 'there'] as const) {
      it(`is not the loader's previous value, and does not come back: ${name}, ${who}`, async () => {
        const caches = two()
        const { here, there } = caches
        // After each number of microtasks between the read of the load and its lease.
        for (let moments = 0; moments < 12; moments++) {
          await here.set('k', 'first', { tags: ['t'] })
          await here.expire('k')
          const loading = here.getOrSet('k', keeping)
          for (let i = 0; i < moments; i++) await null
          await end(caches[who])
          const answer = await loading
          await here.flush()
          const kept = await there.get('k', { tags: ['t'] })
          expect([moments, kept]).not.toEqual([moments, 'first'])
          if (answer === 'new') expect([moments, kept === undefined || kept === 'new']).toEqual([moments, true])
          await here.delete('k')
        }
      })
    }
  }
})

describe('a stale copy that is ended while another holds its lease', () => {
  const failing = async (
    caches: { here: Cache<'frozen'>; there: Cache<'frozen'> },
    end: () => Promise<unknown>,
    tags: string[],
  ) => {
    const { here, there } = caches
    const door = Promise.withResolvers<string>()
    const other = there.getOrSet('k', () => door.promise)
    const failed = expect(other).resolves.toBe('first')
    await pause(5)
    const loading = here.getOrSet('k', keeping, { tags })
    await pause(20)
    await end()
    door.reject(new Error('away'))
    await failed
    const answer = await loading
    await here.flush()
    return [answer, await there.get('k', { tags })]
  }
  const stale = async (): Promise<{ here: Cache<'frozen'>; there: Cache<'frozen'> }> => {
    const caches = two()
    await caches.there.set('k', 'first', { tags: ['t'] })
    await caches.there.expire('k')
    return caches
  }

  it('is not the previous value: clear', async () => {
    const caches = await stale()
    expect(await failing(caches, () => caches.here.clear(), [])).toEqual(['new', 'new'])
  })
  it('is not the previous value: a tag of the call', async () => {
    const caches = await stale()
    expect(await failing(caches, () => caches.there.invalidateTags(['t']), ['t'])).toEqual(['new', 'new'])
  })
  it('does not come back: a tag that only it bears', async () => {
    const caches = await stale()
    const end = async (): Promise<void> => {
      await caches.there.invalidateTags(['t'])
      await caches.there.set('other', 'x', { tags: ['t'] })
      // So that `here` knows the new version.
      await caches.here.get('other', { tags: ['t'] })
      await pause(2)
    }
    await failing(caches, end, [])
    expect(await caches.there.get('k')).not.toBe('first')
  })
})

describe('notModified', () => {
  it('keeps the tags that the loader had named, and dies with them', async () => {
    const { here } = two()
    await load(here, ({ setTags }) => {
      setTags(['t'])
      return 'first'
    })
    await here.expire('k')
    expect(await here.getOrSet('k', keeping)).toBe('first')
    await here.flush()
    expect((await here.getEntry('k')).tags).toEqual(['t'])
    await here.invalidateTags(['t'])
    expect(await here.get('k')).toBeUndefined()
  })

  it('makes fresh again what a tag has made stale', async () => {
    const { here } = two()
    await here.set('k', 'first', { tags: ['t'] })
    await here.invalidateTags(['t'], { keepStale: true })
    expect(await here.get('k', { tags: ['t'] })).toBeUndefined()
    expect(await here.getOrSet('k', keeping, { tags: ['t'] })).toBe('first')
    await here.flush()
    expect(await here.get('k', { tags: ['t'] })).toBe('first')
  })

  it('makes it fresh again after a slow load, where only the entry names the tag and another process made it stale', async () => {
    const { here, there } = two()
    const startMs = Date.now()
    const clock = vi.spyOn(Date, 'now').mockReturnValue(startMs)
    // Versions that were read are remembered for five seconds, less than this load takes, and its lease is valid for longer.
    const slow: Loader<string> = (context) => {
      clock.mockReturnValue(startMs + 5500)
      return keeping(context)
    }
    try {
      await here.set('k', 'first', { tags: ['t'] })
      await there.invalidateTags(['t'], { keepStale: true })
      expect(await here.getOrSet('k', slow)).toBe('first')
      await here.flush()
      expect([await here.get('k'), await there.get('k')]).toEqual(['first', 'first'])
    } finally {
      clock.mockRestore()
    }
  })

  it('counts only where its answer is returned', async () => {
    const { here } = two()
    await here.set('k', 'first')
    await here.expire('k')
    const changing: Loader<string> = ({ previous, notModified }) => {
      if (previous) notModified()
      return 'second'
    }
    expect(await here.getOrSet('k', changing)).toBe('second')
    await here.flush()
    expect(await here.get('k')).toBe('second')
  })

  it('cannot say again what the schema refuses', async () => {
    const { here } = two()
    await here.set('k', 5)
    await here.expire('k')
    expect(await here.getOrSet('k', keeping, { schema: isText })).toBe('new')
    await here.flush()
    expect(await here.get('k')).toBe('new')
  })

  it('returns what the schema makes of it, as a hit does', async () => {
    const { here } = two()
    await here.set('k', ' first ')
    await here.expire('k')
    const seen: unknown[] = []
    const loader: Loader<unknown> = ({ previous, notModified }) => {
      seen.push(previous?.value)
      return notModified()
    }
    expect(await here.getOrSet('k', loader, { schema: trimmed })).toBe('first')
    await here.flush()
    expect(await here.getOrSet('k', loader, { schema: trimmed })).toBe('first')
    expect(seen).toEqual(['first'])
  })
})

describe('what a loader asks for beside its value', () => {
  it('setTags adds to what it had named before', async () => {
    const { here } = two()
    await load(
      here,
      ({ setTags }) => {
        setTags(['one'])
        setTags(['two'])
        return 'x'
      },
      { tags: ['zero'] },
    )
    expect((await here.getEntry('k')).tags.toSorted()).toEqual(['one', 'two', 'zero'])
  })

  it('is bound with the tags of the call: 64 in all, and a life that a tag outlives', async () => {
    const { here } = two()
    const tags = Array.from({ length: 64 }, (_, i) => `t${i}`)
    const more: Loader<string> = ({ setTags }) => {
      setTags(['t0'])
      setTags(['one more'])
      return 'x'
    }
    await expect(here.getOrSet('k', more, { tags })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const long: Loader<string> = ({ setTtl }) => {
      setTtl('30d')
      return 'x'
    }
    await expect(here.getOrSet('k', long, { tags: ['t'] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(here.getOrSet('k', () => null, { tags: ['t'], negativeTtl: '30d' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await here.set('k', 'x', { tags: ['t'] })
    await expect(here.touch('k', { ttl: '30d' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await here.touch('k', { ttl: '6d' })).toBe(true)
  })

  it('setTtl names a life where the cache has none, in any order, with the grace of the cache', async () => {
    const cache = createCache({ store: memoryStore(), grace: '1h' })
    await load(cache, ({ setTags, setTtl }) => {
      setTags(['t'])
      setTtl(50)
      return 'x'
    })
    expect(await cache.get('k')).toBe('x')
    await pause(70)
    const failing = (): never => {
      throw new Error('away')
    }
    expect(await cache.getOrSet('k', failing)).toBe('x')
  })

  it('setTtl counts for null, too, where a negativeTtl is given', async () => {
    const { here } = two()
    const lasting: Loader<null> = ({ setTtl }) => {
      setTtl('50m')
      return null
    }
    await load(here, lasting, { negativeTtl: 1000 })
    expect(await here.ttl('k')).toBeGreaterThan(60_000)
  })

  it('is not changed by what its caller does to the array of tags meanwhile', async () => {
    const { here } = two()
    const tags = ['x']
    const loading = here.getOrSet('k', () => 1, { tags })
    tags[0] = 'y'
    await loading
    await here.flush()
    await here.invalidateTags(['x'])
    expect(await here.get('k')).toBeUndefined()
  })
})
