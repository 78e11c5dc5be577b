import { type Cache, type CacheOptions, type Codec, createCache, HitherError } from 'hither'
import { memoryStore } from 'hither/memory'
import { plain as plainFormat } from 'hither/plain'
import { describe, expect, it } from 'vitest'
import { byHand, distantClock, pause } from './slow-store.ts'

// Races that the cache guards against, most of them between two processes on one store: invalidations, callers that leave
// and calls on one key during a load; leases that must be renewed or given back; late steps that must not serve or store
// what was invalidated. At the end: deadlines and options of a call, and reads and calls that wait for an earlier one.

type Memory = ReturnType<typeof memoryStore>

function two(
  options: Partial<CacheOptions> = {},
  store: Memory = memoryStore(),
): { here: Cache<'frozen'>; there: Cache<'frozen'>; store: Memory } {
  const make = (): Cache<'frozen'> => createCache({ store, ttl: '1m', ...options })
  return { here: make(), there: make(), store }
}

/** A store whose reads (`get`) and steps (`run`) can be switched off. */
function switched(store: Memory = memoryStore()): { store: Memory; off: { reads: boolean; writes: boolean } } {
  const off = { reads: false, writes: false }
  const away = (): Promise<never> => Promise.reject(new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true }))
  return {
    off,
    store: {
      ...store,
      get: (...args) => (off.reads ? away() : store.get(...args)),
      run: (...args) => (off.writes ? away() : store.run(...args)),
    },
  }
}

describe('an invalidation during a load', () => {
  const ends: Record<string, (both: { here: Cache<'frozen'>; there: Cache<'frozen'> }) => Promise<void>> = {
    'clear, here': ({ here }) => here.clear(),
    'clear, there': ({ there }) => there.clear(),
    'invalidateTags, here': ({ here }) => here.invalidateTags(['t']),
    'invalidateTags, there': ({ there }) => there.invalidateTags(['t']),
    'keepStale, there': ({ there }) => there.invalidateTags(['t'], { keepStale: true }),
  }
  for (const [name, end] of Object.entries(ends)) {
    it(`detaches it from its key, and a later caller does not wait for it: ${name}`, async () => {
      const both = two()
      const door = Promise.withResolvers<string>()
      const old = both.here.getOrSet('k', () => door.promise, { tags: ['t'] })
      await pause(2)
      await end(both)
      expect(await both.here.getOrSet('k', () => 'new', { tags: ['t'] })).toBe('new')
      door.resolve('old')
      expect(await old).toBe('old')
      expect(await both.there.get('k', { tags: ['t'] })).toBe('new')
      expect(both.here.stats().inFlight).toBe(0)
    })
  }
})

describe('a caller that leaves', () => {
  const left = new Error('left')
  it('takes no other along that asks for the same versions', async () => {
    const { here, store } = two()
    const run = store.run
    // Delays each step, so that it is under way when the first of the two callers leaves.
    store.run = async (operation, key, args, call) => {
      await pause(2)
      if (call?.signal?.aborted) throw call.signal.reason
      return run(operation, key, args, call)
    }
    const controller = new AbortController()
    const first = here.set('a', 1, { ttl: '1m', tags: ['t'], signal: controller.signal })
    const second = here.set('b', 2, { ttl: '1m', tags: ['t'] })
    controller.abort(left)
    await expect(first).rejects.toBe(left)
    await second
    expect(await here.get('b')).toBe(2)
  })
  it('ends the load that nobody else waits for', async () => {
    const { here } = two()
    const controller = new AbortController()
    const seen = Promise.withResolvers<AbortSignal>()
    const load = ({ signal }: { signal: AbortSignal }) => {
      seen.resolve(signal)
      return new Promise<never>(() => {})
    }
    const answer = here.getOrSet('k', load, { signal: controller.signal })
    const signal = await seen.promise
    expect(signal.aborted).toBe(false)
    controller.abort(left)
    await expect(answer).rejects.toBe(left)
    expect(signal.aborted).toBe(true)
  })
  it('gets the reason, where there is a stale copy', async () => {
    const { here } = two()
    await here.set('k', 'old', { ttl: '1m', grace: '1m' })
    await here.expire('k')
    const controller = new AbortController()
    const answer = here.getOrSet('k', () => new Promise(() => {}), { signal: controller.signal })
    await pause(2)
    controller.abort(left)
    await expect(answer).rejects.toBe(left)
  })
  it('leaves no load that others join before it has ended, however close the two are', async () => {
    for (let turns = 0; turns < 60; turns++) {
      const { store, next, flow } = byHand()
      const cache = createCache({ store, ttl: '1m' })
      const controller = new AbortController()
      const first = cache.getOrSet('k', () => new Promise(() => {}), { signal: controller.signal })
      await (await next('get')).answer()
      await (await next('lease')).answer()
      const second = cache.getOrSet('k', () => 'second')
      const read = await next('get')
      // The read returns the lease of the load that is about to end.
      await read.act()
      void read.answer()
      for (let i = 0; i < turns; i++) await Promise.resolve()
      controller.abort(left)
      await expect(first).rejects.toBe(left)
      flow()
      // If the second caller joined before the first left, the load goes on for it.
      const outcome = await Promise.race([second, pause(20)])
      expect([turns, outcome ?? 'goes on']).toEqual([turns, outcome ? 'second' : 'goes on'])
    }
  })
  it('while its lease is asked for, leaves none', async () => {
    const { store, next } = byHand()
    const controller = new AbortController()
    const answer = createCache({ store, ttl: '1m' }).getOrSet('k', () => 1, { signal: controller.signal })
    await (await next('get')).answer()
    const asking = await next('lease')
    controller.abort(left)
    await expect(answer).rejects.toBe(left)
    await asking.answer()
    await (await next('release')).answer()
  })
})

describe('calls on one key', () => {
  it('act in call order around a count', async () => {
    const { here } = two()
    const sum = here.increment('n')
    await here.set('n', 5)
    expect(await sum).toBe(1)
    expect(await here.get('n')).toBe(5)
  })
  it('take what has just replaced what they had found', async () => {
    const memory = memoryStore()
    const { here } = two({}, memory)
    const { store, next, flow } = byHand(memory)
    await here.set('k', 'first')
    const taking = createCache({ store, ttl: '1m' }).take('k')
    const read = await next('get')
    await read.act()
    await here.set('k', 'second')
    await read.answer()
    flow()
    expect(await taking).toBe('second')
  })
  it('share a load though only one of them names its tags', async () => {
    const { here, store } = two()
    const run = store.run
    let steps = 0
    store.run = (...args) => {
      steps++
      return run(...args)
    }
    const door = Promise.withResolvers<string>()
    const first = here.getOrSet('k', () => door.promise, { tags: ['t'] })
    await pause(2)
    const before = steps
    const second = here.getOrSet('k', () => 'mine')
    await pause(2)
    expect(steps - before).toBe(0)
    door.resolve('shared')
    expect(await Promise.all([first, second])).toEqual(['shared', 'shared'])
  })
})

describe('a lease', () => {
  it('is kept by a load that takes longer than it, and stores what it loads', { timeout: 20_000 }, async () => {
    const { here, there } = two()
    let runs = 0
    const loader = async (): Promise<number> => {
      await pause(7000)
      return ++runs
    }
    const slow = here.getOrSet('k', loader)
    await pause(100)
    expect(await there.getOrSet('k', loader)).toBe(1)
    expect(await slow).toBe(1)
    expect(await there.get('k')).toBe(1)
  })
  it('is taken after another has ended it, under what stands then', async () => {
    const { here, there } = two()
    const [first, second] = [Promise.withResolvers<never>(), Promise.withResolvers<string>()]
    const failing = here.getOrSet('k', () => first.promise, { tags: ['t'] })
    await pause(2)
    const waiting = there.getOrSet('k', () => second.promise, { tags: ['t'] })
    await pause(20)
    await here.invalidateTags(['t'])
    first.reject(new Error('failed'))
    await expect(failing).rejects.toThrow('failed')
    second.resolve('second')
    expect(await waiting).toBe('second')
    expect(await here.get('k', { tags: ['t'] })).toBe('second')
  })
})

describe('a lease is given back', () => {
  it('when its request was given up, and reaches the store after what gives it back', async () => {
    const store = memoryStore()
    let late = true
    const far: Memory = {
      ...store,
      async run(operation, key, args, call) {
        if (!late || (args as readonly unknown[])[0] !== 'lease') return store.run(operation, key, args, call)
        late = false
        setTimeout(() => void store.run(operation, key, args), 20)
        throw new HitherError('TIMEOUT', 'too late', { retryable: true, maybeExecuted: true })
      },
    }
    const [here, there] = [createCache({ store: far, ttl: '1m' }), createCache({ store, ttl: '1m' })]
    expect(await here.getOrSet('k', () => 'not stored')).toBe('not stored')
    await pause(30)
    expect(await there.getOrSet('k', () => 'stored')).toBe('stored')
    expect(await here.get('k')).toBe('stored')
  })
  it('when the value is too large for the store', async () => {
    const { here, there } = two({}, memoryStore({ maxValueBytes: 1000 }))
    expect(await here.getOrSet('k', () => 'x'.repeat(2000))).toHaveLength(2000)
    expect(await there.getOrSet('k', () => 'small')).toBe('small')
    expect(await here.get('k')).toBe('small')
  })
  it('when the store failed the write', async () => {
    const { store, off } = switched()
    const cache = createCache({ store, ttl: '1m' })
    const first = cache.getOrSet('k', async () => {
      off.writes = true
      setTimeout(() => {
        off.writes = false
      }, 1)
      return 1
    })
    expect(await first).toBe(1)
    await cache.flush()
    expect(await cache.getOrSet('k', () => 2)).toBe(2)
  })
  it('when the loader failed while the store was away', async () => {
    const { store, off } = switched()
    const cache = createCache({ store, ttl: '1m' })
    const fail = async (): Promise<never> => {
      off.writes = true
      setTimeout(() => {
        off.writes = false
      }, 1)
      throw new Error('failed')
    }
    await expect(cache.getOrSet('k', fail)).rejects.toThrow('failed')
    await cache.flush()
    expect(await store.get('hither:k')).toBeUndefined()
  })
  it('when a tag is too long, which is refused where it is named', async () => {
    const { here, there } = two()
    const long = here.getOrSet('k', ({ setTags }) => setTags(['t'.repeat(600)]))
    await expect(long).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await there.getOrSet('k', () => 1)).toBe(1)
  })
})

describe('no later caller is answered by what was invalidated', () => {
  it('where tags were not named at the read', async () => {
    const { here, there } = two()
    await here.getOrSet('k', () => 'old', { tags: ['t'] })
    expect(await here.get('k')).toBe('old')
    await there.invalidateTags(['t'])
    expect(await here.get('k')).toBeUndefined()
    expect(await here.add('k', 'mine')).toBe(true)
  })
  it('by a load that has no lease, once the store has spoken', async () => {
    const { store, off } = switched()
    const cache = createCache({ store, ttl: '1m' })
    const door = Promise.withResolvers<string>()
    off.reads = true
    const old = cache.getOrSet('k', () => door.promise)
    const shared = cache.getOrSet('k', () => 'second')
    await pause(2)
    off.reads = false
    await cache.clear()
    off.reads = true
    expect(await cache.getOrSet('k', () => 'new')).toBe('new')
    door.resolve('old')
    expect([await old, await shared]).toEqual(['old', 'old'])
  })
  it('by a load that has no lease: those who come later share the next', async () => {
    const { store, off } = switched()
    const cache = createCache({ store, ttl: '1m' })
    const doors = [Promise.withResolvers<string>(), Promise.withResolvers<string>()] as const
    let runs = 0
    const loader = (): Promise<string> => (doors[runs++] as (typeof doors)[0]).promise
    off.reads = true
    const first = [cache.getOrSet('k', loader), cache.getOrSet('k', loader)]
    await pause(2)
    const later = [cache.getOrSet('k', loader), cache.getOrSet('k', loader)]
    await pause(2)
    expect(runs).toBe(1)
    doors[0].resolve('old')
    expect(await Promise.all(first)).toEqual(['old', 'old'])
    await pause(2)
    expect(runs).toBe(2)
    doors[1].resolve('new')
    expect(await Promise.all(later)).toEqual(['new', 'new'])
  })
  it('by a load that has no lease: who has heard of the store takes one', async () => {
    const memory = memoryStore()
    const answer = Promise.withResolvers<undefined>()
    const away = new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true })
    const gets = [() => answer.promise, () => Promise.reject(away)]
    const store: Memory = {
      ...memory,
      get: (...args) => (args[0] === 'hither:k' && gets.shift()?.()) || memory.get(...args),
    }
    const cache = createCache({ store, ttl: '1m' })
    const door = Promise.withResolvers<string>()
    const heard = cache.getOrSet('k', () => 'leased')
    await pause(2)
    const unheard = cache.getOrSet('k', () => door.promise)
    await pause(2)
    answer.resolve(undefined)
    expect(await heard).toBe('leased')
    door.resolve('unleased')
    expect(await unheard).toBe('unleased')
    expect(await cache.get('k')).toBe('leased')
  })
  it('in the plain format, whatever is called during a load', async () => {
    const cache = createCache({ store: memoryStore(), format: plainFormat(), ttl: '1m' })
    const door = Promise.withResolvers<unknown>()
    const loads = ['a', 'n', 'd'].map((key) => cache.getOrSet(key, () => door.promise))
    await pause(2)
    expect(await cache.add('a', 'mine')).toBe(true)
    expect(await cache.increment('n', 5)).toBe(5)
    await cache.delete('d')
    door.resolve(0)
    await Promise.all(loads)
    expect([await cache.get('a'), await cache.get('n'), await cache.get('d')]).toEqual(['mine', 5, undefined])
  })
  it('by a lease that is asked for once more, late', async () => {
    const { here, there, store } = two()
    const run = store.run
    let again = async (): Promise<unknown> => undefined
    store.run = (operation, ...rest) => {
      // A request that may be sent again may also run again, later.
      if (rest[1][0] === 'lease' && operation.effect === 'repeat') again = () => run(operation, ...rest)
      return run(operation, ...rest)
    }
    const door = Promise.withResolvers<string>()
    const old = here.getOrSet('k', () => door.promise)
    await pause(2)
    await there.delete('k')
    await again()
    door.resolve('old')
    expect(await old).toBe('old')
    expect(await there.get('k')).toBeUndefined()
  })
  it('by take, where what was invalidated is stored late', async () => {
    const memory = memoryStore()
    const { here, there } = two({}, memory)
    const { store, next, flow } = byHand(memory)
    const far = createCache({ store, ttl: '1m' })
    const captured = await here.capture(['t'])
    await here.set('k', 'first')
    const taking = far.take('k')
    const read = await next('get')
    await read.act()
    await there.invalidateTags(['t'])
    await here.set('k', 'old', { tags: captured })
    await read.answer()
    flow()
    expect(await taking).toBeUndefined()
  })
  it('by a count that comes late, after clear', async () => {
    const memory = memoryStore()
    const { here, there } = two({}, memory)
    const { store, next, flow } = byHand(memory)
    const far = createCache({ store, ttl: '1m' })
    expect(await here.increment('n', 5)).toBe(5)
    const late = far.increment('n')
    await (await next('get')).answer()
    const sent = await next('increment')
    await there.clear()
    const fresh = byHand(memory)
    const counting = createCache({ store: fresh.store, ttl: '1m' }).increment('n')
    await (await fresh.next('get')).answer()
    const counts = await fresh.next('increment')
    await sent.answer()
    expect(await late).toBe(6)
    await counts.answer()
    fresh.flow()
    flow()
    expect(await counting).toBe(1)
  })
  it('by a count under a generation that is no more', async () => {
    const { here, there } = two()
    await here.increment('n')
    await there.clear()
    await there.increment('c', 100)
    const sum = here.increment('c')
    queueMicrotask(() => void here.invalidateTags(['x']))
    expect(await sum).toBe(101)
    expect(await there.get('c')).toBe(101)
  })
})

describe('what a call asks for', () => {
  it('a deadline ends a load that by-passes the cache', async () => {
    const { here } = two()
    const slow = here.getOrSet('k', () => new Promise(() => {}), { bypass: true, deadline: Date.now() + 20 })
    await expect(slow).rejects.toMatchObject({ code: 'TIMEOUT' })
  })
  it('a load that everybody has left begins no backoff', async () => {
    const { here } = two({ grace: '1m' })
    await here.set('k', 'old')
    await here.expire('k')
    const leaving = new AbortController()
    const left = here.getOrSet('k', () => new Promise(() => {}), { backoff: '10m', signal: leaving.signal })
    await pause(5)
    leaving.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    await pause(5)
    expect(await here.getOrSet('k', () => 'new', { backoff: '10m' })).toBe('new')
  })
  it('a success ends the backoff of a failure', async () => {
    const { here } = two({ grace: '1m' })
    const fails = (): never => {
      throw new Error('down')
    }
    await here.set('k', 'old')
    await here.expire('k')
    expect(await here.getOrSet('k', fails, { backoff: '10m' })).toBe('old')
    await here.getOrSet('k', () => 'forced', { forceFresh: true })
    await here.expire('k')
    expect(await here.getOrSet('k', () => 'new')).toBe('new')
  })
  it('expire ends freshness for a reader whose clock is behind, and a reader ahead still has the stale copy', async () => {
    for (const skewMs of [600_000, -600_000]) {
      const store = distantClock(() => Date.now() + skewMs)
      const cache = createCache({ store, ttl: '1m', grace: '1m' })
      await cache.set('k', 'old')
      await cache.expire('k')
      expect(await cache.get('k')).toBeUndefined()
      const fails = (): never => {
        throw new Error('down')
      }
      expect(await cache.getOrSet('k', fails)).toBe('old')
    }
  })
  it('acts in call order around expire', async () => {
    const { here } = two({ grace: '1m' })
    await here.set('k', 1)
    expect(await Promise.all([here.get('k'), here.expire('k'), here.get('k')])).toEqual([1, true, undefined])
  })
  it('a waitUntil that throws costs no hit its answer', async () => {
    const { here } = two()
    await here.set('k', 1)
    const view = here.with({
      waitUntil: () => {
        throw new Error('over')
      },
    })
    expect(await view.getOrSet('k', () => 2, { refresh: () => true })).toBe(1)
    await here.flush()
  })
  it('a codec that rejects is reported once, to its caller', async () => {
    const refused = new Error('no')
    const codec: Codec = { mark: 'X', encode: () => Promise.reject(refused), decode: (text) => text }
    const cache = createCache({ store: memoryStore(), codec, ttl: '1m' })
    const many = cache.setMany([
      ['a', 1],
      ['b', undefined],
    ])
    await expect(many).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await expect(cache.set('a', 1, { tags: [''] })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await expect(cache.set('a', 1)).rejects.toBe(refused)
    await pause(1)
  })
  it('is refused where it makes no sense, with a code', async () => {
    const { here } = two()
    const plain = createCache({ store: memoryStore(), format: plainFormat() }) as Cache
    const calls: (() => unknown)[] = [
      () => here.getOrSet('k', undefined as never),
      () => here.getOrSetMany(['k'], 'x' as never),
      () => here.getMany('abc' as never),
      () => here.delete(undefined as never),
      () => here.setMany({ x: 1 } as never),
      () => here.set('k', 1, 60 as never),
      () => here.getOrSet('k', () => 1, '5m' as never),
      () => here.get('k', { tags: null as never }),
      async () => here.wrap(undefined as never, { name: 'f' }),
      async () => here.wrap(() => 1, undefined as never),
      async () => createCache(undefined as never),
      async () => createCache({ store: memoryStore(), codec: { mark: 'X' } as never }),
      () => plain.clear(),
      () => plain.invalidateTags(['t']),
      () => plain.expire('k'),
      () => plain.capture(['t']),
    ]
    for (const call of calls) {
      const refused = async (): Promise<unknown> => await call()
      await expect(refused(), String(call)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  })
})

describe('a tag that a loader names', () => {
  it('keeps nothing under a tag that was first seen while it was loaded', async () => {
    const { here } = two()
    const load = () =>
      here.getOrSet(
        'k',
        async ({ setTags }) => {
          await pause(3)
          await here.capture(['t'])
          setTags(['t'])
          return 'v'
        },
        { ttl: '1m' },
      )
    expect(await load()).toBe('v')
    await here.flush()
    expect(await here.get('k')).toBeUndefined()
    expect(await load()).toBe('v')
    await here.flush()
    expect(await here.get('k')).toBe('v')
  })
  it('is known if it was seen before the loader began, also where it is read again meanwhile', async () => {
    const { here } = two()
    await here.set('other', 1, { ttl: '1m', tags: ['t'] })
    await here.get('other')
    const load = async ({ setTags }: { setTags(tags: readonly string[]): void }): Promise<string> => {
      expect(await here.get('other', { tags: ['t'] })).toBe(1)
      setTags(['t'])
      return 'v'
    }
    expect(await here.getOrSet('k', load, { ttl: '1m' })).toBe('v')
    await here.flush()
    expect(await here.get('k')).toBe('v')
  })
})

describe('a read that waits for the write of what was just loaded', () => {
  it('compares what it finds with versions that are no older', async () => {
    const store = memoryStore()
    const door = Promise.withResolvers<void>()
    const far: Memory = {
      ...store,
      async run(operation, key, args, call) {
        if ((args as readonly unknown[])[0] === 'fill') await door.promise
        return store.run(operation, key, args, call)
      },
    }
    const [here, there] = [createCache({ store: far, ttl: '1m' }), createCache({ store, ttl: '1m' })]
    expect(await here.getOrSet('k', () => 'old')).toBe('old')
    const later = here.getOrSet('k', () => 'loaded again')
    await pause(2)
    await there.clear()
    await there.set('k', 'new')
    door.resolve()
    expect(await later).toBe('new')
  })
})

describe('a call that waits for a slower one on its key', () => {
  it('leaves at its deadline, or when it is aborted, and nobody overtakes the slower one', async () => {
    const { store, next, flow } = byHand()
    const cache = createCache({ store, ttl: '1m', storeTimeout: '20s' })
    const adding = cache.add('k', 'added')
    const looking = await next('get')
    const controller = new AbortController()
    const signal = controller.signal
    const late = cache.set('k', 'late', { deadline: Date.now() + 20 })
    const left = cache.delete('k', { signal })
    const counted = cache.increment('k', 1, { deadline: Date.now() + 20 })
    const refused = Promise.all([
      expect(late).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false }),
      expect(left).rejects.toThrow('left'),
      expect(counted).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false }),
    ])
    controller.abort(new Error('left'))
    await refused
    let sent = false
    void next('set').then(async (held) => {
      sent = true
      await held.answer()
    })
    const setting = cache.set('k', 'set')
    await pause(5)
    expect(sent).toBe(false)
    await looking.answer()
    await (await next('add')).answer()
    await setting
    flow()
    expect([await adding, await cache.get('k')]).toEqual([true, 'set'])
  })
})
