import { afterEach, describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { shortHash } from '../../../src/cache/hashed-keys.ts'
import { plain } from '../../../src/cache/parts/format-plain.ts'
import { type AtomicStore, type Cache, type CacheEvent, createCache, HitherError } from '../../../src/index.ts'
import { nearTier } from '../../../src/near/index.ts'
import { brokenStore } from '../../../src/testing/index.ts'

const code = (code: string) => expect.objectContaining({ code })
const kinds = ['entry', 'near', 'plain'] as const

function open(options: object = {}, kind: (typeof kinds)[number] = 'entry', store: AtomicStore = memoryStore()) {
  const events: CacheEvent[] = []
  const parts = { ...(kind === 'near' && { near: nearTier() }), ...(kind === 'plain' && { format: plain() }) }
  const onEvent = (event: CacheEvent): void => void events.push(event)
  const cache: Cache = createCache({ store, ttl: '1m', onEvent, ...parts, ...options } as { store: AtomicStore })
  return { cache, events }
}

afterEach(() => {
  vi.useRealTimers()
})

describe('a call', () => {
  it('past its deadline counts once: as a hit or miss of the near tier, or as a miss', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    const store = brokenStore(undefined, { store: memoryStore() })
    const { cache, events } = open({ ttl: 1000, grace: '1m' }, 'near', store)
    await cache.set('k', 1)
    await cache.get('k')
    store.fault = 'hangs'
    events.length = 0
    const late = () => ({ deadline: Date.now() - 1, onDeadline: 'load' }) as const
    expect(await cache.getOrSet('none', () => 2, late())).toBe(2)
    expect(await cache.getOrSet('k', () => 2, { ...late(), refresh: () => true })).toBe(1)
    vi.setSystemTime(Date.now() + 1001)
    expect(await cache.getOrSet('k', () => 2, late())).toBe(1)
    const counted = events.map(({ type }) => type).filter((type) => /hit|miss|stale/.test(type))
    expect(counted).toEqual(['miss', 'hit', 'miss', 'stale'])
    expect(cache.stats()).toMatchObject({ hits: 2, misses: 2, stale: 1 })
  })
  it('that waits for the load of another process counts once, as a miss', async () => {
    const store = memoryStore()
    const { cache, events } = open({}, 'entry', store)
    const other = createCache({ store, ttl: '1m' })
    const [begun, door] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const loading = other.getOrSet('k', async () => {
      begun.resolve()
      await door.promise
      return 1
    })
    await begun.promise
    const waiting = cache.getOrSet('k', () => 2)
    setTimeout(door.resolve, 10)
    expect([await loading, await waiting]).toEqual([1, 1])
    expect(events.map(({ type }) => type)).toEqual(['miss'])
    expect(cache.stats()).toMatchObject({ hits: 0, misses: 1, loads: 0 })
  })
})

describe.each(kinds)('an event (%s)', (kind) => {
  it('has the name of its wrap or define, and none for a call by key', async () => {
    const { cache, events } = open({}, kind)
    const wrapped = cache.wrap(async (id: number) => id, { name: 'user' })
    const defined = cache.define({ name: 'order', load: (id: number) => id })
    for (let i = 0; i < 3; i++) {
      await wrapped(1)
      await defined.get(1)
      await defined.getMany([1, 2])
      await cache.getOrSet('k', () => 1)
      await cache.get('k')
    }
    await cache.flush()
    const names = (type: string) => new Set(events.filter((event) => event.type === type).map(({ name }) => name))
    for (const type of ['hit', 'miss', 'load']) expect(names(type)).toEqual(new Set(['user', 'order', undefined]))
  })
  it('says nothing of its key, or the hash that was asked for', async () => {
    const silent = open({}, kind)
    await silent.cache.getOrSet('user:1', () => 1)
    expect(silent.events.some((event) => 'keyHash' in event)).toBe(false)
    const { cache, events } = open({ eventKeys: shortHash() }, kind)
    for (let i = 0; i < 3; i++) await cache.getOrSet('user:1', () => 1)
    await cache.get('user:1')
    await cache.get('none')
    await cache.flush()
    const of = (type: string) => events.filter((event) => event.type === type).map(({ keyHash }) => keyHash)
    const [hash] = of('load') as [string]
    expect(hash).toMatch(/^[0-9a-f]{8}$/)
    expect(of('hit')).toEqual([hash, hash, hash])
    expect(of('miss')).toEqual([hash, expect.stringMatching(/^[0-9a-f]{8}$/)])
    expect(of('miss')[1]).not.toBe(hash)
    expect(JSON.stringify(events)).not.toContain('user:1')
  })
  it('of a stale value, a failed load or a store that is down has it too', async () => {
    const memory = memoryStore()
    let isDown = false
    const fail = (): never => {
      throw new HitherError('STORE_UNAVAILABLE', 'down')
    }
    const store = {
      ...memory,
      get: async (...args: Parameters<AtomicStore['get']>) => (isDown ? fail() : memory.get(...args)),
      run: async (...args: Parameters<AtomicStore['run']>) => (isDown ? fail() : memory.run(...args)),
    } as AtomicStore
    const { cache, events } = open({ eventKeys: shortHash(), ...(kind !== 'plain' && { grace: '1m' }) }, kind, store)
    const broken = (): never => {
      throw new Error('broken')
    }
    const seen = (type: string) => events.find((event) => event.type === type)
    await cache.getOrSet('k', () => 1)
    if (kind !== 'plain') {
      await cache.expire('k')
      await cache.getOrSet('k', broken)
      expect(seen('stale')).toMatchObject({ keyHash: expect.any(String) })
    }
    isDown = true
    await cache.getOrSet('other', () => 2)
    await cache.flush()
    expect(seen('store-error')).toMatchObject({ keyHash: expect.any(String) })
    if (kind !== 'plain') expect(seen('write-dropped')).toMatchObject({ keyHash: expect.any(String) })
  })
  const calls: Readonly<Record<string, (cache: Cache) => unknown>> = {
    get: (cache) => cache.get('k'),
    getMany: (cache) => cache.getMany(['k']),
    getEntry: (cache) => cache.getEntry('k'),
    has: (cache) => cache.has('k'),
    ttl: (cache) => cache.ttl('k'),
    take: (cache) => cache.take('k'),
    set: (cache) => cache.set('k', 1),
    'set, which reports': (cache) => cache.set('k', 1, { onWriteFailure: 'event' }),
    add: (cache) => cache.add('k', 1),
    touch: (cache) => cache.touch('k', { ttl: '1m' }),
    increment: (cache) => cache.increment('k'),
    delete: (cache) => cache.delete('k'),
    'delete, which reports': (cache) => cache.delete('k', { onWriteFailure: 'event' }),
    expire: (cache) => cache.expire('k'),
    getOrSet: (cache) => cache.getOrSet('k', () => 1),
    'getOrSet past the store': (cache) => cache.getOrSet('k', () => 1, { bypass: true }),
    getOrSetMany: (cache) => cache.getOrSetMany(['k'], () => ({ k: 1 })),
  }
  it.each(Object.keys(calls))('of a store that is down has the key of its %s', async (name) => {
    const stores = [brokenStore('down'), failsAfter(memoryStore(), 1), failsAfter(memoryStore(), 2)]
    for (const store of stores) {
      const { cache, events } = open({ eventKeys: (key: string) => `#${key}` }, kind, store)
      await Promise.resolve(calls[name]?.(cache)).catch(() => {})
      await cache.flush()
      const failures = events.filter(({ type }) => /^(store-error|write-dropped|background-error)$/.test(type))
      if (store === stores[0] && kind + name !== 'plainexpire' && !name.includes('past')) {
        expect(failures).not.toEqual([])
      }
      for (const event of failures) expect(event).toMatchObject({ keyHash: '#k' })
    }
  })
  it('of setMany has the key whose write failed', async () => {
    const memory = memoryStore()
    const { cache, events } = open({ eventKeys: (key: string) => `#${key}` }, kind, failsAfter(memory, 1))
    // The one command that succeeds captures the version, or in the plain format is the first write.
    await cache.setMany(
      [
        ['k', 1],
        ['l', 1],
      ],
      { onWriteFailure: 'event' },
    )
    const hashes = events.filter(({ type }) => type === 'store-error').map(({ keyHash }) => keyHash)
    expect(hashes).toEqual(kind === 'plain' ? ['#l'] : ['#k', '#l'])
  })
  it('about several keys has none, nor has one about a namespace', async () => {
    const { cache, events } = open({ eventKeys: (key: string) => `#${key}` }, kind, brokenStore('down'))
    await cache.delete(['k', 'l']).catch(() => {})
    if (kind !== 'plain') await cache.clear().catch(() => {})
    expect(events.filter(({ type }) => type === 'store-error')).not.toEqual([])
    expect(events.filter((event) => 'keyHash' in event)).toEqual([])
  })
})

/** Carries out the first `commands` calls, then is down. */
function failsAfter(store: AtomicStore, commands: number): AtomicStore {
  let left = commands
  const counted =
    <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (left-- <= 0) throw new HitherError('STORE_UNAVAILABLE', 'down')
      return call(...args)
    }
  const { get, set, run } = store
  return {
    ...store,
    get: counted(get),
    set: counted(set),
    delete: counted(store.delete),
    run: counted(run) as typeof run,
  }
}

describe('an event', () => {
  it('is lost when eventKeys throws, and costs no answer', async () => {
    const eventKeys = (): never => {
      throw new Error('no')
    }
    const { cache } = open({ eventKeys })
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    expect(await cache.get('k')).toBe(1)
    expect(() => open({ eventKeys: 'sha' })).toThrow(code('INVALID_ARGUMENT'))
  })
  it('tells once that a lifetime is a number of milliseconds below a second', async () => {
    const { cache, events } = open({ ttl: 60 })
    const told = () => events.filter(({ type }) => type === 'short-ttl')
    await cache.set('k', 1)
    await cache.set('k', 1, { ttl: 30 })
    expect(told()).toEqual([{ type: 'short-ttl', namespace: 'hither', message: expect.stringContaining("'60s'") }])
    const calls = [
      (cache: Cache) => cache.set('k', 1, { ttl: 5 }),
      (cache: Cache) => cache.getOrSet('k', () => 1, { ttl: 5 }),
      (cache: Cache) => cache.touch('k', { ttl: 5 }),
      (cache: Cache) => cache.wrap(() => 1, { name: 'w', ttl: 5 })(),
    ]
    for (const call of calls) {
      const { cache, events } = open()
      await call(cache)
      await Promise.resolve()
      expect(events.filter(({ type }) => type === 'short-ttl')).toMatchObject([
        { message: expect.stringMatching("'5s'") },
      ])
    }
  })
  it('says nothing of a lifetime of a second or more, or of one with a unit', async () => {
    const { cache, events } = open({ grace: 5 })
    await cache.set('k', 1, { ttl: 1000 })
    await cache.set('k', 1, { ttl: '60ms' })
    await cache.getOrSet('l', ({ setTtl }) => setTtl(0) ?? 1, { backoff: 5 })
    await cache.getOrSet('m', () => null, { ttl: 2000 })
    await Promise.resolve()
    expect(events.filter(({ type }) => type === 'short-ttl')).toEqual([])
  })
})

describe('createCache over what is no store', () => {
  class Client {
    readonly status = 'ready'
    sendCommand(): void {}
    pipeline(): void {}
  }
  class Rest {
    pipeline(): void {}
  }
  it.each<[unknown, string]>([
    ['redis://localhost:6379', 'tcpStore(url)'],
    [new URL('rediss://localhost'), 'tcpStore(url)'],
    [new Client(), 'wrap it, ioredisStore(client)'],
    [{ sendCommand: () => {}, isOpen: false }, 'tcpStore(url)'],
    [new Rest(), 'upstashStore({ url, token })'],
    [Promise.resolve(), 'not the promise of a client'],
    [undefined, 'memoryStore()'],
    [7, 'memoryStore()'],
  ])('names the way: %o', (store, mend) => {
    const open = () => createCache({ store: store as AtomicStore })
    expect(open).toThrow(code('INVALID_ARGUMENT'))
    expect(open).toThrow(mend)
  })
})

describe('waitUntil', () => {
  /** Like a Worker's context: its functions are methods of a class, which need their object as `this`. */
  class Context {
    readonly works: Promise<unknown>[] = []
    readonly props = {}
    waitUntil(work: Promise<unknown>): void {
      this.works.push(work)
    }
    passThroughOnException(): void {}
  }
  it("is a request's context itself", async () => {
    const ctx = new Context()
    const { cache } = open()
    await cache.with(ctx).getOrSet('k', () => 1)
    expect(ctx.works).not.toHaveLength(0)
    const works: unknown[] = []
    const double = { waitUntil: (work: Promise<unknown>) => void works.push(work), passThroughOnException() {} }
    await cache.with(double).getOrSet('l', () => 1)
    expect(works).not.toHaveLength(0)
  })
  it('that was taken from its object is told with its cause, and costs no answer', async () => {
    const { cache, events } = open()
    const { waitUntil } = new Context()
    expect(await cache.with({ waitUntil }).getOrSet('k', () => 1)).toBe(1)
    const event = events.find(({ type }) => type === 'background-error')
    expect(event).toMatchObject({ code: 'INVALID_ARGUMENT', cause: { cause: expect.any(TypeError) } })
    expect(event).toMatchObject({ cause: { message: expect.stringContaining('(work) => ctx.waitUntil(work)') } })
  })
  it('is called for work alone when it is a function of the program', async () => {
    let calls = 0
    open()
      .cache.with({ waitUntil: () => calls++ })
      .peek('k')
    expect(calls).toBe(0)
    for (const waitUntil of [{}, 'x', 7, null]) {
      expect(() => open().cache.with({ waitUntil: waitUntil as never })).toThrow(code('INVALID_ARGUMENT'))
      expect(() => open({ waitUntil })).toThrow(code('INVALID_ARGUMENT'))
    }
  })
  it('of the runtime is refused at the call when it was taken from its object', () => {
    // A native method that throws without its object, as a Worker's does.
    const { cache } = open()
    const waitUntil = Map.prototype.keys as never
    expect(() => cache.with({ waitUntil })).toThrow(code('INVALID_ARGUMENT'))
    expect(() => cache.with({ waitUntil })).toThrow('(work) => ctx.waitUntil(work)')
    // The cache itself is made outside of any request, where the runtime's `waitUntil` throws in any case: it is not tried.
    expect(() => open({ waitUntil })).not.toThrow()
    expect(() => cache.with({ waitUntil: Map.prototype.keys.bind(new Map()) as never })).not.toThrow()
  })
})
