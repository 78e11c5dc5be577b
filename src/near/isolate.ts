const MAX_DEPTH = 64

/** How a value is kept apart from what its readers do to it; of two parts the higher one counts. */
export type Isolation = 0 | 1 | 2 | 3
/** Arrays and plain objects, which are frozen. 0: nothing in it could change. */
export const FROZEN = 1
/** A Map, Set, Date or bytes within, which cannot be frozen. */
export const CLONED = 2
/** Anything else, such as an instance of a class, or nesting deeper than 64: not to be kept. */
export const UNKNOWN = 3

/** Freezes arrays and plain objects all the way down, unless told not to, and tells what else there is. */
export function isolate(value: unknown, freeze = true, depth = 0): Isolation {
  if (typeof value === 'function' || depth > MAX_DEPTH) return UNKNOWN
  if (typeof value !== 'object' || value === null) return 0
  const base = Object.getPrototypeOf(value) as object | null
  // A literal's prototype, of any realm, has this; a class's inherits it.
  const plain = Array.isArray(value) || base === null || Object.hasOwn(base, 'isPrototypeOf')
  const copied = [Map, Set, Date, Uint8Array].some((kind) => kind.prototype === base)
  const parts: Iterable<unknown> = plain
    ? Object.values(value)
    : base === Map.prototype
      ? [...(value as Map<unknown, unknown>)].flat()
      : base === Set.prototype
        ? (value as Set<unknown>)
        : []
  let worst: Isolation = plain ? FROZEN : copied ? CLONED : UNKNOWN
  for (const part of parts) worst = Math.max(worst, isolate(part, freeze, depth + 1)) as Isolation
  if (plain && freeze) Object.freeze(value)
  return worst
}

/** A copy that shares nothing with `value` that can change; of what `isolationOf` knows. */
export function clone(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(clone)
  if (value instanceof Date) return new Date(value.getTime())
  if (value instanceof Uint8Array) return value.slice()
  if (value instanceof Map) return new Map([...value].map(clone) as [unknown, unknown][])
  if (value instanceof Set) return new Set([...value].map(clone))
  // A spread makes every property its own, `__proto__` too: the loop only replaces.
  const out: Record<string, unknown> = { ...value }
  for (const key of Object.keys(out)) out[key] = clone(out[key])
  return out
}
