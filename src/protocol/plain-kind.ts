const { getPrototypeOf, hasOwn } = Object

/** Whether this is the end of a prototype chain, in any realm: `Object.prototype` of that realm, or null. */
export const isRoot = (base: object | null): boolean =>
  base === null || base === Object.prototype || (getPrototypeOf(base) === null && hasOwn(base, 'isPrototypeOf'))

/** The kind of a plain object or array, of any realm; undefined for anything else. */
export function plainKindOf(value: object): 'object' | 'array' | undefined {
  const base = getPrototypeOf(value) as object | null
  // The prototype of arrays is an array itself; the prototype of a class that extends arrays is not.
  if (Array.isArray(value))
    return base === Array.prototype || (Array.isArray(base) && isRoot(getPrototypeOf(base))) ? 'array' : undefined
  return isRoot(base) ? 'object' : undefined
}
