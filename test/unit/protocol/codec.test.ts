import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { decodeJson, encodeJson } from '../../../src/protocol/codec.ts'
import { same } from '../../support/same.ts'

const again = (value: unknown): unknown => {
  const { payload, mark } = encodeJson(value)
  return decodeJson(payload, mark)
}
const refused = expect.objectContaining({ code: 'UNENCODABLE' })

/** Any text, lone surrogates included. */
const anyText = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(fc.integer({ min: 32, max: 126 }), fc.integer({ min: 0, max: 0xffff })), { maxLength })
    .map((units) => String.fromCharCode(...units))

const special = fc.constantFrom('$', '__proto__', 'constructor', 'toString', 'toJSON', 'v', 'then', '')
const name = fc.oneof(special, anyText(8))
/** JSON, and what the codec preserves besides. An object with a null prototype is decoded as a plain one. */
const anything = fc.letrec((tie) => ({
  leaf: fc.oneof(
    anyText(12),
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('\ud800', 'a\udfffb', '', '123'),
    fc.double(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.constantFrom<unknown>(-0, null, true, false, Number.NaN, Number.POSITIVE_INFINITY),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array({ maxLength: 40 }),
  ),
  value: fc.oneof(
    { weight: 4, arbitrary: tie('leaf') },
    fc.array(fc.oneof(tie('value'), fc.constant(undefined)), { maxLength: 5 }),
    fc.array(fc.tuple(name, tie('value')), { maxLength: 5 }).map((pairs) => {
      const object: Record<string, unknown> = {}
      for (const [key, value] of pairs) {
        Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true })
      }
      return object
    }),
    fc.array(fc.tuple(tie('leaf'), tie('value')), { maxLength: 4 }).map((pairs) => new Map(pairs)),
    fc.array(tie('leaf'), { maxLength: 4 }).map((items) => new Set(items)),
  ),
})).value

describe('the codec of values', () => {
  it('gives back what it was given', () => {
    const before = Object.getOwnPropertyNames(Object.prototype)
    fc.assert(
      fc.property(anything, (value) => {
        if (!same(again(value), value)) expect(again(value)).toBe(value)
      }),
      { numRuns: 300 },
    )
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before)
  })
  it('encodes once more to the same text', () => {
    fc.assert(
      fc.property(anything, (value) => {
        const text = encodeJson(value)
        expect(encodeJson(decodeJson(text.payload, text.mark))).toEqual(text)
      }),
      { numRuns: 200 },
    )
  })
  it('writes text without a lone surrogate', () => {
    fc.assert(
      fc.property(anyText(12), (text) => {
        expect(encodeJson(`\ud800${text}`).payload.isWellFormed()).toBe(true)
      }),
    )
  })
  it.each([
    ['a whole number', 7, 'i', '7'],
    ['a negative one', -7, 'i', '-7'],
    ['the last safe one', 2 ** 53 - 1, 'i', '9007199254740991'],
    ['one past it', 2 ** 53, 'j', '9007199254740992'],
    ['plain JSON', { a: [1, 'x', null] }, 'j', '{"a":[1,"x",null]}'],
    ['text of digits', '7', 'j', '"7"'],
    ['minus zero', -0, 'r', '{"$":"n","v":"-0"}'],
    ['a date', new Date(5), 'r', '{"$":"d","v":5}'],
    ['a date that is none', new Date(Number.NaN), 'r', '{"$":"d","v":null}'],
    ['a property named $', { $: 1 }, 'r', '{"$":"o","v":{"$":1}}'],
    ['nothing in a list', [undefined], 'r', '[{"$":"u"}]'],
    ['a property without value', { a: undefined }, 'j', '{}'],
    ['bytes', new Uint8Array([0, 255]), 'r', '{"$":"b","v":"AP8="}'],
  ])('stores %s in a form that stays', (_, value, mark, payload) => {
    expect(encodeJson(value)).toEqual({ mark, payload })
  })
  it('keeps `__proto__` as a property of its own, and touches no prototype', () => {
    const value = JSON.parse('{"__proto__":{"polluted":1},"d":{"__proto__":[2]}}') as Record<string, unknown>
    value.at = new Date(1)
    const back = again(value) as Record<string, unknown>
    expect(Object.keys(back)).toEqual(['__proto__', 'd', 'at'])
    expect(Object.getPrototypeOf(back)).toBe(Object.prototype)
    expect(back.polluted).toBeUndefined()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })
  it('takes 64 levels and refuses 65, whatever is at the bottom', () => {
    for (const bottom of ['leaf', [], new Date(1)]) {
      const levels = (n: number): unknown => {
        let value: unknown = bottom
        for (let i = typeof bottom === 'string' ? 0 : 1; i < n; i++) value = i % 2 ? [value] : { value }
        return value
      }
      expect(again(levels(64))).toEqual(levels(64))
      expect(() => encodeJson(levels(65))).toThrow(refused)
    }
  })
  it('refuses a cycle', () => {
    const list: unknown[] = []
    list.push({ list })
    expect(() => encodeJson(list)).toThrow(refused)
    const map = new Map<string, unknown>()
    map.set('self', map)
    expect(() => encodeJson(map)).toThrow(refused)
  })
  class Point {
    readonly x = 1
  }
  it.each([
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['an instance of a class', new Point()],
    ['an error', new Error('x')],
    ['an expression', /x/],
    ['a promise', Promise.resolve(1)],
    ['a boxed text', Object('x')],
    ['a weak map', new WeakMap()],
    ['floats', new Float64Array(1)],
    ['an object of an object', Object.create({ inherited: 1 })],
  ])('refuses %s, alone and inside', (_, value) => {
    expect(() => encodeJson(value)).toThrow(refused)
    expect(() => encodeJson([{ a: value }])).toThrow(refused)
    expect(() => encodeJson(new Map([[value, 1]]))).toThrow(refused)
  })
  class Decimal {}
  class Rows extends Array<unknown> {}
  class Lookup extends Map<unknown, unknown> {}
  class Group extends Set<unknown> {}
  class Day extends Date {}
  class Bytes extends Uint8Array {}
  const withName = <T extends object>(value: T): T => Object.assign(value, { name: 1 })
  it.each<[string, unknown]>([
    ['an instance of a class over Array', Rows.from([1])],
    ['one over Map', new Lookup([[1, 2]])],
    ['one over Set', new Group([1])],
    ['one over Date', new Day(0)],
    ['one over bytes', new Bytes(2)],
    ['one over one over Map', new (class Deep extends Lookup {})()],
    ['a match of an expression', /a(?<b>.)/.exec('ab')],
    ['a list with a property', withName([1, 2])],
    ['an empty one', withName([])],
    ['one with a gap', withName(Object.assign(new Array(3), [1]))],
    ['one whose property looks like an index', Object.assign([1, 2, 3], { '01': 1 })],
    ['one with a property past every index', Object.assign([1], { 4294967295: 1 })],
    ['a Map with a property', withName(new Map())],
    ['a Set with a property', withName(new Set())],
    ['a Date with a property', withName(new Date(0))],
    ['bytes with a property', withName(new Uint8Array(4))],
    ['none with one', withName(new Uint8Array(0))],
    ['4,096 with one', withName(new Uint8Array(4096))],
    ['bytes with what looks like an index', Object.assign(new Uint8Array(4), { '01': 1 })],
    ['a Buffer with a property', withName(typeof Buffer === 'undefined' ? new Uint8Array(1) : Buffer.from([1]))],
    ['what only has the prototype of a Map', Object.create(Map.prototype)],
    ['what only has the prototype of a Date', Object.create(Date.prototype)],
    ['what only has the prototype of lists', Object.create(Array.prototype)],
    ['what only has the prototype of bytes', Object.create(Uint8Array.prototype)],
    ['a list whose prototype is a list', Object.setPrototypeOf([1], [2])],
    ['a list whose prototype is that of a class', Object.setPrototypeOf([1], Decimal.prototype)],
    ['other bytes', new Uint8ClampedArray(1)],
    ['a view', new DataView(new ArrayBuffer(1))],
    ['a weak set', new WeakSet()],
  ])('refuses %s: it would come back as something else', (_, value) => {
    expect(() => encodeJson(value)).toThrow(refused)
    expect(() => encodeJson([{ a: value }])).toThrow(refused)
    expect(() => encodeJson([value], true)).toThrow(refused)
  })
  it('takes a Buffer for the bytes it is', () => {
    if (typeof Buffer === 'undefined') return
    expect(again(Buffer.from([1, 255]))).toEqual(new Uint8Array([1, 255]))
    class Own extends Buffer {}
    const own = Object.setPrototypeOf(Buffer.from([1]), Own.prototype) as unknown
    expect(() => encodeJson(own)).toThrow(refused)
  })
  it('looks for no property on more than 4,096 bytes: it would cost more than all else', () => {
    const keys = vi.spyOn(Object, 'keys')
    try {
      for (const length of [0, 1, 4096, 4097, 100_000]) encodeJson(new Uint8Array(length))
      const asked = keys.mock.calls.map(([part]) => (part instanceof Uint8Array ? part.length : 0))
      expect(Math.max(...asked)).toBe(4096)
      expect(again(withName(new Uint8Array(4097)))).toEqual(new Uint8Array(4097))
    } finally {
      keys.mockRestore()
    }
  })
  it('keeps a list with gaps', () => {
    expect(again(Object.assign(new Array(3), [1]))).toEqual([1, undefined, undefined])
    expect(again(new Array(3))).toEqual([undefined, undefined, undefined])
  })
  it('refuses a list of more than a million items before it reads one: with gaps it may claim four billion', () => {
    let reads = 0
    const list = Object.defineProperty(new Array(1_000_001), 0, { get: () => ++reads, enumerable: true })
    for (const value of [list, [list], new Map([[1, list]])]) expect(() => encodeJson(value)).toThrow(refused)
    expect(reads).toBe(0)
  })
  it.each<[unknown, string]>([
    [{ rows: [{ total: new Decimal() }] }, 'rows[0].total: Decimal'],
    [new Decimal(), 'stored: Decimal'],
    [[[1], [2, () => 1]], '[1][1]: a function'],
    [{ a: { b: Symbol('x') } }, 'a.b: a symbol'],
    [{ sizes: new Map([['s', new Decimal()]]) }, 'sizes[0][1]: Decimal'],
    [{ set: new Set([1, new Decimal()]) }, 'set[1]: Decimal'],
    [{ match: /a/.exec('a') }, 'match: an array with properties'],
    [{ rows: new Rows() }, 'rows: Rows'],
    [{ error: new TypeError('x') }, 'error: TypeError'],
  ])('names the path and the class of what it refuses: %#', (value, text) => {
    expect(() => encodeJson(value)).toThrow(expect.objectContaining({ message: expect.stringContaining(text) }))
  })
  it('names no property that may be data, and no path without end', () => {
    const message = (value: unknown): string => {
      try {
        encodeJson(value)
      } catch (error) {
        return (error as Error).message
      }
      return ''
    }
    expect(message({ users: { 'ada@example.org': () => 1 } })).toContain('users[…]: a function')
    expect(message({ ['x'.repeat(41)]: () => 1 })).toContain('[…]: a function')
    const circle: Record<string, unknown> = {}
    circle.anotherNameOfSomeLength = circle
    expect(message(circle).length).toBeLessThan(350)
    expect(message(Object.create({ constructor: { name: 'a secret' } }))).not.toContain('secret')
  })
  it('keeps integers of up to 16,384 bits, and reads no longer ones', () => {
    for (const most of [2n ** 16_383n - 1n, -(2n ** 16_383n)]) {
      expect(again(most)).toBe(most)
      expect(() => encodeJson([most < 0n ? most - 1n : most + 1n])).toThrow(refused)
    }
    expect(() => decodeJson(`{"$":"i","v":"${'7'.repeat(4935)}"}`, 'r')).toThrow(SyntaxError)
    expect(() => decodeJson('{"$":"i","v":[[["7"]]]}', 'r')).toThrow(SyntaxError)
  })
  it.each([
    ['lists', '[', ']'],
    ['lists with something first', '[0,', ']'],
    ['objects', '{"a":', '}'],
    ['objects with something after', '{"a":', ',"b":"]}"}'],
    ['objects with something before', '{"b":[],"a":', '}'],
  ])('reads 64 levels and refuses 65: %s', (_, open, close) => {
    const text = (levels: number): string => `${open.repeat(levels - 1)}[1]${close.repeat(levels - 1)}`
    for (const mark of ['j', 'r']) {
      expect(() => decodeJson(text(64), mark)).not.toThrow()
      for (const levels of [65, 66, 1000, 100_000]) expect(() => decodeJson(text(levels), mark)).toThrow(SyntaxError)
    }
  })
  it('refuses millions of levels before it parses them', () => {
    for (const text of ['['.repeat(4_000_000), `[${'[0,"[",'.repeat(1_000_000)}`])
      for (const mark of ['j', 'r'])
        expect(() => decodeJson(text, mark)).toThrow(
          expect.objectContaining({ message: expect.stringContaining('too deep') }),
        )
  })
  it('takes a million elements and refuses more, on both sides', () => {
    const text = (item: string, count: number): string => `[${item.repeat(count)}"${',[\\\\\\"'.repeat(1000)}"]`
    expect((decodeJson(text('0,', 999_000), 'j') as unknown[]).length).toBe(999_001)
    expect(() => decodeJson(text('0,', 1_000_001), 'j')).toThrow(SyntaxError)
    expect(() => decodeJson(text('{},', 500_001), 'j')).toThrow(SyntaxError)
    const many = Array.from({ length: 1_000_001 }, () => 10)
    expect(() => encodeJson(many)).toThrow(refused)
    expect(() => encodeJson([many.slice(0, 500_001), many.slice(0, 500_001)])).toThrow(refused)
  })
  it('does not take the brackets and commas of text for elements', () => {
    for (const text of [',[{'.repeat(700_000), '\\'.repeat(600_000), `"${'\\"[,'.repeat(500_000)}`]) {
      expect(again([text, text])).toEqual([text, text])
    }
  })
  it('says of a refused value only what it is', () => {
    const secret = { token: 'hunter2', run: () => 'hunter2' }
    expect(() => encodeJson(secret)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hunter2') }),
    )
  })
  it('throws for text that is none of its own, or gives plain data: never a prototype, never a crash', () => {
    const before = Object.getOwnPropertyNames(Object.prototype)
    const kind = fc.constantFrom<unknown>('m', 's', 'b', 'd', 'i', 'n', 'u', 'o', 'x', null, 1, {}, '__proto__')
    const hostile = fc.letrec((tie) => ({
      part: fc.oneof(
        { maxDepth: 4 },
        fc.json().map((text): unknown => JSON.parse(text)),
        fc.record({ $: kind, v: tie('part') }, { requiredKeys: [] }),
        fc
          .tuple(kind, tie('part'))
          .map(([k, v]): unknown =>
            JSON.parse(
              `{"__proto__":${JSON.stringify(v) ?? 'null'},"$":${JSON.stringify(k)},"v":{"__proto__":{"bad":1}}}`,
            ),
          ),
      ),
    })).part
    fc.assert(
      fc.property(hostile, fc.constantFrom('j', 'r', 'i', 'Z', '-', ''), (part, mark) => {
        let value: unknown
        try {
          value = decodeJson(JSON.stringify(part) ?? '', mark)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
          return
        }
        walk(value, 0)
      }),
      { numRuns: 300 },
    )
    fc.assert(
      fc.property(anyText(12), fc.constantFrom('j', 'r', 'i'), (text, mark) => {
        try {
          walk(decodeJson(text, mark), 0)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }),
    )
    expect(Object.getOwnPropertyNames(Object.prototype)).toEqual(before)
    expect(({} as Record<string, unknown>).bad).toBeUndefined()
  })
  it('reads a counter from its digits alone', () => {
    for (const value of [0, 7, -7, 2 ** 53 - 1]) expect(decodeJson(`${value}`, 'i')).toBe(value)
    for (const text of ['', ' 1', '01', '1.5', '1e3', '-0', '"1"', '{}', 'NaN', '9007199254740992'])
      expect(() => decodeJson(text, 'i')).toThrow(SyntaxError)
  })
  it('throws for text of another codec', () => {
    for (const mark of ['A', 'Z', '-', ' ']) expect(() => decodeJson('1', mark)).toThrow()
  })
})

const plain = new Set<unknown>([Object.prototype, Array.prototype, Map.prototype, Set.prototype, Date.prototype])

function walk(value: unknown, depth: number): void {
  if (typeof value !== 'object' || value === null || depth > 100) return
  const base: unknown = Object.getPrototypeOf(value)
  if (base === Uint8Array.prototype) return
  expect(plain.has(base)).toBe(true)
  const parts = value instanceof Map ? [...value].flat() : value instanceof Set ? [...value] : Object.values(value)
  for (const part of parts) walk(part, depth + 1)
}

describe('the key of a call', () => {
  const key = (value: unknown): string => encodeJson(value, true).payload
  it('does not tell the order of properties apart', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (object) => {
        expect(key(Object.fromEntries(Object.entries(object).reverse()))).toBe(key(object))
      }),
    )
  })
  it('tells apart what is not the same', () => {
    const apart = [1, '1', true, 'true', null, 'null', undefined, [], {}, [1], ['1'], 1n, '1n', new Date(1), Number.NaN]
    const more = [-0, new Map(), new Set(), new Uint8Array(0), '', { a: 1 }, { a: '1' }, { b: 1 }, { $: 'u' }, [[1]]]
    const keys = [...apart, ...more].map((part) => key([part]))
    expect(new Set(keys).size).toBe(keys.length)
  })
  it('leaves a signal out', () => {
    const { signal } = new AbortController()
    expect(key([{ id: 1, signal }])).toBe(key([{ id: 1 }]))
    expect(key([signal, 1])).toBe(key([undefined, 1]))
    expect(key([signal, 1])).not.toBe(key([null, 1]))
  })
})
