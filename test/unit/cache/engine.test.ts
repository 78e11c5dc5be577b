import { type Cache, type CacheEvent, type CacheOptions, createCache } from 'hither'
import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { atFraction, early } from 'hither/refresh'
import { describe, expect, it } from 'vitest'

// The common paths of a cache over one store, as in two processes: tags, clear and expire; one load and its defaults;
// the edges of a call; loads of many keys.

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Two caches over one store, as in two processes. */
function two(options: Partial<CacheOptions> = {}): {
  here: Cache<'frozen'>
  there: Cache<'frozen'>
  events: CacheEvent[]
} {
  const store = memoryStore()
  const events: CacheEvent[] = []
  const make = (): Cache<'frozen'> =>
    createCache({ store, ttl: '1m', onEvent: (event) => events.push(event), ...options })
  return { here: make(), there: make(), events }
}
function gate<T>(): { promise: Promise<T>; open(value: T): void } {
  let open!: (value: T) => void
  const promise = new Promise<T>((resolve) => {
    open = resolve
  })
  return { promise, open }
}

describe('tags', () => {
  it('ends what bears one, here and there, named at the read or not', async () => {
    for (const tags of [undefined, ['a']]) {
      const { here, there } = two()
      await here.set('k', 1, { tags: ['a', 'b, =%é'] })
      await here.set('other', 2, { tags: ['c'] })
      expect(await there.get('k', tags ? { tags } : {})).toBe(1)
      await here.invalidateTags(['a'])
      expect(await here.get('k')).toBeUndefined()
      expect(await there.get('k', { tags: ['a'] })).toBeUndefined()
      expect(await there.get('other')).toBe(2)
    }
  })
  it('makes stale what bears one, on demand', async () => {
    const { here, there } = two({ grace: '1m' })
    await here.set('k', 1, { tags: ['a'] })
    await here.invalidateTags(['a'], { keepStale: true })
    expect(await there.get('k', { tags: ['a'] })).toBeUndefined()
    expect(await there.getEntry('k', { tags: ['a'] })).toMatchObject({ status: 'stale', value: 1, tags: ['a'] })
    const fails = (): never => {
      throw new Error('down')
    }
    expect(await there.getOrSet('k', fails, { tags: ['a'] })).toBe(1)
    expect(await there.getOrSet('k', () => 2, { tags: ['a'] })).toBe(2)
    expect(await here.get('k', { tags: ['a'] })).toBe(2)
    await here.invalidateTags(['a'])
    expect(await there.getEntry('k', { tags: ['a'] })).toMatchObject({ status: 'absent' })
  })
  it('are taken before the load: an invalidation during it wins, and no later caller is answered by it', async () => {
    for (const by of ['here', 'there'] as const) {
      const both = two()
      const { here, there } = both
      const old = gate<string>()
      const first = here.getOrSet('k', () => old.promise, { tags: ['a'] })
      await sleep(1)
      await both[by].invalidateTags(['a'])
      const second = here.getOrSet('k', () => 'new', { tags: ['a'] })
      old.open('old')
      expect(await first).toBe('old')
      expect(await second).toBe('new')
      expect(await there.get('k', { tags: ['a'] })).toBe('new')
    }
  })
  it('are not joined by a caller that has not read them', async () => {
    const { here, there } = two()
    const old = gate<string>()
    const first = here.getOrSet('k', () => old.promise, { tags: ['a'] })
    await sleep(1)
    await there.invalidateTags(['a'])
    const second = here.getOrSet('k', () => 'new')
    old.open('old')
    expect([await first, await second]).toEqual(['old', 'new'])
  })
  it('of a capture are those of one namespace', async () => {
    const { here, there } = two()
    const captured = await here.capture(['a'])
    const tenant = here.namespace('tenant')
    await expect(tenant.set('k', 'lost', { tags: captured })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await tenant.set('k', 'kept', { tags: await there.namespace('tenant').capture(['a']) })
    expect(await tenant.get('k')).toBe('kept')
  })
  it('of a capture guard a later set', async () => {
    const { here, there } = two()
    const captured = await here.capture(['a'])
    await there.invalidateTags(['a'])
    await here.set('k', 'old', { tags: captured })
    expect(await here.get('k', { tags: ['a'] })).toBeUndefined()
    await here.set('k', 'new', { tags: await here.capture(['a']) })
    expect(await there.get('k', { tags: ['a'] })).toBe('new')
  })
  it('that were lost make misses, never hits', async () => {
    const store = memoryStore()
    const cache = createCache({ store, ttl: '1m' })
    await cache.set('k', 1, { tags: ['a'] })
    await store.delete([':hither:t:a'])
    expect(await createCache({ store }).get('k')).toBeUndefined()
    await cache.getOrSet('other', () => 1, { tags: ['a'] })
    expect(await createCache({ store }).get('k')).toBeUndefined()
    await store.delete([':hither:g'])
    expect(await createCache({ store }).get('other', { tags: ['a'] })).toBeUndefined()
    await createCache({ store }).set('new', 1)
    expect(await createCache({ store }).get('other', { tags: ['a'] })).toBeUndefined()
  })
  it('that a loader names are stored at the second load, when they could be taken before it', async () => {
    const { here } = two()
    let runs = 0
    const load = (): Promise<unknown> =>
      here.getOrSet('k', ({ setTags }) => {
        setTags(['late'])
        return ++runs
      })
    expect([await load(), await load(), await load()]).toEqual([1, 2, 2])
    await here.invalidateTags(['late'])
    expect(await load()).toBe(3)
  })
  it('are refused without a lifetime, above 64, or malformed', async () => {
    const forever = createCache({ store: memoryStore() })
    await expect(forever.set('k', 1, { tags: ['a'] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    const { here } = two()
    for (const tags of [Array.from({ length: 65 }, (_, i) => `${i}`), [''], ['\ud800'], 'abc', [1]]) {
      await expect(here.set('k', 1, { tags: tags as string[] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      await expect(here.getOrSet('k', () => 1, { tags: tags as string[] })).rejects.toMatchObject({
        code: 'INVALID_ARGUMENT',
      })
    }
    await expect(here.set('k', 1, { ttl: '8d', tags: ['a'] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await here.get('k')).toBeUndefined()
  })
})

describe('clear', () => {
  it('ends one namespace and no other, with loads under way', async () => {
    const { here, there } = two()
    const inner = here.namespace('inner')
    await Promise.all([here.set('k', 1), inner.set('k', 2)])
    const old = gate<string>()
    const first = there.getOrSet('loading', () => old.promise)
    await sleep(1)
    await here.clear()
    expect(await here.get('k')).toBeUndefined()
    expect(await there.get('k')).toBeUndefined()
    expect(await inner.get('k')).toBe(2)
    const second = there.getOrSet('loading', () => 'new')
    old.open('old')
    expect([await first, await second]).toEqual(['old', 'new'])
    expect(await here.get('loading')).toBe('new')
    await here.set('k', 3)
    expect(await there.get('k')).toBe(3)
  })
  it('frees keys for add, take, increment, touch and ttl', async () => {
    const { here, there } = two()
    await Promise.all([here.set('a', 1), here.set('n', 5), here.set('t', 1)])
    await there.clear()
    expect(await here.ttl('a')).toBeUndefined()
    expect(await here.touch('a')).toBe(false)
    expect(await here.take('t')).toBeUndefined()
    expect(await here.has('a')).toBe(false)
    expect(await here.add('a', 2)).toBe(true)
    expect(await here.increment('n')).toBe(1)
    expect(await there.get('a')).toBe(2)
    expect(await there.get('n')).toBe(1)
  })
})

describe('expire', () => {
  it('keeps a copy for a failing load only, and refuses a load that began before', async () => {
    const { here, there } = two({ grace: '1m' })
    await here.set('k', 1)
    expect(await there.expire('k')).toBe(true)
    expect(await here.get('k')).toBeUndefined()
    const old = gate<number>()
    const first = here.getOrSet('k', () => old.promise)
    await sleep(1)
    expect(await there.expire('k')).toBe(true)
    old.open(2)
    expect(await first).toBe(2)
    expect(await there.getEntry('k')).toMatchObject({ status: 'stale', value: 1 })
    const bare = two()
    await bare.here.set('k', 1)
    expect(await bare.here.expire('k')).toBe(false)
    expect(await bare.there.getEntry('k')).toMatchObject({ status: 'absent' })
  })
})

describe('a load', () => {
  it('serves the stale copy after softTimeout and stores its value all the same', async () => {
    const { here, there } = two({ grace: '1m' })
    await here.set('k', 'old')
    await here.expire('k')
    const slow = gate<string>()
    expect(await here.getOrSet('k', () => slow.promise, { softTimeout: 1 })).toBe('old')
    slow.open('new')
    await here.flush()
    expect(await there.get('k')).toBe('new')
  })
  it('is not tried again during backoff', async () => {
    const { here } = two({ grace: '1m' })
    await here.set('k', 'old')
    await here.expire('k')
    let runs = 0
    const fails = (): never => {
      runs++
      throw new Error('down')
    }
    for (let i = 0; i < 3; i++) expect(await here.getOrSet('k', fails, { backoff: '1m' })).toBe('old')
    expect(runs).toBe(1)
  })
  it('runs ahead of time while the value is served', async () => {
    const { here, there } = two()
    let runs = 0
    const load = (refresh = atFraction(0.000001)): Promise<unknown> => here.getOrSet('k', () => ++runs, { refresh })
    expect(await load()).toBe(1)
    await sleep(2)
    expect(await load()).toBe(1)
    await here.flush()
    expect(await there.get('k')).toBe(2)
    expect(await here.getOrSet('k', () => ++runs, { refresh: early(999) })).toBe(2)
  })
  it('is forced, or by-passes the cache', async () => {
    const { here, there } = two()
    await here.set('k', 1)
    expect(await here.getOrSet('k', () => 2, { bypass: true })).toBe(2)
    expect(await there.get('k')).toBe(1)
    expect(await here.getOrSet('k', () => 3, { forceFresh: true })).toBe(3)
    expect(await there.get('k')).toBe(3)
  })
  it('is given the previous value, and may keep it', async () => {
    const { here } = two({ grace: '1m' })
    await here.set('k', { v: 1 })
    await here.expire('k')
    const value = await here.getOrSet('k', ({ previous, notModified, setTtl }) => {
      expect(previous?.value).toEqual({ v: 1 })
      setTtl('2m')
      return notModified()
    })
    expect(value).toEqual({ v: 1 })
    expect(await here.getEntry('k')).toMatchObject({ status: 'fresh', value: { v: 1 } })
    expect(await here.ttl('k')).toBeGreaterThan(60_000)
    await expect(here.getOrSet('none', ({ notModified }) => notModified())).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })
  it('may answer without being stored, fail, or live shorter', async () => {
    const { here } = two()
    expect(await here.getOrSet('s', ({ skip }) => skip(1))).toBe(1)
    expect(await here.get('s')).toBeUndefined()
    const reason = new Error('no')
    await expect(here.getOrSet('f', ({ fail }) => fail(reason))).rejects.toBe(reason)
    expect(await here.getOrSet('n', () => null, { negativeTtl: '5s' })).toBeNull()
    expect(await here.ttl('n')).toBeLessThanOrEqual(5000)
    await here.getOrSet('j', () => 1, { jitter: 0.5 })
    const left = (await here.ttl('j')) as number
    expect(left).toBeGreaterThan(29_000)
    expect(left).toBeLessThanOrEqual(60_000)
  })
  it('of its own answers at the deadline on demand, and is not stored', async () => {
    const { here, there } = two()
    const slow = gate<string>()
    const first = there.getOrSet('k', () => slow.promise)
    await sleep(1)
    expect(await here.getOrSet('k', () => 'own', { deadline: Date.now() + 20, onDeadline: 'load' })).toBe('own')
    slow.open('first')
    expect(await first).toBe('first')
    expect(await here.get('k')).toBe('first')
  })
  it('refuses options that make no sense together', async () => {
    const { here } = two()
    const plans: object[] = [
      { jitter: 1 },
      { jitter: -1 },
      { jitter: Number.NaN },
      { softTimeout: '1s' },
      { grace: '1m', softTimeout: '2s', hardTimeout: '1s' },
      { bypass: true, forceFresh: true },
      { onDeadline: 'x' },
      { nope: 1 },
    ]
    for (const plan of plans) {
      await expect(here.getOrSet('k', () => 1, plan)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
    await expect(here.getOrSet('k', () => 1, { negativeTtl: 0 })).rejects.toMatchObject({ code: 'INVALID_DURATION' })
  })
})

describe('the defaults of a load', () => {
  it("are the cache's where a call names none", async () => {
    const { here, there } = two({ grace: '1m', softTimeout: 1, backoff: '1m', jitter: 0.5 })
    await here.set('k', 'old')
    await here.expire('k')
    const slow = gate<string>()
    expect(await here.getOrSet('k', () => slow.promise)).toBe('old')
    slow.open('new')
    await here.flush()
    expect(await there.get('k')).toBe('new')
    const left = (await here.ttl('k')) as number
    expect(left).toBeGreaterThan(29_000)
    await here.expire('k')
    let runs = 0
    const fails = (): never => {
      runs++
      throw new Error('down')
    }
    const read = (options?: object): Promise<string> => here.getOrSet<string>('k', fails, options)
    for (let i = 0; i < 3; i++) expect(await read()).toBe('new')
    expect(await read({ softTimeout: undefined, backoff: undefined })).toBe('new')
    expect(runs).toBe(1)
  })
  it("give way to the call's own", async () => {
    const { here } = two({ grace: '1m', softTimeout: 1, backoff: '1m' })
    await here.set('k', 'old')
    await here.expire('k')
    let runs = 0
    const load = async (): Promise<string> => {
      runs++
      await sleep(5)
      throw new Error('down')
    }
    for (let i = 0; i < 2; i++) expect(await here.getOrSet('k', load, { backoff: 0, softTimeout: '5s' })).toBe('old')
    expect(runs).toBe(2)
  })
  it.each([undefined, nearTier({ maxAge: '1m' })])(
    'refresh ahead of time, with a near tier or without',
    async (near) => {
      let isDue = false
      const here = createCache({ store: memoryStore(), ttl: '1m', refresh: () => isDue, ...(near && { near }) })
      let runs = 0
      const load = (): Promise<number> => here.getOrSet('k', () => ++runs)
      for (let i = 0; i < 3; i++) expect(await load()).toBe(1)
      isDue = true
      expect(await load()).toBe(1)
      await here.flush()
      expect(runs).toBe(2)
      expect(await here.get('k')).toBe(2)
      expect(await here.getOrSet('k', () => ++runs, { refresh: () => false })).toBe(2)
      await here.flush()
      expect(runs).toBe(2)
    },
  )
  it('reach wrap, define and many keys', async () => {
    const { here } = two({ grace: '1m', backoff: '1m' })
    let runs = 0
    const load = (): number => {
      if (++runs > 3) throw new Error('down')
      return runs
    }
    const wrapped = here.wrap(load, { name: 'w' })
    const defined = here.define({ name: 'd', load: (_: string) => load(), tags: ['all'] })
    const many = (): Promise<Map<string, number>> => here.getOrSetMany(['m'], () => ({ m: load() }), { tags: ['all'] })
    const all = async (): Promise<unknown[]> => [await wrapped(), await defined.get('x'), ...(await many()).values()]
    expect(await all()).toEqual([1, 2, 3])
    await here.invalidateTags(['all'], { keepStale: true })
    for (let i = 0; i < 3; i++) expect(await all()).toEqual([1, 2, 3])
    expect(runs).toBe(5)
  })
  it('suit calls without grace, or with less time than they allow', async () => {
    const { here } = two({ softTimeout: '1s', hardTimeout: '2s' })
    expect(await here.getOrSet('a', () => 1)).toBe(1)
    expect(await here.getOrSet('b', () => 1, { grace: '1m', hardTimeout: '500ms' })).toBe(1)
    await expect(here.getOrSet('c', () => 1, { softTimeout: '1s' })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

describe('the edges of a call', () => {
  it('getMany gives each value its own key, also where the array of keys changes meanwhile', async () => {
    const { here } = two()
    await here.set('a', 1)
    const keys = ['a']
    const found = here.getMany(keys)
    keys[0] = 'b'
    expect(await found).toEqual(new Map([['a', 1]]))
  })
  it('setMany writes the last value of a key that comes twice', async () => {
    const { here } = two()
    await here.setMany([
      ['a', 1],
      ['b', 2],
      ['a', 3],
    ])
    expect([...(await here.getMany(['a', 'b']))]).toEqual([
      ['a', 3],
      ['b', 2],
    ])
  })
  it('wrap keeps apart what a colon would join', async () => {
    const { here } = two()
    const one = here.wrap(async (part: string) => `one ${part}`, { name: 'a', key: (part) => part })
    const other = here.wrap(async (part: string) => `other ${part}`, { name: 'a:b', key: (part) => part })
    expect(await one('b:c')).toBe('one b:c')
    expect(await other('c')).toBe('other c')
  })
  it('a view takes undefined as not given', async () => {
    const store = memoryStore()
    const work: Promise<unknown>[] = []
    const cache = createCache({ store, ttl: '1m', waitUntil: (promise) => work.push(promise) })
    await cache.with({ waitUntil: undefined, signal: undefined }).getOrSet('k', () => 1)
    expect(work).not.toHaveLength(0)
  })
  it('a duration in a list is none', async () => {
    const { here } = two()
    await expect(here.set('k', 1, { ttl: ['5s'] as never })).rejects.toMatchObject({ code: 'INVALID_DURATION' })
  })
})

describe('getOrSetMany', () => {
  it('takes what has the methods of a Map, such as a Map of another realm', async () => {
    class Rows {
      readonly rows = new Map([['a', 1]])
      get = (key: string): number | undefined => this.rows.get(key)
    }
    const rows = new Rows() as unknown as ReadonlyMap<string, number>
    expect([...(await two().here.getOrSetMany(['a', 'b'], () => rows))]).toEqual([['a', 1]])
    expect([...(await two().here.getOrSetMany(['a', 'get'], () => ({ a: 1, get: 2 })))]).toEqual([
      ['a', 1],
      ['get', 2],
    ])
  })
  it('asks once for what is missing', async () => {
    const { here, there } = two()
    await here.set('a', 1)
    const asked: string[][] = []
    const values = await here.getOrSetMany(['a', 'b', 'c', 'b', 'd'], (keys) => {
      asked.push([...keys])
      return new Map(keys.filter((key) => key !== 'd').map((key) => [key, key.toUpperCase()]))
    })
    expect(asked).toEqual([['b', 'c', 'd']])
    expect([...values]).toEqual([
      ['a', 1],
      ['b', 'B'],
      ['c', 'C'],
    ])
    expect([...(await there.getMany(['a', 'b', 'c', 'd']))]).toEqual([...values])
  })
  it('waits for what another loads, and loads the rest meanwhile', async () => {
    const { here, there } = two()
    const slow = gate<string>()
    const first = there.getOrSet('a', () => slow.promise)
    await sleep(1)
    const asked: string[][] = []
    const many = here.getOrSetMany(['a', 'b'], (keys) => {
      asked.push([...keys])
      slow.open('there')
      return Object.fromEntries(keys.map((key) => [key, 'here']))
    })
    expect([...(await many)]).toEqual([
      ['a', 'there'],
      ['b', 'here'],
    ])
    expect(asked).toEqual([['b']])
    expect(await first).toBe('there')
  })
  it('fails as its loader does, and leaves no lease', async () => {
    const { here, there } = two()
    const reason = new Error('no')
    await expect(here.getOrSetMany(['a', 'b'], () => Promise.reject(reason))).rejects.toBe(reason)
    expect(await there.getOrSet('a', () => 1)).toBe(1)
    expect(here.stats().inFlight).toBe(0)
  })
})

describe('a load of many', () => {
  const open = () => createCache({ store: memoryStore(), ttl: '1m' })
  it('reads and stores nothing when it is to bypass the cache', async () => {
    const cache = open()
    await cache.set('a', 1)
    const asked: (readonly string[])[] = []
    const load = (keys: readonly string[]) => {
      asked.push(keys)
      return { a: new Date(1), b: 2 }
    }
    const values = await cache.getOrSetMany(['a', 'b', 'c'], load, { bypass: true })
    expect(values).toEqual(
      new Map<string, unknown>([
        ['a', new Date(1)],
        ['b', 2],
      ]),
    )
    expect(asked).toEqual([['a', 'b', 'c']])
    expect(await cache.getMany(['a', 'b'])).toEqual(new Map([['a', 1]]))
  })
  it('refreshes those that are due ahead of time, by one run', async () => {
    const cache = open()
    let round = 0
    const asked: (readonly string[])[] = []
    const load = (keys: readonly string[]) => {
      asked.push(keys)
      round++
      return new Map(keys.map((key) => [key, round]))
    }
    const keys = ['a', 'b', 'c', 'd']
    await cache.getOrSetMany(keys.slice(0, 3), load)
    const values = await cache.getOrSetMany(keys, load, { refresh: () => true })
    await cache.flush()
    expect(values.get('a')).toBe(1)
    expect([...(await cache.getMany(keys)).values()]).toEqual([2, 2, 2, 2])
    expect(asked.map((keys) => [...keys].sort())).toEqual([['a', 'b', 'c'], keys])
  })
})
