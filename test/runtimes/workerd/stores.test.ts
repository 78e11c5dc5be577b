import { env } from 'cloudflare:workers'
import { afterAll, describe, expect, it } from 'vitest'
import {
  durableObjectStore,
  type KvNamespace,
  kvStore,
  type ObjectNamespace,
} from '../../../adapters/cloudflare/index.ts'
import { createCache as createMiniCache } from '../../../src/cache/mini.ts'
import { createCache } from '../../../src/index.ts'
import { createLocks } from '../../../src/lock/index.ts'
import { describeStore, testCounter } from '../../../src/testing/index.ts'

const { KV, HITHER } = env as { readonly KV: KvNamespace; readonly HITHER: ObjectNamespace }

describe('a Durable Object as a store', () => {
  const store = durableObjectStore(HITHER, { shards: 4, timeoutMs: 30_000 })
  afterAll(() => store.close())
  it('gives back text, and counts what it deleted', async () => {
    await store.set('a', 'é\0', 60_000)
    await store.set('b', '')
    expect(await store.getMany(['a', 'none', 'b'])).toEqual(['é\0', undefined, ''])
    expect(await store.delete(['a', 'b', 'none', 'a'])).toBe(2)
    expect(await store.get('a')).toBe(undefined)
    await store.set('short', 'x', 20)
    await expect.poll(() => store.get('short')).toBe(undefined)
    await expect(store.set('k', 'x', 0)).rejects.toMatchObject({ code: 'INVALID_DURATION' })
    await expect(store.get('')).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await expect(store.set('k', 'x'.repeat(2_000_000))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
  })
  it('reads more at once than one call of the platform carries, 32 MiB', async () => {
    const keys = Array.from({ length: 18 }, (_, i) => `large:${i}`)
    const one = durableObjectStore(HITHER, { timeoutMs: 30_000 })
    await Promise.all(keys.map((key) => one.set(key, key.padEnd(1_899_000, ' '))))
    const values = await one.getMany(['none', ...keys, 'large:0'])
    expect(values.map((value) => value?.trimEnd())).toEqual([undefined, ...keys, 'large:0'])
    expect(await one.delete(keys)).toBe(18)
  })
  it('loses no increment of 50 callers, of five stores that know nothing of one another', async () => {
    const open = () => durableObjectStore(HITHER, { shards: 4, timeoutMs: 30_000 })
    const stores = [store, open(), open(), open(), open()]
    const increment = (_: unknown, i: number) => (stores[i % 5] as typeof store).run(testCounter, 'n', [1, 60_000])
    const sums = await Promise.all(Array.from({ length: 50 }, increment))
    expect(new Set(sums).size).toBe(50)
    expect(await store.get('n')).toBe('50')
  })
  it('keeps a cache and locks', async () => {
    const cache = createCache({ store: durableObjectStore(HITHER), namespace: 'do', ttl: '1m', storeTimeout: '20s' })
    let loads = 0
    const load = () => cache.getOrSet('k', () => ++loads, { tags: ['t'] })
    expect([await load(), await load(), loads]).toEqual([1, 1, 1])
    await cache.invalidateTags(['t'])
    expect(await load()).toBe(2)
    const locks = createLocks({ store, namespace: 'do', ttl: '1m' })
    const lock = await locks.acquire('a', { wait: 0 })
    expect(await locks.acquire('a', { wait: 0 })).toBe(undefined)
    expect(await lock?.release()).toBe(true)
  })
  it('keeps a cache of few verbs, whose steps are left to the store', async () => {
    const cache = createMiniCache({ store, namespace: 'mini', ttl: '1m', storeTimeout: '20s' })
    expect(await cache.getOrSet('k', () => 1)).toBe(1)
    expect(await cache.getOrSet('k', () => 2)).toBe(1)
  })
})

describeStore({ describe, it, afterAll }, 'Durable Objects', {
  open: () => durableObjectStore(HITHER, { shards: 2, timeoutMs: 20_000 }),
  elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
  skip: {
    'carries bytes whole': 'it keeps text alone',
    'reads a foreign type as absent, alone and in a batch': 'it has values of one type',
    'sums up 1,000 increments of 50 callers': 'it is tried above with 50, of five stores: each is two calls of workerd',
    'writes 10,000 in one tick': 'each is a call of its own, and workerd takes 20 s for so many',
  },
})

describe("Workers' KV as a store", () => {
  it('keeps a cache, with lifetimes below a minute by the cache itself', async () => {
    const cache = createCache({ store: kvStore(KV), namespace: 'kv', ttl: '1m', storeTimeout: '20s' })
    let loads = 0
    const load = () => cache.getOrSet('k', () => ++loads, { tags: ['t'] })
    expect([await load(), await load(), loads]).toEqual([1, 1, 1])
    await cache.invalidateTags(['t'])
    expect(await load()).toBe(2)
    await cache.set('short', 1, { ttl: 20 })
    await expect.poll(() => cache.get('short')).toBe(undefined)
    expect(await cache.delete('k')).toBe(1)
    await cache.close()
  })
  it('refuses what KV would', async () => {
    const store = kvStore(KV)
    for (const key of ['', '.', '..', 'k'.repeat(513)]) {
      await expect(store.get(key)).rejects.toMatchObject({ code: 'INVALID_KEY' })
    }
    expect(() => kvStore(KV, { cacheTtl: 29 })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(() => kvStore({} as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
