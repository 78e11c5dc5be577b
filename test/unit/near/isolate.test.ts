import { describe, expect, it } from 'vitest'
import { CLONED, clone, FROZEN, isolate, UNKNOWN } from '../../../src/near/isolate.ts'
import { decodeJson, encodeJson } from '../../../src/protocol/codec.ts'

/** Lists that are nested `depth` deep around `core`. */
const nested = (depth: number, core: unknown = 1): unknown => {
  let value = core
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

class Point {
  x = 1
}

describe('isolate', () => {
  it.each([null, undefined, true, 0, -0, Number.NaN, 1n, '', 'text', Symbol.iterator])('%s cannot change', (value) => {
    expect(isolate(value).isolation).toBe(0)
  })
  it.each([[], {}, [1, { a: [null] }], Object.create(null), JSON.parse('{"__proto__":{"a":1}}'), nested(64)])(
    'plain data is frozen: %j',
    (value) => {
      expect(isolate(value).isolation).toBe(FROZEN)
    },
  )
  it.each([
    ['a Map', new Map()],
    ['a Set', new Set()],
    ['a Date', new Date(0)],
    ['bytes', new Uint8Array(2)],
    ['a Date within', { a: [1, { at: new Date(0) }] }],
    ['bytes in a Map as a key', new Map([[new Uint8Array(1), 1]])],
    ['objects in a Set', new Set([{ a: 1 }])],
    ['a Date 64 deep', nested(64, new Date(0))],
  ])('%s is cloned', (_, value) => {
    expect(isolate(value).isolation).toBe(CLONED)
  })
  it.each([
    ['an instance of a class', new Point()],
    ['one that looks plain', Object.create({ isPrototype: 1 })],
    ['one in a Map', new Map([['a', new Point()]])],
    ['one as the key of a Map', new Map([[new Point(), 1]])],
    ['one in a Set', new Set([new Point()])],
    ['one after a Date', [new Date(0), new Point()]],
    ['one before a Date', [new Point(), new Date(0)]],
    ['a function', () => 1],
    ['a function within', { a: () => 1 }],
    ['a class of its own over Map', new (class extends Map {})()],
    ['another view of bytes', new Float64Array(1)],
    ['a buffer', new ArrayBuffer(1)],
    ['a pattern', /a/],
    ['an error', new Error('a')],
    ['nesting past 64', nested(66)],
  ])('%s is not kept', (_, value) => {
    expect(isolate(value).isolation).toBe(UNKNOWN)
  })
  it('knows whatever the codec gives', () => {
    const value = [new Map([[{ a: 1 }, new Set([1n])]]), new Date(5), new Uint8Array([1]), { $: 1, u: [undefined] }]
    const { payload, mark } = encodeJson(value)
    expect(isolate(decodeJson(payload, mark)).isolation).toBe(CLONED)
    expect(isolate(decodeJson(encodeJson(nested(64)).payload, 'j')).isolation).toBe(FROZEN)
  })
})

describe('freezing', () => {
  it('goes all the way down, and past what cannot be frozen', () => {
    const value = { a: [{ b: [1] }], c: null, d: new Date(0) }
    isolate(value)
    for (const part of [value, value.a, value.a[0], value.a[0]?.b]) expect(Object.isFrozen(part)).toBe(true)
  })
})

describe('clone', () => {
  const make = () => ({
    list: [1, { at: new Date(5) }],
    map: new Map<unknown, unknown>([[{ key: 1 }, new Set([new Uint8Array([1, 2])])]]),
    none: undefined,
    invalid: new Date(Number.NaN),
  })
  it('is equal, and shares nothing that can change', () => {
    const value = make()
    const copy = clone(value) as typeof value
    expect(copy).toEqual(make())
    ;(copy.list[1] as { at: Date }).at.setTime(6)
    copy.list.push(3)
    const [[key, set]] = [...copy.map] as [[{ key: number }, Set<Uint8Array>]]
    key.key = 2
    for (const bytes of set) bytes[0] = 9
    set.add(new Uint8Array())
    copy.map.set('more', 1)
    expect(value).toEqual(make())
  })
  it('copies what is frozen as what can change', () => {
    const copy = clone(Object.freeze({ a: Object.freeze([1]) })) as { a: number[] }
    copy.a.push(2)
    expect(copy).toEqual({ a: [1, 2] })
  })
  it('keeps __proto__ a property like any other', () => {
    const value = JSON.parse('{"__proto__":{"polluted":1},"at":1}') as object
    const copy = clone(value) as object
    expect(Object.keys(copy)).toEqual(['__proto__', 'at'])
    expect((copy as { polluted?: 1 }).polluted).toBeUndefined()
    expect(Object.getOwnPropertyDescriptor(copy, '__proto__')?.value).not.toBe(
      Object.getOwnPropertyDescriptor(value, '__proto__')?.value,
    )
  })
})
