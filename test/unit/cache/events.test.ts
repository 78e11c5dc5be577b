import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { shortHash } from '../../../src/cache/hashed-keys.ts'
import { plain } from '../../../src/cache/parts/format-plain.ts'
import { type AtomicStore, type Cache, type CacheEvent, createCache, HitherError } from '../../../src/index.ts'
import { nearTier } from '../../../src/near/index.ts'

const code = (code: string) => expect.objectContaining({ code })
const kinds = ['entry', 'near', 'plain'] as const

function open(options: object = {}, kind: (typeof kinds)[number] = 'entry', store: AtomicStore = memoryStore()) {
  const events: CacheEvent[] = []
  const parts = { ...(kind === 'near' && { near: nearTier() }), ...(kind === 'plain' && { format: plain() }) }
  const onEvent = (event: CacheEvent): void => void events.push(event)
  const cache: Cache = createCache({ store, ttl: '1m', onEvent, ...parts, ...options } as { store: AtomicStore })
  return { cache, events }
}

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
})

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
  /** As a Worker's context: methods of its class, which need their object. */
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
    // The cache itself is made outside of any request, where the runtime's throws in any case.
    expect(() => open({ waitUntil })).not.toThrow()
    expect(() => cache.with({ waitUntil: Map.prototype.keys.bind(new Map()) as never })).not.toThrow()
  })
})
