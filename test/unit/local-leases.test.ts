import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/index.ts'
import { createCache, type Store } from '../../src/index.ts'
import { localLeases } from '../../src/store/local-leases.ts'

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
})

it('leases that requests have left behind take bounded room', () => {
  const leases = localLeases(memoryStore())
  const keep = (key: string, endMs: number) => leases.keep(key, { text: 'leased', endMs, base: undefined }, 100)
  keep('ended', 99)
  keep('valid', 101)
  expect([leases.over('ended', undefined), leases.over('valid', undefined)]).toEqual([undefined, 'leased'])
  for (let i = 0; i < 10_000; i++) keep(`${i}`, 0)
  expect([leases.over('valid', undefined), leases.over('0', undefined)]).toEqual([undefined, 'leased'])
})
