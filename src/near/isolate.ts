const MAX_DEPTH = 64

/** How a value is kept apart from what its readers do to it; of two parts the higher one counts. */
export type Isolation = 0 | 1 | 2 | 3
/** Arrays and plain objects, which are frozen. 0: nothing in it could change. */
export const FROZEN = 1
/** A Map, Set, Date or bytes within, which cannot be frozen. */
export const CLONED = 2
/** Anything else, such as an instance of a class, or nesting deeper than 64: not to be kept. */
export const UNKNOWN = 3

/** What `isolate` finds: the highest of its parts, and about what the value takes in memory. */
export interface Isolated {
  readonly isolation: Isolation
  /** Estimated for V8 on a machine of 64 bits: within a factor of two for what JSON and the codec make. */
  readonly bytes: number
}

/** A word, and what an object takes beside its properties; one without any has room for four. */
const WORD = 8
const OBJECT = 24
const NO_FIELDS = 4
/** A text and a number that is no small whole one take this beside their content. */
const BOX = 16
/** An array with the block its items are in. */
const ARRAY = 48
/** With more properties it is a table, which takes a name, a value and a state for each, and is half empty. */
const MAX_FIELDS = 128
const TABLE_ROW = 48
/** A Date, a Map or a Set without content (bytes take more); an entry of each, whose table is half empty. */
const BUILT_IN = 112
const MAP_ENTRY = 44
const SET_ENTRY = 28
const BYTES = 208

/** Freezes arrays and plain objects all the way down, unless told not to; tells what else there is, and weighs it. */
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
      // A literal's prototype, of any realm, has this; a class's inherits it.
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
/** How many characters are looked at to tell what each takes. */
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

/** A copy that shares nothing with `value` that can change; of what `isolate` knows. */
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
