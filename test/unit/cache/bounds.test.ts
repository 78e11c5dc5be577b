import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { createCache } from '../../../src/index.ts'
import { pause } from './slow-store.ts'

describe('bounds', () => {
  it('past 10,000 loads one passes through, unstored and told', async () => {
    const dropped: string[] = []
    const cache = createCache({
      store: memoryStore(),
      ttl: '1m',
      storeTimeout: '20s',
      onEvent: (event) => {
        if (event.type === 'write-dropped') dropped.push(event.code)
      },
    })
    const gate = Promise.withResolvers<number>()
    const calls = Array.from({ length: 10_000 }, (_, i) => cache.getOrSet(`k${i}`, () => gate.promise))
    while (cache.stats().loads < 10_000) await pause(1)
    expect(cache.stats().inFlight).toBe(10_000)
    expect(await cache.getOrSet('one more', () => 'through')).toBe('through')
    expect(await cache.get('one more')).toBeUndefined()
    expect(dropped).toHaveLength(1)
    gate.resolve(1)
    expect(new Set(await Promise.all(calls))).toEqual(new Set([1]))
    expect(cache.stats().inFlight).toBe(0)
    expect(await cache.getOrSet('one more', () => 'kept')).toBe('kept')
    expect(await cache.get('one more')).toBe('kept')
  }, 30_000)
})
