import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type BoundedMap, createBoundedMap } from '../../../src/near/bounded-map.ts'

const END = Number.POSITIVE_INFINITY

/** A map of `maxEntries` whose entries count one byte each and never expire. */
const few = (maxEntries: number): BoundedMap<string> => createBoundedMap(maxEntries, 1000, END, 1)
const put = (map: BoundedMap<string>, key: string, endMs = END, nowMs = 0, bytes = 1): boolean =>
  map.set(key, key, bytes, 0, [endMs], nowMs)
const read = (map: BoundedMap<string>, key: string, nowMs = 0): string | undefined => map.values[map.find(key, nowMs)]
const held = <V>(map: BoundedMap<V>, keys: string): string => [...keys].filter((key) => map.slotOf(key)).join('')

describe('the queue', () => {
  it('lets the oldest entry go that was not read since the hand passed', () => {
    const map = few(3)
    for (const key of 'abc') put(map, key)
    read(map, 'a')
    put(map, 'd')
    expect(held(map, 'abcd')).toBe('acd')
    // The hand is at c. The mark of a was used up, and a is behind the hand.
    put(map, 'e')
    expect(held(map, 'abcde')).toBe('ade')
  })
  it('goes round when all were read, once', () => {
    const map = few(3)
    for (const key of 'abc') put(map, key)
    for (const key of 'abc') read(map, key)
    put(map, 'd')
    expect(held(map, 'abcd')).toBe('bcd')
    expect(map.stats()).toEqual({ entries: 3, bytes: 3, evicted: 1 })
  })
  it('keeps what is read through a scan', () => {
    const map = few(10)
    for (const key of 'abcde') put(map, key)
    for (let i = 0; i < 1000; i++) {
      for (const key of 'abcde') expect(read(map, key)).toBe(key)
      put(map, `scan${i}`)
    }
  })
  it('counts an entry replaced in place as read', () => {
    const map = few(2)
    for (const key of 'aba') put(map, key)
    put(map, 'c')
    expect(held(map, 'abc')).toBe('ac')
  })
  it('goes on from the neighbour of an entry that is deleted under the hand', () => {
    const map = few(3)
    for (const key of 'abc') put(map, key)
    read(map, 'a')
    put(map, 'd') // evicts b: the hand is at c
    map.delete('c')
    put(map, 'e')
    put(map, 'f') // goes on from d
    expect(held(map, 'abcdef')).toBe('aef')
  })
  it('works with one entry', () => {
    const map = few(1)
    for (const key of 'abc') {
      put(map, key)
      expect(read(map, key)).toBe(key)
    }
    expect(held(map, 'abc')).toBe('c')
  })
})

describe('bytes', () => {
  it('make room for an entry, and are given back', () => {
    const map = createBoundedMap<string>(100, 10, END, 1)
    for (const key of 'abcde') put(map, key, END, 0, 2)
    put(map, 'f', END, 0, 5)
    expect([held(map, 'abcdef'), map.stats().bytes]).toEqual(['def', 9])
    put(map, 'f', END, 0, 1)
    map.delete('d')
    expect(map.stats()).toEqual({ entries: 2, bytes: 3, evicted: 3 })
  })
  it('of an entry that grows push out others, never itself', () => {
    const map = createBoundedMap<string>(100, 10, END, 1)
    for (const key of 'abcde') put(map, key, END, 0, 2)
    expect(put(map, 'a', END, 0, 9)).toBe(true)
    expect([held(map, 'abcde'), map.stats().bytes]).toEqual(['a', 9])
  })
  it.each([11, 2 ** 27])('of an entry too large by itself (%s) leave its key absent, and others alone', (bytes) => {
    const map = createBoundedMap<string>(100, bytes === 11 ? 10 : 2 ** 40, END, 1)
    put(map, 'a')
    put(map, 'b')
    expect(put(map, 'a', END, 0, bytes)).toBe(false)
    expect([held(map, 'ab'), map.stats().bytes]).toEqual(['b', 1])
  })
})

describe('lifetimes', () => {
  it('end to the millisecond, and give the slot back', () => {
    const map = few(3)
    put(map, 'a', 1000, 900)
    expect(read(map, 'a', 999)).toBe('a')
    expect(read(map, 'a', 1000)).toBeUndefined()
    expect(map.stats().entries).toBe(0)
  })
  it('past at once store nothing and drop what was held', () => {
    const map = few(3)
    put(map, 'a', 2000, 900)
    expect(put(map, 'a', 1000, 1000)).toBe(false)
    expect(read(map, 'a', 1000)).toBeUndefined()
  })
  it('are swept as others are written', () => {
    const map = few(1000)
    for (let i = 0; i < 500; i++) put(map, `short${i}`, 10)
    put(map, 'keep')
    for (let i = 0; i < 300; i++) put(map, `new${i}`, END, 20)
    expect(map.stats()).toEqual({ entries: 301, bytes: 301, evicted: 0 })
    expect(read(map, 'keep', 20)).toBe('keep')
  })
  it('end when the clock went back: none is ever longer than the longest', () => {
    const map = createBoundedMap<string>(3, 1000, 100, 1)
    put(map, 'a', 10_100, 10_000)
    expect(read(map, 'a', 9999)).toBeUndefined()
    expect(map.stats().entries).toBe(0)
  })
})

it('keeps marks and times by slot, apart from what reading sets', () => {
  const map = createBoundedMap<string>(100, 1e9, END, 3)
  for (let i = 0; i < 100; i++) map.set(`k${i}`, `${i}`, 1000 + i, i % 8, [5, i, -i], 0)
  for (let i = 0; i < 100; i++) {
    const slot = map.find(`k${i}`, 0)
    expect([map.values[slot], map.mark(slot), map.time(slot, 1), map.time(slot, 2)]).toEqual([`${i}`, i % 8, i, -i])
  }
  expect(map.stats().bytes).toBe(100 * 1000 + 4950)
})

it('clears', () => {
  const map = few(50)
  for (let i = 0; i < 60; i++) put(map, `k${i}`)
  map.clear()
  expect(map.stats()).toEqual({ entries: 0, bytes: 0, evicted: 10 })
  expect(map.slotOf('k59')).toBe(0)
  for (let i = 0; i < 60; i++) put(map, `n${i}`)
  expect([map.stats().entries, read(map, 'n59')]).toEqual([50, 'n59'])
})

/** SIEVE as the paper describes it: a list, newest first, and a hand. */
function model(maxEntries: number, maxBytes: number) {
  interface Item {
    key: string
    value: number
    bytes: number
    endMs: number
    read: boolean
  }
  let queue: Item[] = []
  let hand: Item | undefined
  const drop = (item: Item): void => {
    if (hand === item) hand = queue[queue.indexOf(item) - 1]
    queue = queue.filter((one) => one !== item)
  }
  const evict = (): void => {
    let item = hand ?? (queue.at(-1) as Item)
    while (item.read) {
      item.read = false
      item = queue[queue.indexOf(item) - 1] ?? (queue.at(-1) as Item)
    }
    hand = item
    drop(item)
  }
  const find = (key: string): Item | undefined => queue.find((item) => item.key === key)
  return {
    queue: () => queue,
    bytes: () => queue.reduce((sum, item) => sum + item.bytes, 0),
    get(key: string, nowMs: number): number | undefined {
      const item = find(key)
      if (!item) return undefined
      if (item.endMs > nowMs) {
        item.read = true
        return item.value
      }
      drop(item)
      return undefined
    },
    delete(key: string): void {
      const item = find(key)
      if (item) drop(item)
    },
    clear(): void {
      queue = []
      hand = undefined
    },
    set(key: string, value: number, bytes: number, endMs: number, nowMs: number): void {
      const item = find(key)
      const fits = endMs > nowMs && bytes <= maxBytes
      if (item && fits && this.bytes() - item.bytes + bytes <= maxBytes) {
        Object.assign(item, { value, bytes, endMs, read: true })
        return
      }
      if (item) drop(item)
      if (!fits) return
      while (this.bytes() + bytes > maxBytes) evict()
      if (queue.length >= maxEntries) evict()
      queue.unshift({ key, value, bytes, endMs, read: false })
    },
  }
}

describe('on random histories', () => {
  const key = fc.constantFrom(...'abcdefghijkl')
  const step = fc.oneof(
    { weight: 50, arbitrary: fc.record({ do: fc.constant('get' as const), key }) },
    {
      weight: 50,
      arbitrary: fc.record({
        do: fc.constant('set' as const),
        key,
        bytes: fc.nat(12),
        lifeMs: fc.integer({ min: -1, max: 30 }),
      }),
    },
    { weight: 10, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
    { weight: 20, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const) }) },
  )
  const steps = fc.array(step, { maxLength: 120 })
  const bounds = [fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 40 })] as const
  const names = 'abcdefghijkl'

  it('does as the model does, entry by entry, within its bounds', () => {
    fc.assert(
      fc.property(steps, ...bounds, (history, maxEntries, maxBytes) => {
        const map = createBoundedMap<number>(maxEntries, maxBytes, END, 1)
        const plain = model(maxEntries, maxBytes)
        let nowMs = 1000
        for (const [i, one] of history.entries()) {
          if (one.do === 'get') {
            const slot = map.find(one.key, nowMs)
            expect(slot ? map.values[slot] : undefined).toBe(plain.get(one.key, nowMs))
          } else if (one.do === 'set') {
            const endMs = nowMs + one.lifeMs
            map.set(one.key, i, one.bytes, 0, [endMs], nowMs)
            plain.set(one.key, i, one.bytes, endMs, nowMs)
          } else if (one.do === 'delete') {
            map.delete(one.key)
            plain.delete(one.key)
          } else if (one.do === 'clear') {
            map.clear()
            plain.clear()
          } else {
            nowMs += one.ms
            // Drops all that has expired, so that nothing is left for the sweep: it goes by slots, which the model does not have.
            for (const { key } of plain.queue().filter(({ endMs }) => endMs <= nowMs)) {
              map.find(key, nowMs)
              plain.get(key, nowMs)
            }
          }
          const { entries, bytes } = map.stats()
          expect(entries <= maxEntries && bytes <= maxBytes).toBe(true)
          expect([held(map, names), bytes]).toEqual([
            [...names].filter((name) => plain.queue().some(({ key }) => key === name)).join(''),
            plain.bytes(),
          ])
        }
      }),
      { numRuns: 300 },
    )
  })

  it('answers the last value set, or nothing: never one that was deleted or has ended', () => {
    fc.assert(
      fc.property(steps, ...bounds, (history, maxEntries, maxBytes) => {
        const map = createBoundedMap<number>(maxEntries, maxBytes, END, 1)
        const last = new Map<string, { value: number; endMs: number }>()
        let nowMs = 1000
        for (const [i, one] of history.entries()) {
          if (one.do === 'wait') nowMs += one.ms
          else if (one.do === 'clear') {
            map.clear()
            last.clear()
          } else if (one.do === 'delete') {
            map.delete(one.key)
            last.delete(one.key)
          } else if (one.do === 'set') {
            map.set(one.key, i, one.bytes, 0, [nowMs + one.lifeMs], nowMs)
            last.set(one.key, { value: i, endMs: nowMs + one.lifeMs })
          } else {
            const slot = map.find(one.key, nowMs)
            if (slot === 0) continue
            const expected = last.get(one.key)
            expect(map.values[slot]).toBe(expected?.value)
            expect(expected?.endMs).toBeGreaterThan(nowMs)
          }
          const { entries, bytes } = map.stats()
          expect(entries <= maxEntries && bytes <= maxBytes).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })
})
