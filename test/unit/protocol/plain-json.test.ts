import { describe, expect, it } from 'vitest'
import { decodeJson, encodeJson } from '../../../src/protocol/codec.ts'
import { decodePlain, encodePlain } from '../../../src/protocol/plain-json.ts'

class Point {
  x = 1
}
const deep = (levels: number): unknown => (levels === 0 ? 1 : [deep(levels - 1)])
const circle: unknown[] = []
circle.push(circle)
const named = Object.assign([1], { name: 2 })
const holedAndNamed = Object.assign([1, 2], { name: 2 })
delete holedAndNamed[0]
const refused = /cannot be stored/

describe('plain JSON', () => {
  it.each([
    0,
    1,
    -1,
    1.5,
    2 ** 53,
    'text',
    '',
    true,
    null,
    [],
    {},
    [[1], { a: [null] }],
    { a: undefined },
    { b: 1, a: 2 },
  ])('of %o is the text of the codec of all values', (value) => {
    const coded = encodePlain(value)
    expect(coded).toEqual(encodeJson(value))
    expect(decodePlain(coded.payload, coded.mark)).toEqual(decodeJson(coded.payload, coded.mark))
  })
  // A separate test: workerd could not send a title with half a surrogate pair.
  it('keeps half a surrogate pair', () => {
    const coded = encodePlain('\ud800')
    expect(coded).toEqual(encodeJson('\ud800'))
    expect(decodePlain(coded.payload, coded.mark)).toBe('\ud800')
  })
  it('keeps properties of every name', () => {
    const value = JSON.parse('{"$":{"v":1},"__proto__":{"a":1},"constructor":null}')
    const { payload, mark } = encodePlain(value)
    expect(decodePlain(payload, mark)).toEqual(value)
    expect(decodeJson(payload, mark)).toEqual(value)
  })
  it.each([
    ['an instance of a class', new Point()],
    ['a Date', new Date(0)],
    ['a Map', new Map()],
    ['bytes', new Uint8Array(1)],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    ['a BigInt', 1n],
    ['NaN', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
    ['-0', -0],
    ['undefined in a list', [undefined]],
    ['holes', Array(2)],
    ['a hole between items', Object.assign(Array(3), { 0: 1, 2: 3 })],
    ['a list with a name', named],
    ['a list with a hole and a name', holedAndNamed],
    ['what makes its own JSON', { toJSON: () => 1 }],
    ['a circle', circle],
    ['65 levels', deep(65)],
  ])('refuses %s, here and within', (_, value) => {
    for (const whole of [value, { a: value }, [value]]) {
      expect(() => encodePlain(whole)).toThrow(refused)
      expect(() => encodePlain(whole)).toThrow(expect.objectContaining({ code: 'UNENCODABLE' }))
    }
  })
  it('says where it is, by names of code alone', () => {
    expect(() => encodePlain({ list: [{ at: new Date(0) }] })).toThrow('list[0].at: Date')
    expect(() => encodePlain({ 'jane@example.com': 1n })).toThrow('[…]: ')
  })
  it('allows 64 levels', () => {
    expect(decodePlain(encodePlain(deep(64)).payload, 'j')).toEqual(deep(64))
  })
  it('refuses what is too much', () => {
    expect(() => encodePlain(Array.from({ length: 1_000_001 }, () => 1.5))).toThrow('elements')
  })
  it.each(['r', '-', '', 'A'])('reads no text of the mark %s', (mark) => {
    expect(() => decodePlain('1', mark)).toThrow()
  })
})
