import { Fraction } from './json-text.ts'
import type { JsonData } from './values.ts'

/** The value as a number; undefined if it is not a number. */
export function numberOf(value: JsonData): number | bigint | undefined {
  if (value instanceof Fraction) return value.value
  return typeof value === 'number' || typeof value === 'bigint' ? value : undefined
}
export const isWhole = (value: JsonData): boolean =>
  typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))

/** The reply of JSON.TYPE. */
export function typeOfJson(value: JsonData): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (value instanceof Map) return 'object'
  if (numberOf(value) !== undefined) return isWhole(value) ? 'integer' : 'number'
  return typeof value
}

/** Whether two values are equal. 1 equals 1.0, and the order of an object's names does not count. */
export function equalJson(a: JsonData, b: JsonData): boolean {
  const [left, right] = [numberOf(a), numberOf(b)]
  // biome-ignore lint/suspicious/noDoubleEquals: a number and a bigint may be the same
  if (left !== undefined && right !== undefined) return left == right
  if (Array.isArray(a)) {
    return Array.isArray(b) && a.length === b.length && a.every((item, i) => equalJson(item, b[i] as JsonData))
  }
  if (a instanceof Map) {
    return (
      b instanceof Map &&
      a.size === b.size &&
      [...a].every(([name, item]) => b.has(name) && equalJson(item, b.get(name) as JsonData))
    )
  }
  return a === b
}

/** Negative, 0 or positive; undefined for two values that cannot be compared, such as a text and a number. */
export function compareJson(a: JsonData, b: JsonData): number | undefined {
  const [left, right] = [numberOf(a) ?? a, numberOf(b) ?? b]
  const areNumbers = numberOf(a) !== undefined && numberOf(b) !== undefined
  if (!areNumbers && (typeof left !== 'string' || typeof right !== 'string')) return undefined
  const [x, y] = [left as number, right as number]
  return x < y ? -1 : x > y ? 1 : 0
}
