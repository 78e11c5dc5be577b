import { type AtomicStore, type Cache, createCache } from 'hither'
import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { plain } from 'hither/plain'
import { describe, expect, it, vi } from 'vitest'
import { REQUEST_SCOPED } from '../../../src/runtime/background.ts'
import { endsInTime } from '../../../src/store/ends-in-time.ts'

const code = (code: string) => expect.objectContaining({ code })

/** A store on which every call ends as `how` does. */
function double(how: () => Promise<never>): AtomicStore {
  return { ...memoryStore(), get: how, getMany: how, set: how, delete: how, run: how }
}
const doubles = {
  'rejects with a plain error': () => Promise.reject(new Error('socket hang up')),
  'throws a plain error': () => {
    throw new TypeError('not a function')
  },
  'rejects with undefined': () => Promise.reject(undefined),
  'never settles': () => new Promise<never>(() => {}),
}
const caches: Record<string, (store: AtomicStore) => Cache> = {
  entry: (store) => createCache({ store, ttl: '1m', grace: '1m', storeTimeout: 30 }),
  near: (store) => createCache({ store, ttl: '1m', storeTimeout: 30, near: nearTier(), mutable: true }),
  plain: (store) => createCache({ store, ttl: '1m', storeTimeout: 30, format: plain() }) as Cache,
}

describe.each(Object.entries(caches))('%s, over a store that', (name, open) => {
  it.each(Object.entries(doubles))('%s: a read-through loads', async (_, how) => {
    const cache = open(double(how))
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded')
    const many = await Promise.all(Array.from({ length: 20 }, () => cache.getOrSet('k2', () => 'loaded')))
    expect(new Set(many)).toEqual(new Set(['loaded']))
    if (name !== 'plain') {
      expect(await cache.getOrSet('k', () => 'loaded', { ttl: '1s', tags: ['t'] })).toBe('loaded')
      expect(await cache.getOrSetMany(['a', 'b'], (keys) => new Map(keys.map((key) => [key, 1])))).toHaveProperty(
        'size',
        2,
      )
    }
    await expect(cache.getOrSet('k3', () => Promise.reject(new RangeError('mine')))).rejects.toThrow(RangeError)
    expect(cache.stats().storeErrors).toBeGreaterThan(0)
  })
  it.each(Object.entries(doubles))('%s: every other call rejects with a code', async (_, how) => {
    const cache = open(double(how))
    const calls: Record<string, () => Promise<unknown>> = {
      get: () => cache.get('k'),
      getMany: () => cache.getMany(['k', 'l']),
      has: () => cache.has('k'),
      ttl: () => cache.ttl('k'),
      take: () => cache.take('k'),
      getEntry: () => cache.getEntry('k'),
      set: () => cache.set('k', 1),
      setMany: () => cache.setMany([['k', 1]]),
      add: () => cache.add('k', 1),
      touch: () => cache.touch('k'),
      delete: () => cache.delete('k'),
      increment: () => cache.increment('k'),
      ...(name !== 'plain' && {
        expire: () => cache.expire('k'),
        invalidateTags: () => cache.invalidateTags(['t']),
        clear: () => cache.clear(),
        capture: () => cache.capture(['t']),
      }),
    }
    const outage = expect.objectContaining({ code: expect.stringMatching(/^(STORE_UNAVAILABLE|TIMEOUT)$/) })
    await Promise.all(Object.entries(calls).map(([verb, call]) => expect(call(), verb).rejects.toEqual(outage)))
  })
  it.each(['OK', null, 7, [], ['OK'], [null, 1]])('answers no lease but %j: a read-through loads', async (answer) => {
    const store = memoryStore()
    const run: AtomicStore['run'] = (operation, key, args, call) =>
      args[0] === 'lease' ? Promise.resolve(answer as never) : store.run(operation, key, args, call)
    const cache = open({ ...store, run })
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('loaded')
    await cache.close()
  })
  it('never settles: a call ends by its own deadline', async () => {
    const store = double(doubles['never settles'])
    const cache = createCache({ store, ttl: '1m', storeTimeout: '1h' })
    const calls = [
      cache.get('k', { deadline: Date.now() + 20 }),
      cache.getOrSet('k', () => 1, { deadline: Date.now() + 20 }),
      cache.set('k', 1, { deadline: Date.now() + 20 }),
      cache.delete('k', { deadline: Date.now() + 20 }),
      cache.with({ deadline: Date.now() + 20 }).increment('k'),
    ]
    await Promise.all(calls.map((call) => expect(call).rejects.toEqual(code('TIMEOUT'))))
  })
  it('never settles: a call ends when it is aborted, by its reason', async () => {
    const stop = new AbortController()
    const cache = open(double(doubles['never settles']))
    const calls = [cache.get('k', { signal: stop.signal }), cache.set('k', 1, { signal: stop.signal })]
    stop.abort(new Error('left'))
    await Promise.all(calls.map((call) => expect(call).rejects.toThrow('left')))
  })
})

describe('over a store that ends its own calls', () => {
  // Where a request's timers end with the request, a timer guards the calls of every store.
  it('a read sets no timer', async () => {
    const caches = [memoryStore(), endsInTime(memoryStore())].map((store) => createCache({ store, ttl: '1m' }))
    for (const cache of caches) await cache.set('k', 1)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    try {
      for (const [i, cache] of caches.entries()) {
        const reading = cache.get('k')
        expect(vi.getTimerCount()).toBe(i === 0 || REQUEST_SCOPED ? 1 : 0)
        expect(await reading).toBe(1)
      }
    } finally {
      vi.useRealTimers()
    }
  })
  it.each(['get', 'set', 'delete', 'run'])('a double in the place of %s is ended all the same', async (verb) => {
    const store = endsInTime(memoryStore())
    const [entries, plainly] = [caches.entry, caches.plain].map((open) => open?.(store)) as [Cache, Cache]
    Object.assign(store, { [verb]: doubles['never settles'] })
    const calls: Record<string, () => Promise<unknown>> = {
      get: () => entries.get('k'),
      set: () => plainly.set('k', 1),
      delete: () => entries.delete('k'),
      run: () => entries.set('k', 1),
    }
    await expect(calls[verb]?.()).rejects.toEqual(code('TIMEOUT'))
  })
})
