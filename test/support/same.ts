/**
 * Whether two values are equal in every part, types and signs of zero included. A test runner's matchers fail on properties named
 * `constructor` and `__proto__`.
 */
export function same(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b)
  if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return false
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime())
  const partsOf = (value: object): unknown[] =>
    value instanceof Map || value instanceof Set
      ? [...value].flat()
      : Object.keys(value).flatMap((name) => [name, Object.getOwnPropertyDescriptor(value, name)?.value])
  const [left, right] = [partsOf(a), partsOf(b)]
  return left.length === right.length && left.every((part, i) => same(part, right[i]))
}
