const MAX_DEPTH = 64

/** How a value is kept apart from what callers do to it. */
export type Isolation = 'shared' | 'frozen' | 'cloned' | 'none'

/**
 * `shared`: nothing in it can change. `frozen`: arrays and plain objects, which `freeze` settles. `cloned`: a Map, Set,
 * Date or bytes within, which cannot be frozen. `none`: anything else, such as an instance of a class, or nesting
 * deeper than 64.
 */
export function isolationOf(value: unknown, depth = 0): Isolation {
  if (typeof value === 'function') return 'none'
  if (typeof value !== 'object' || value === null) return 'shared'
  if (depth > MAX_DEPTH) return 'none'
  const base: unknown = Object.getPrototypeOf(value)
  let parts: Iterable<unknown>
  let worst: Isolation = 'cloned'
  if (base === Date.prototype || base === Uint8Array.prototype) return worst
  if (base === Map.prototype) parts = [...(value as Map<unknown, unknown>)].flat()
  else if (base === Set.prototype) parts = value as Set<unknown>
  else if (Array.isArray(value) || isPlain(base)) {
    parts = Object.values(value)
    worst = 'frozen'
  } else return 'none'
  for (const part of parts) {
    const one = isolationOf(part, depth + 1)
    if (one === 'none') return one
    if (one === 'cloned') worst = one
  }
  return worst
}

/** Whether a prototype is that of an object literal, of any realm. */
function isPlain(base: unknown): boolean {
  return base === null || Object.hasOwn(base as object, 'isPrototypeOf')
}

/** Freezes arrays and plain objects all the way down. */
export function freeze(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  Object.values(Object.freeze(value)).forEach(freeze)
}

/** A copy of a `cloned` value that shares nothing with it that can change. */
export function clone(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(clone)
  if (value instanceof Date) return new Date(value.getTime())
  if (value instanceof Uint8Array) return value.slice()
  if (value instanceof Map) {
    const out = new Map<unknown, unknown>()
    for (const [key, item] of value) out.set(clone(key), clone(item))
    return out
  }
  if (value instanceof Set) {
    const out = new Set<unknown>()
    for (const item of value) out.add(clone(item))
    return out
  }
  // A spread makes every property its own, `__proto__` too: the loop only replaces.
  const out: Record<string, unknown> = Object.getPrototypeOf(value) ? { ...value } : { __proto__: null, ...value }
  for (const key of Object.keys(out)) out[key] = clone(out[key])
  return out
}
