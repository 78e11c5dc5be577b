const { getPrototypeOf, hasOwn } = Object

/** The prototype at the end of every chain, in any realm: `Object.prototype` of that realm, or none. */
export const isRoot = (base: object | null): boolean =>
  base === null || base === Object.prototype || (getPrototypeOf(base) === null && hasOwn(base, 'isPrototypeOf'))

/** Undefined for anything but a plain object or list, of any realm. */
export function plainKindOf(value: object): 'object' | 'array' | undefined {
  const base = getPrototypeOf(value) as object | null
  // The prototype of arrays is an array itself; that of a class over them is not.
  if (Array.isArray(value))
    return base === Array.prototype || (Array.isArray(base) && isRoot(getPrototypeOf(base))) ? 'array' : undefined
  return isRoot(base) ? 'object' : undefined
}
