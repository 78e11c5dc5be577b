import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type NearFill, type NearTier, nearTier } from '../../../src/near/index.ts'

const NOW = 1_700_000_000_000
const END = Number.POSITIVE_INFINITY

const entry = (value: unknown, more: Partial<NearFill> = {}): NearFill => ({
  value,
  writtenMs: NOW,
  freshUntilMs: END,
  expiresMs: END,
  ...more,
})
const put = (near: NearTier, key: string, value: unknown, more?: Partial<NearFill>, nowMs = NOW): boolean =>
  near.set(key, entry(value, more), nowMs, near.begin())

describe('options', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '5' as never, null as never])(
    'refuse a bound of %s',
    (bound) => {
      for (const name of ['maxEntries', 'maxBytes'])
        expect(() => nearTier({ [name]: bound })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    },
  )
  it('refuse more entries than a Map has, a maxAge that is none, and names there are not', () => {
    expect(() => nearTier({ maxEntries: 2 ** 24 })).toThrow(/maxEntries/)
    expect(() => nearTier({ maxAge: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_DURATION' }))
    expect(() => nearTier({ maxage: 5 } as never)).toThrow(/no option maxage/)
  })
  it('default to 5 seconds', () => {
    const near = nearTier()
    put(near, 'k', 1)
    expect(near.peek('k', NOW + 4999)).toBe(1)
    expect(near.peek('k', NOW + 5000)).toBeUndefined()
  })
})

describe('a value that its caller may modify', () => {
  it.each([
    ['plain data', () => ({ a: [1] as unknown[], b: { c: 1 } })],
    ['with what cannot be frozen', () => ({ a: [1] as unknown[], b: { c: new Map([[1, { d: 2 }]]) } })],
  ])("is its caller's to change, and kept as it was: %s", (_, make) => {
    const near = nearTier()
    const given = make()
    put(near, 'k', given, { callerMayModify: true })
    given.a.push(2)
    given.b.c = 0 as never
    expect(near.peek('k', NOW)).toEqual(make())
    const own = near.copyForCaller(near.peek('k', NOW)) as typeof given
    own.a.push(3)
    own.b.c = 0 as never
    expect(near.peek('k', NOW)).toEqual(make())
  })
  it('is kept frozen where it can be', () => {
    const near = nearTier()
    put(near, 'k', { a: [1] }, { callerMayModify: true })
    const kept = near.peek('k', NOW) as { a: number[] }
    expect([Object.isFrozen(kept), Object.isFrozen(kept.a), near.peek('k', NOW) === kept]).toEqual([true, true, true])
  })
  it('is neither kept nor touched where it cannot be copied', () => {
    const near = nearTier()
    const given = { a: [1], date: new (class Own {})() }
    expect(put(near, 'k', given, { callerMayModify: true })).toBe(false)
    expect(Object.isFrozen(given.a)).toBe(false)
  })
})

describe('get and peek', () => {
  it.each([null, 0, '', false, 'text', 5n, [[1]], { a: { b: 1 } }])('give back %s', (value) => {
    const near = nearTier()
    put(near, 'k', value, { freshUntilMs: NOW + 3, writtenMs: NOW - 9 })
    expect(near.peek('k', NOW)).toEqual(value)
    expect(near.get('k', NOW)).toEqual({ value, writtenMs: NOW - 9, freshUntilMs: NOW + 3, extras: undefined })
  })
  it('give back nothing after maxAge, nor after the end of the entry', () => {
    const near = nearTier({ maxAge: 100 })
    put(near, 'old', 1)
    put(near, 'ended', 1, { expiresMs: NOW + 50 })
    expect([near.get('old', NOW + 99)?.value, near.get('ended', NOW + 49)?.value]).toEqual([1, 1])
    expect([near.get('old', NOW + 100), near.get('ended', NOW + 50)]).toEqual([undefined, undefined])
  })
  it('tell a stale entry from a fresh one', () => {
    const near = nearTier()
    put(near, 'k', 1, { freshUntilMs: NOW + 10 })
    expect(near.peek('k', NOW + 9)).toBe(1)
    expect(near.peek('k', NOW + 10)).toBeUndefined()
    expect(near.get('k', NOW + 10)).toMatchObject({ value: 1, freshUntilMs: NOW + 10 })
  })
  it('return extras as they were, and leave tags to be compared', () => {
    const near = nearTier()
    const extras = { loadMs: 5, unconfirmed: true }
    put(near, 'noted', [1], { extras })
    put(near, 'tagged', [1], { extras: { tags: ['t'] } })
    expect(near.peek('noted', NOW)).toEqual([1])
    expect(near.get('noted', NOW)?.extras).toBe(extras)
    expect(near.peek('tagged', NOW)).toBeUndefined()
    expect(near.get('tagged', NOW)).toMatchObject({ value: [1], extras: { tags: ['t'] } })
    put(near, 'tagged', [2])
    expect(near.peek('tagged', NOW)).toEqual([2])
  })
  it('leave to get what must still stand, and what a schema has checked', () => {
    const near = nearTier()
    let stands = true
    put(near, 'k', 1, { extras: { stands: () => stands } })
    put(near, 'checked', 1, { extras: { schema: near } })
    expect([near.peek('k', NOW), near.peek('checked', NOW)]).toEqual([undefined, undefined])
    expect([near.get('k', NOW)?.value, near.get('checked', NOW)?.value]).toEqual([1, 1])
    stands = false
    expect(near.get('k', NOW)).toBeUndefined()
    stands = true
    expect(near.get('k', NOW)).toBeUndefined()
  })
  it('count', () => {
    const near = nearTier()
    put(near, 'k', 1)
    near.peek('k', NOW)
    near.get('k', NOW)
    near.peek('none', NOW)
    near.get('none', NOW)
    expect(near.stats()).toEqual({ entries: 1, bytes: 129, evicted: 0, hits: 2, misses: 1, refused: 0 })
  })
})

describe('what it gives out', () => {
  it('is frozen where it is plain data: every reader has the same', () => {
    const near = nearTier()
    put(near, 'k', { list: [{ a: 1 }] })
    const value = near.peek('k', NOW) as { list: { a: number }[] }
    for (const part of [value, value.list, value.list[0]]) expect(Object.isFrozen(part)).toBe(true)
    expect(near.get('k', NOW)?.value).toBe(value)
  })
  it.each([
    ['a Map', () => new Map([['a', 1]]), (value: unknown) => (value as Map<string, number>).set('a', 2)],
    ['a Set', () => new Set([1]), (value: unknown) => (value as Set<number>).add(2)],
    ['a Date', () => new Date(5), (value: unknown) => (value as Date).setTime(6)],
    ['bytes', () => new Uint8Array([1]), (value: unknown) => (value as Uint8Array).fill(2)],
    ['a Date within', () => [{ at: new Date(5) }], (value: unknown) => (value as { at: Date }[])[0]?.at.setTime(6)],
  ])('is a copy where it holds %s: no reader can change what another gets, nor can who gave it', (_, make, change) => {
    const near = nearTier()
    for (const extras of [undefined, { loadMs: 5 }]) {
      const given = make()
      expect(put(near, 'k', given, { extras })).toBe(true)
      change(given)
      change(near.peek('k', NOW))
      change(near.get('k', NOW)?.value)
      expect(near.peek('k', NOW)).toEqual(make())
      expect(near.get('k', NOW)?.value).toEqual(make())
    }
  })
  it('is never an instance of a class: such a value is not kept, and what was held is not given out either', () => {
    const near = nearTier()
    put(near, 'k', 1)
    expect(put(near, 'k', [new (class Point {})()])).toBe(false)
    expect([near.get('k', NOW), near.stats().refused]).toEqual([undefined, 1])
  })
})

describe('tickets', () => {
  const ways: [string, (near: NearTier) => void][] = [
    ['a delete', (near) => near.delete('k')],
    ['a clear', (near) => near.clear()],
    [
      'a delete and a later write',
      (near) => {
        near.delete('k')
        put(near, 'k', 'new')
      },
    ],
  ]
  it.each(ways)('are void after %s: what was begun before cannot be put', (_, act) => {
    const near = nearTier()
    put(near, 'k', 'old')
    const ticket = near.begin()
    act(near)
    const before = near.get('k', NOW)
    expect(near.set('k', entry('late', { writtenMs: NOW + 1 }), NOW, ticket)).toBe(false)
    expect(near.get('k', NOW)).toEqual(before)
    expect(put(near, 'k', 'later', { writtenMs: NOW + 1 })).toBe(true)
  })
  it('are void for an entry with a tag that was ended since; what is held with it ends', () => {
    const near = nearTier()
    const tagged = { extras: { tags: ['t', 'u'] } }
    put(near, 'k', 1, tagged)
    put(near, 'other', 1, { extras: { tags: ['v'] } })
    const ticket = near.begin()
    near.invalidate('u')
    expect(near.get('k', NOW)).toBeUndefined()
    expect(near.get('other', NOW)).toBeDefined()
    expect(near.set('k', entry(2, tagged), NOW, ticket)).toBe(false)
    expect(near.set('k', entry(2), NOW, ticket)).toBe(true)
    expect(put(near, 'k', 3, tagged)).toBe(true)
    expect(near.get('k', NOW)?.value).toBe(3)
  })
  it('are void for every entry with tags once so many were ended that some are forgotten', () => {
    const near = nearTier()
    const tagged = { extras: { tags: ['mine'] } }
    put(near, 'k', 1, tagged)
    const ticket = near.begin()
    for (let i = 0; i < 10_000; i++) near.invalidate(`t${i}`)
    expect(near.get('k', NOW)).toBeDefined()
    near.invalidate('one more')
    expect(near.get('k', NOW)).toBeUndefined()
    expect(near.set('k', entry(1, tagged), NOW, ticket)).toBe(false)
    const later = near.begin()
    for (let i = 0; i < 10_001; i++) near.invalidate(`u${i}`)
    expect(near.set('k', entry(1, tagged), NOW, later)).toBe(false)
    expect(put(near, 'k', 1, tagged)).toBe(true)
  })
  it('hold for others: a delete voids few of them', () => {
    const near = nearTier()
    const tickets = Array.from({ length: 1000 }, (_, i) => [`key:${i}`, near.begin()] as const)
    for (let i = 0; i < 10; i++) near.delete(`other:${i}`)
    const kept = tickets.filter(([key, ticket]) => near.set(key, entry(1), NOW, ticket)).length
    expect(kept).toBeGreaterThan(980)
  })
  it('hold while others fill the key: of two fills the later written stays', () => {
    const near = nearTier()
    const [first, second] = [near.begin(), near.begin()]
    expect(near.set('k', entry('new', { writtenMs: NOW }), NOW, second)).toBe(true)
    expect(near.set('k', entry('old', { writtenMs: NOW - 1 }), NOW, first)).toBe(false)
    expect(near.peek('k', NOW)).toBe('new')
    expect(near.set('k', entry('same time', { writtenMs: NOW }), NOW, first)).toBe(true)
    expect(near.stats().refused).toBe(1)
  })
})

describe('bounds', () => {
  it('weigh what is decoded, not what is stored', () => {
    const weigh = (value: unknown): number => {
      const near = nearTier()
      put(near, 'k', value)
      return near.stats().bytes
    }
    // Stored as text, each of these objects takes three characters.
    expect(weigh(Array.from({ length: 1000 }, () => ({})))).toBeGreaterThan(40_000)
    expect(weigh('x'.repeat(1000))).toBeLessThan(1300)
    expect(weigh('x'.repeat(1000))).toBeGreaterThan(1100)
    expect(weigh(new Array(1000).fill(null))).toBeGreaterThan(8000)
    expect(weigh('ж'.repeat(1000))).toBeGreaterThan(2000)
    for (const callerMayModify of [false, true]) {
      const near = nearTier({ maxBytes: 10_000 })
      expect(put(near, 'k', [{ a: 'x'.repeat(10_000) }], { callerMayModify })).toBe(false)
      expect(put(near, 'k', { a: new Map([[new Uint8Array(10_000), 1]]) }, { callerMayModify })).toBe(false)
      expect(put(near, 'k', { a: [['x'.repeat(9000)]] }, { callerMayModify })).toBe(true)
    }
  })
  it('hold for entries and bytes', () => {
    const near = nearTier({ maxEntries: 10, maxBytes: 1000 })
    for (let i = 0; i < 100; i++) {
      put(near, `k${i}`, 'x'.repeat(i * 4))
      expect(near.stats().entries).toBeLessThanOrEqual(10)
      expect(near.stats().bytes).toBeLessThanOrEqual(1000)
    }
    expect(near.peek('k99', NOW)).toBe('x'.repeat(396))
    expect(put(near, 'k99', 'x'.repeat(1000))).toBe(false)
    expect(near.get('k99', NOW)).toBeUndefined()
  })
})

describe('on random histories', () => {
  const key = fc.constantFrom('a', 'b', 'c', 'd')
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('begin' as const), key }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('end' as const),
        which: fc.nat(),
        writtenMs: fc.nat(20),
        date: fc.boolean(),
      }),
    },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('get' as const), key }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), key }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(60) }) },
  )
  it('gives out nothing begun before a delete, and nothing past maxAge', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (history) => {
        const near = nearTier({ maxEntries: 3, maxAge: 100 })
        let nowMs = NOW
        let turn = 0
        const running: { key: string; ticket: number; begun: number }[] = []
        const deleted = new Map<string, number>()
        for (const one of history) {
          turn++
          if (one.do === 'wait') nowMs += one.ms
          else if (one.do === 'begin') running.push({ key: one.key, ticket: near.begin(), begun: turn })
          else if (one.do === 'delete' || one.do === 'clear') {
            if (one.do === 'delete') near.delete(one.key)
            else near.clear()
            for (const name of one.do === 'delete' ? [one.key] : 'abcd') deleted.set(name, turn)
          } else if (one.do === 'end') {
            const [fill] = running.splice(one.which % (running.length || 1), 1)
            if (!fill) continue
            const { begun } = fill
            const value = { begun, at: nowMs, more: one.date ? new Date(0) : null }
            near.set(fill.key, entry(value, { writtenMs: one.writtenMs }), nowMs, fill.ticket)
          } else {
            const value = near.get(one.key, nowMs)?.value as { begun: number; at: number } | undefined
            if (!value) continue
            expect(value.begun).toBeGreaterThan(deleted.get(one.key) ?? 0)
            expect(value.at).toBeGreaterThan(nowMs - 100)
          }
          expect(near.stats().entries).toBeLessThanOrEqual(3)
        }
      }),
      { numRuns: 500 },
    )
  })
  it('never steps back in what was written while a key stays held', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { minLength: 1, maxLength: 50 }), (stamps) => {
        const near = nearTier()
        let highest = -1
        for (const writtenMs of stamps) {
          expect(put(near, 'k', writtenMs, { writtenMs })).toBe(writtenMs >= highest)
          highest = Math.max(highest, writtenMs)
          expect(near.peek('k', NOW)).toBe(highest)
        }
      }),
    )
  })
})
