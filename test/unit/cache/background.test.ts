import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { type AtomicStore, createCache } from '../../../src/index.ts'
import { distant, pause, seeded } from './slow-store.ts'

/** A store on which fills take 20 ms. */
function slowFills(): AtomicStore {
  const memory = memoryStore()
  const isFill = ([, , [verb]]: Parameters<AtomicStore['run']>): boolean => verb === 'fill'
  const run = async (...args: Parameters<AtomicStore['run']>): Promise<unknown> => {
    if (isFill(args)) await pause(20)
    return memory.run(...args)
  }
  return { ...memory, run: run as AtomicStore['run'] }
}

describe('the write of a loaded value', () => {
  it('is not waited for where something keeps it, and no later read of this cache overtakes it', async () => {
    const works: Promise<unknown>[] = []
    const store = slowFills()
    const cache = createCache({ store, ttl: '1m', waitUntil: (work) => works.push(work) })
    const other = createCache({ store, ttl: '1m' })
    expect(await cache.getOrSet('k', () => 'value')).toBe('value')
    expect(works).not.toHaveLength(0)
    expect(await other.get('k')).toBeUndefined()
    expect(await cache.get('k')).toBe('value')
    expect(await other.get('k')).toBe('value')
  })
  it('is found by the next read, whatever overtakes what', async () => {
    const cache = createCache({ store: distant(memoryStore(), seeded(5)), ttl: '1m' })
    const seen: unknown[] = []
    for (let i = 0; i < 100; i++) {
      await cache.getOrSet(`k${i}`, () => i)
      seen.push(await cache.get(`k${i}`))
    }
    expect(seen).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })
  it('is found by what changes it next', async () => {
    const cache = createCache({ store: slowFills(), ttl: '1m', grace: '1m', waitUntil: () => {} })
    const loaded = async <T>(work: (key: string) => Promise<T>): Promise<T> => {
      const key = String(Math.random())
      await cache.getOrSet(key, () => 'value')
      return work(key)
    }
    expect(await loaded((key) => cache.expire(key))).toBe(true)
    expect(await loaded((key) => cache.touch(key, { ttl: '2m' }))).toBe(true)
    expect(await loaded((key) => cache.take(key))).toBe('value')
    expect(await loaded((key) => cache.add(key, 'other'))).toBe(false)
    expect(await loaded((key) => cache.delete(key))).toBe(1)
  })
})

describe('what keeps background work', () => {
  it("is the view's waitUntil, else the cache's own, asked at each call", async () => {
    const used: string[] = []
    const to = (name: string) => (): void => void used.push(name)
    let name = 'first'
    const cache = createCache({ store: memoryStore(), ttl: '1m', waitUntil: () => used.push(name) })
    await cache.with({ waitUntil: to('view') }).getOrSet('a', () => 1)
    expect(new Set(used.splice(0))).toEqual(new Set(['view']))
    await cache.getOrSet('b', () => 1)
    name = 'second'
    await cache.getOrSet('c', () => 1)
    expect(new Set(used)).toEqual(new Set(['first', 'second']))
  })
})
