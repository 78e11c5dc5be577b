const MAX_DEPTH = 64

/** How a value is protected from changes by its readers. A value takes the highest level of its parts. */
export type Isolation = 0 | 1 | 2 | 3
/** Arrays and plain objects, which are frozen. 0: nothing in the value can change. */
export const FROZEN = 1
/** There is a Map, Set, Date or bytes in it, which cannot be frozen: each reader gets a copy. */
export const CLONED = 2
/** Anything else, such as an instance of a class, or nesting deeper than 64: the value is not kept. */
export const UNKNOWN = 3

/** What `isolate` finds: the level of a value, and about how much memory it takes. */
export interface Isolated {
  readonly isolation: Isolation
  /** Estimated for V8 on a 64-bit machine: within a factor of two for values that JSON and the codec produce. */
  readonly bytes: number
}

/** Bytes of a word, and of an object beside its properties. An object without properties has room for four. */
const WORD = 8
const OBJECT = 24
const NO_FIELDS = 4
/** Bytes of a string or a BigInt beside its content, and of a number that is no 32-bit integer. */
const BOX = 16
/** Bytes of an array and the header of the block that holds its items. */
const ARRAY = 48
/** An object with more properties is a hash table. It takes a name, a value and a state for each property, and is half empty. */
const MAX_FIELDS = 128
const TABLE_ROW = 48
/**
 * Bytes of a Date, an empty Map or an empty Set (bytes take more); then of an entry of a Map and of a Set, which are half
 * empty.
 */
const BUILT_IN = 112
const MAP_ENTRY = 44
const SET_ENTRY = 28
const BYTES = 208

/** Freezes arrays and plain objects deeply, unless `freeze` is false. Returns what else is in the value, and about its size. */
export function isolate(value: unknown, freeze = true): Isolated {
  let bytes = 0
  const visit = (part: unknown, depth: number): Isolation => {
    if (typeof part === 'string') bytes += weighText(part)
    else if (typeof part === 'number') bytes += (part | 0) === part ? 0 : BOX
    else if (typeof part === 'bigint') bytes += weighInteger(part)
    if (typeof part === 'function' || depth > MAX_DEPTH) return UNKNOWN
    if (typeof part !== 'object' || part === null) return 0
    const base = Object.getPrototypeOf(part) as object | null
    let worst: Isolation = 0
    const all = (parts: readonly unknown[]): void => {
      for (let i = 0; i < parts.length; i++) {
        const found = visit(parts[i], depth + 1)
        if (found > worst) worst = found
      }
    }
    if (Array.isArray(part)) {
      worst = FROZEN
      bytes += ARRAY + WORD * part.length
      all(part)
    } else if (base === null || Object.hasOwn(base, 'isPrototypeOf')) {
      // The prototype of an object literal, of any realm, has this as its own property; the prototype of a class inherits it.
      worst = FROZEN
      const parts = Object.values(part)
      if (parts.length <= MAX_FIELDS) bytes += OBJECT + WORD * (parts.length || NO_FIELDS)
      else bytes += TABLE_ROW * parts.length + Object.keys(part).reduce((sum, name) => sum + weighText(name), 0)
      all(parts)
    } else {
      bytes += BUILT_IN
      worst = CLONED
      if (base === Map.prototype) {
        const { size } = part as Map<unknown, unknown>
        bytes += MAP_ENTRY * size
        all([...(part as Map<unknown, unknown>).keys()])
        all([...(part as Map<unknown, unknown>).values()])
      } else if (base === Set.prototype) {
        bytes += SET_ENTRY * (part as Set<unknown>).size
        all([...(part as Set<unknown>)])
      } else if (base === Uint8Array.prototype) bytes += BYTES + (part as Uint8Array).byteLength
      else if (base !== Date.prototype) return UNKNOWN
      return worst
    }
    if (freeze) Object.freeze(part)
    return worst
  }
  return { isolation: visit(value, 0), bytes }
}

const WIDE = 0xff
/** How many characters of a string are sampled to see whether each takes one byte or two. */
const SAMPLES = 8

function weighText(text: string): number {
  const step = Math.ceil(text.length / SAMPLES)
  let width = 1
  for (let i = 0; i < text.length; i += step) if (text.charCodeAt(i) > WIDE) width = 2
  return BOX + Math.ceil((text.length * width) / WORD) * WORD
}

function weighInteger(value: bigint): number {
  return BigInt.asIntN(64, value) === value ? BOX + WORD : BOX + value.toString(16).length / 2
}

/** A deep copy that shares nothing mutable with `value`, for values that `isolate` knows. */
export function clone(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(clone)
  if (value instanceof Date) return new Date(value.getTime())
  if (value instanceof Uint8Array) return value.slice()
  if (value instanceof Map) return new Map([...value].map(clone) as [unknown, unknown][])
  if (value instanceof Set) return new Set([...value].map(clone))
  // A spread makes every property an own property, `__proto__` too. The loop only replaces values.
  const out: Record<string, unknown> = { ...value }
  for (const key of Object.keys(out)) out[key] = clone(out[key])
  return out
}
