import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../adapters/memory/index.ts'
import { testCounter } from '../../src/testing/index.ts'

describe('memoryStore', () => {
  it('drops the least recently used entry past maxEntries', async () => {
    const store = memoryStore({ maxEntries: 2 })
    await store.set('a', '1')
    await store.set('b', '2')
    await store.get('a')
    await store.set('c', '3')
    expect(await store.getMany(['a', 'b', 'c'])).toEqual(['1', undefined, '3'])
  })
  it('drops entries past maxBytes, and refuses a value that could never fit', async () => {
    const store = memoryStore({ maxBytes: 1000 })
    for (let i = 0; i < 10; i++) await store.set(`k${i}`, 'x'.repeat(200))
    const held = (await store.getMany(Array.from({ length: 10 }, (_, i) => `k${i}`))).filter((value) => value)
    expect(held).toHaveLength(3)
    await expect(store.set('large', 'x'.repeat(1000))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
  })
  it('counts bytes of UTF-8, and gives back what an overwrite frees', async () => {
    const store = memoryStore({ maxBytes: 400 })
    for (let i = 0; i < 100; i++) await store.set('k', 'é'.repeat(100))
    expect(await store.get('k')).toHaveLength(100)
    await expect(store.set('k', 'é'.repeat(170))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    expect(await store.get('k')).toHaveLength(100)
  })
  it('sweeps ended lifetimes as others are written, without a read or a timer', async () => {
    let nowMs = 1_000_000
    const store = memoryStore({ now: () => nowMs, maxEntries: 1_000 })
    await store.set('keep', 'x')
    for (let i = 0; i < 900; i++) await store.set(`short${i}`, 'x', 10)
    nowMs += 20
    for (let i = 0; i < 500; i++) await store.set(`new${i}`, 'x')
    // Without the sweep the bound would have pushed out `keep`, the oldest.
    expect(await store.get('keep')).toBe('x')
  })
  it('keeps a lifetime that an operation keeps, to the millisecond', async () => {
    let nowMs = 1_000_000
    const store = memoryStore({ now: () => nowMs })
    await store.run(testCounter, 'k', [1, 100])
    nowMs += 99
    await store.run(testCounter, 'k', [1, 0])
    expect(await store.get('k')).toBe('2')
    nowMs += 1
    expect(await store.get('k')).toBeUndefined()
  })
  it('keeps bytes apart from what the caller does to them', async () => {
    const store = memoryStore()
    const bytes = new Uint8Array([1, 2])
    await store.setBytes?.('k', bytes)
    bytes[0] = 9
    const read = await store.getBytes?.('k')
    if (read) read[1] = 9
    expect([...((await store.getBytes?.('k')) ?? [])]).toEqual([1, 2])
  })
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a bound of %s', (bound) => {
    expect(() => memoryStore({ maxEntries: bound })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    expect(() => memoryStore({ maxBytes: bound })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
