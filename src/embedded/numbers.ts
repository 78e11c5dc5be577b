import { fail } from './reply.ts'

/** An integer of 64 bits: a `number` where that is exact, otherwise a `bigint`. */
export type Int = number | bigint

const MAX = 2n ** 63n - 1n
const MIN = -(2n ** 63n)
export const NOT_AN_INTEGER = 'ERR value is not an integer or out of range'
const NOT_A_FLOAT = 'ERR value is not a valid float'
const shape = /^(0|-?[1-9]\d{0,18})$/

/** Parses an integer as Redis does: no plus sign, no blanks, no leading zero. Undefined for any other text. */
export function parseInt64(text: string): Int | undefined {
  if (text.length === 0 || text.length > 20 || !shape.test(text)) return undefined
  if (text.length < 16) return Number(text)
  return shrink(BigInt(text))
}

/** Undefined beyond 64 bits. */
function shrink(value: bigint): Int | undefined {
  if (value > MAX || value < MIN) return undefined
  const small = Number(value)
  return Number.isSafeInteger(small) ? small : value
}

/** The sum; undefined if it needs more than 64 bits. */
export function add(a: Int, b: Int): Int | undefined {
  if (typeof a === 'number' && typeof b === 'number') {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  return shrink(BigInt(a) + BigInt(b))
}

/** The sum in a counter of 64 bits: past the largest number it continues at the smallest. */
export function addWrapped(a: Int, b: Int): Int {
  return add(a, b) ?? (shrink(BigInt.asIntN(64, BigInt(a) + BigInt(b))) as Int)
}

/** An exact integer. Throws an error reply for a text that is not an integer of 64 bits. */
export function exactInt(text: string | undefined, message: string = NOT_AN_INTEGER): Int {
  return parseInt64(text ?? '') ?? fail(message)
}

/** As `exactInt`, for indexes and counts. Beyond 2^53 the number is only approximate. */
export function int(text: string | undefined, message: string = NOT_AN_INTEGER): number {
  return Number(parseInt64(text ?? '') ?? fail(message))
}

/** Parses an unsigned integer of 64 bits as `strtoull` does; undefined for any other text. */
export function parseUint64(text: string): bigint | undefined {
  const [, sign, digits = ''] = /^[\t\n\v\f\r ]*([+-]?)(\d+)$/.exec(text) ?? []
  if (digits === '' || digits.length > 40 || (sign === '-' && /[1-9]/.test(digits))) return undefined
  const value = BigInt(digits)
  return value < 2n ** 64n ? value : undefined
}

/** As `int`, for 32 bits. */
export function int32(text: string | undefined, message: string = NOT_AN_INTEGER): number {
  const value = int(text, message)
  if (value >= -(2 ** 31) && value < 2 ** 31) return value
  return fail(
    message === NOT_AN_INTEGER ? 'ERR value is out of range, value must between -2147483648 and 2147483647' : message,
  )
}

/** As `int`, for a range with both ends included. */
export function intBetween(text: string | undefined, least: number, most: number, message: string): number {
  const value = int(text, message)
  return value < least || value > most ? fail(message) : value
}

const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i
const hexadecimal = /^([+-]?)0x([0-9a-f]+)$/i

/** Parses a double as `strtod` does, without blanks around it; undefined for any other text. */
export function parseFloat64(text: string): number | undefined {
  if (decimal.test(text)) return Number(text)
  const hex = hexadecimal.exec(text)
  if (hex) return Number(`0x${hex[2]}`) * (hex[1] === '-' ? -1 : 1)
  const infinity = /^([+-]?)inf(inity)?$/i.exec(text)
  if (infinity) return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return undefined
}

export function float(text: string | undefined, message: string = NOT_A_FLOAT): number {
  return parseFloat64(text ?? '') ?? fail(message)
}
