import { createContext, runInContext } from 'node:vm'
import { describe, expect, it, vi } from 'vitest'
import { decodeJson, encodeJson } from '../../../src/protocol/codec.ts'

/** A value made by the built-ins of another realm, like the values of a Jest test. */
const elsewhere = (code: string): unknown => runInContext(`(${code})`, createContext({}))
const again = (value: unknown): unknown => {
  const { payload, mark } = encodeJson(value)
  return decodeJson(payload, mark)
}

describe('a Date of fake timers', () => {
  it('is stored as any other', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 5 })
    try {
      expect(Object.getPrototypeOf(Date.prototype)).not.toBe(Object.prototype)
      expect(encodeJson({ at: new Date() })).toEqual({ payload: '{"at":{"$":"d","v":5}}', mark: 'r' })
      expect(() => encodeJson(new (class Day extends Date {})(0))).toThrow('Day, an instance of a class')
    } finally {
      vi.useRealTimers()
    }
    expect(again(new Date(5))).toStrictEqual(new Date(5))
  })
})

describe('a value of another realm', () => {
  it.each<[string, unknown]>([
    ['({ a: [1, "x", null] })', { a: [1, 'x', null] }],
    ['[1, [2]]', [1, [2]]],
    ['new Date(5)', new Date(5)],
    ['new Map([["a", new Set([new Date(1), 2n])]])', new Map([['a', new Set([new Date(1), 2n])]])],
    ['new Set([[1], { a: 1 }])', new Set([[1], { a: 1 }])],
    ['new Uint8Array([0, 255])', new Uint8Array([0, 255])],
    ['Object.create(null)', {}],
  ])('is stored as one of this realm: %s', (code, value) => {
    expect(again(elsewhere(code))).toStrictEqual(value)
    expect(again({ within: [elsewhere(code)] })).toStrictEqual({ within: [value] })
    expect(encodeJson(elsewhere(code), true)).toEqual(encodeJson(value, true))
  })
  it.each([
    'new (class Rows extends Array {})()',
    'new (class Lookup extends Map {})()',
    'new (class Group extends Set {})()',
    'new (class Day extends Date {})(0)',
    'new (class Bytes extends Uint8Array {})(1)',
    'new (class Point {})()',
    'new Float64Array(1)',
    'Object.assign([1], { name: 1 })',
    'Object.assign(new Map(), { name: 1 })',
    '/a/',
    'new Error("x")',
    'Promise.resolve()',
    'new WeakMap()',
    'Object.create(Map.prototype)',
  ])('is refused as one of this realm: %s', (code) => {
    expect(() => encodeJson(elsewhere(code))).toThrow(expect.objectContaining({ code: 'UNENCODABLE' }))
  })
})
