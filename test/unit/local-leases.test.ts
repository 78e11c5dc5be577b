import { describe, expect, it } from 'vitest'
import { kvStore } from '../../adapters/cloudflare/kv-store.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { runtimeCacheStore } from '../../adapters/vercel/runtime-cache-store.ts'
import { createCache, type Store } from '../../src/index.ts'
import { overClient } from '../../src/store/client-of.ts'
import { createLocalLeases, frame } from '../../src/store/local-leases.ts'

/** What several processes share: a store that runs no operations. `written` are the writes to entries. */
function shared() {
  const memory = memoryStore()
  const written: string[] = []
  const set: Store['set'] = (key, ...rest) => {
    if (key.startsWith('n:')) written.push(key)
    return memory.set(key, ...rest)
  }
  const open = () => ({ ...memory, run: undefined, set }) as unknown as Store
  const cacheOver = (store: Store) => createCache({ store, namespace: 'n', ttl: '1m', grace: '1h' })
  return { written, open, cacheOver, open2: () => cacheOver(open()) }
}

describe('over a store without operations', () => {
  it('a load writes once, its value: Workers KV takes one write a second', async () => {
    const { written, open2 } = shared()
    const cache = open2()
    expect(await cache.getOrSet('key', () => 1)).toBe(1)
    await cache.flush()
    expect([await cache.get('key'), written]).toEqual([1, ['n:key']])
    await cache.expire('key')
    written.splice(0)
    expect(await cache.getOrSet('key', () => 2)).toBe(2)
    await cache.flush()
    expect([await cache.get('key'), written]).toEqual([2, ['n:key']])
    const fails = () => Promise.reject(new Error('no value'))
    await expect(cache.getOrSet('none', fails, { grace: 0 })).rejects.toThrow('no value')
    await cache.flush()
    expect(written).toEqual(['n:key'])
  })
  it('caches over one store share a load, and others load for themselves', async () => {
    const { open, cacheOver, open2 } = shared()
    const store = open()
    let loads = 0
    const { promise: loaded, resolve } = Promise.withResolvers<void>()
    const load = async () => {
      loads++
      await loaded
      return 1
    }
    const first = cacheOver(store).getOrSet('key', load)
    await expect.poll(() => loads).toBe(1)
    const others = [cacheOver(store).getOrSet('key', load), open2().getOrSet('key', load)]
    await expect.poll(() => loads).toBe(2)
    resolve()
    expect([await first, ...(await Promise.all(others)), loads]).toEqual([1, 1, 1, 2])
  })
  it.each(['another process', 'this one'])('a load does not replace what %s has written meanwhile', async (who) => {
    const { open, cacheOver, open2 } = shared()
    const store = open()
    const cache = cacheOver(store)
    const load = async () => {
      await (who === 'this one' ? cacheOver(store) : open2()).set('key', 'written')
      return 'loaded'
    }
    const value = await cache.getOrSet('key', load)
    await cache.flush()
    expect([value, await cache.get('key')]).toEqual(['loaded', 'written'])
  })
  it('a deleted key has no lease left, so that nothing is stored again', async () => {
    const { open, cacheOver } = shared()
    const store = open()
    const cache = cacheOver(store)
    const load = async () => {
      await cacheOver(store).delete('key')
      return 'loaded'
    }
    await cache.getOrSet('key', load)
    await cache.flush()
    expect(await cache.get('key')).toBe(undefined)
  })
  it('a lease that was seen to be over is not valid again when the key is as it was before', async () => {
    const { open2 } = shared()
    const [cache, other] = [open2(), open2()]
    const load = async () => {
      await other.set('key', 'written')
      expect(await cache.add('key', 'added')).toBe(false)
      await other.delete('key')
      return 'loaded'
    }
    expect(await cache.getOrSet('key', load)).toBe('loaded')
    await cache.flush()
    expect(await cache.get('key')).toBe(undefined)
  })
  it('a load without a value deletes the copy for other processes, also while somebody waits', async () => {
    const { open, cacheOver, open2 } = shared()
    const store = open()
    const [cache, waiting] = [cacheOver(store), cacheOver(store)]
    await cache.set('key', 'copy')
    await cache.expire('key')
    const busy = Promise.withResolvers<void>()
    const loading = Promise.withResolvers<void>()
    const first = cache.getOrSet('key', async () => {
      loading.resolve()
      await busy.promise
      return undefined
    })
    await loading.promise
    const second = waiting.getOrSet('key', () => undefined)
    await new Promise((resolve) => setTimeout(resolve, 50))
    busy.resolve()
    expect(await Promise.all([first, second])).toEqual([undefined, undefined])
    await Promise.all([cache.flush(), waiting.flush()])
    const down = () => Promise.reject(new Error('down'))
    await expect(open2().getOrSet('key', down)).rejects.toThrow('down')
  })
  it('a read that lags ends no lease', async () => {
    const { open, cacheOver } = shared()
    const store = open()
    const cache = cacheOver(store)
    const late = Promise.withResolvers<void>()
    const lags: Store = {
      ...store,
      async getMany(keys, call) {
        const values = await store.getMany(keys, call)
        await late.promise
        return values
      },
      async get(key, call) {
        const value = await store.get(key, call)
        await late.promise
        return value
      },
    }
    const reader = cacheOver(overClient(lags, store))
    await cache.set('key', 'earlier')
    const lagging = reader.get('key')
    await new Promise((resolve) => setTimeout(resolve, 10))
    await cache.set('key', 'later')
    await cache.expire('key')
    const load = async () => {
      late.resolve()
      expect(await lagging).toBe('earlier')
      return 'loaded'
    }
    expect(await cache.getOrSet('key', load, { grace: 0 })).toBe('loaded')
    await cache.flush()
    expect(await cache.get('key')).toBe('loaded')
  })
})

describe.each(['kvStore', 'runtimeCacheStore'])('stores that each request makes by %s over one client', (name) => {
  function client() {
    const values = new Map<string, string>()
    const put = async (key: string, value: unknown) => void values.set(key, value as string)
    const get = async (key: string) => values.get(key) ?? null
    const over = { get, put, set: put, delete: async (key: string) => void values.delete(key) }
    const open = (): Store => (name === 'kvStore' ? kvStore(over) : runtimeCacheStore(over))
    return () => createCache({ store: open(), namespace: 'n', ttl: '1m', grace: '1h' })
  }
  it('share a load', async () => {
    const request = client()
    const { promise: loaded, resolve } = Promise.withResolvers<void>()
    let loads = 0
    const load = async () => {
      loads++
      await loaded
      return 1
    }
    const first = request().getOrSet('key', load)
    await expect.poll(() => loads).toBe(1)
    const others = [request(), request()].map((cache) => cache.getOrSet('key', load))
    await new Promise((done) => setTimeout(done, 50))
    resolve()
    expect([await first, ...(await Promise.all(others)), loads]).toEqual([1, 1, 1, 1])
  })
  it.each([
    ['delete', undefined],
    ['set', 'written'],
  ] as const)('a load does not undo a %s of another', async (verb, held) => {
    const request = client()
    const cache = request()
    const load = async () => {
      await (verb === 'set' ? request().set('key', 'written') : request().delete('key'))
      return 'loaded'
    }
    expect(await cache.getOrSet('key', load)).toBe('loaded')
    await cache.flush()
    expect(await request().get('key')).toBe(held)
  })
})

it('leases that requests have left behind take bounded room', () => {
  const leases = createLocalLeases()
  const keep = (key: string, endMs: number) => leases.keep(key, { text: 'leased', endMs, base: undefined }, 100)
  const held = (key: string) => leases.over(key, undefined)
  keep('ended', 99)
  keep('valid', 101)
  expect([held('ended'), held('valid')]).toEqual([undefined, frame('leased', 101)])
  // A lease that ended and left the text as the store has it takes no room.
  for (let i = 0; i < 10_000; i++) leases.keep(`${i}`, { text: 'copy', endMs: 0, base: frame('copy', 0) }, 100)
  expect(held('valid')).toBe(frame('leased', 101))
  for (let i = 0; i < 10_000; i++) keep(`${i}`, 0)
  expect([held('valid'), held('0')]).toEqual([undefined, frame('leased', 0)])
})

it('a lease over a copy keeps no value: it is read from the store', () => {
  const leases = createLocalLeases()
  const [value, other] = ['a'.repeat(200), 'b'.repeat(200)]
  const base = frame('0'.repeat(150) + value, 7)
  leases.keep('key', { text: `${'1'.repeat(104)}${'0'.repeat(46)}${value}`, endMs: 9, base }, 1)
  expect(leases.over('key', base)).toBe(frame(`${'1'.repeat(104)}${'0'.repeat(46)}${value}`, 9))
  // An entry that was replaced has another id among its first characters. This one shows where the value comes from.
  const beside = base.replace(value, other)
  expect(leases.over('key', beside)).toBe(frame(`${'1'.repeat(104)}${'0'.repeat(46)}${other}`, 9))
  expect(leases.over('key', `${base}.`)).toBe(`${base}.`)
})
