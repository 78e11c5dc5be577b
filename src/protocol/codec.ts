import { HitherError } from '../errors.ts'
import { fromBase64, toBase64 } from './base64.ts'

/**
 * Turns values into text and back. `decode` may throw: the entry is then a miss and an event. `key` is the stored key,
 * for a codec that binds a value to its place. Both may be asynchronous: a write then leaves later than its call.
 */
export interface Codec {
  /** One letter from `A` to `Z`, stored with every entry: text of another mark is never given to `decode`. */
  readonly mark: string
  encode(value: unknown, key: string): string | Promise<string>
  decode(text: string, key: string): unknown
}

/** Deepest nesting of a value. A cycle goes past any depth. */
const MAX_DEPTH = 64

/** What the payload of an entry is, as the stored form marks it. */
type Mark = 'j' | 'r' | 'i'

/**
 * A value as JSON text with its mark: `j` plain JSON, `i` a safe integer in digits, `r` JSON in which what JSON lacks
 * is `{"$": kind, "v": text or list}`. Throws `UNENCODABLE` for a function, a symbol, an instance of a class, a cycle
 * or more than 64 objects in one another. `asKey`: equal data gives equal text, whatever the order of its properties,
 * and an AbortSignal counts as undefined. `asJson`: a property named `$` is one like any other.
 */
export function encodeJson(
  value: unknown,
  asKey = false,
  asJson = false,
): { readonly mark: Mark; readonly payload: string } {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return { mark: 'i', payload: `${value}` }
  let mark: Mark = 'j'
  const tagged = ($: string, v?: unknown): unknown => {
    mark = 'r'
    return { $, v }
  }
  const pack = (part: unknown, depth: number): unknown => {
    const type = typeof part
    if (part === null || type === 'string' || type === 'boolean') return part
    if (type === 'number') {
      if (Object.is(part, -0)) return tagged('n', '-0')
      return Number.isFinite(part) ? part : tagged('n', `${part}`)
    }
    if (type === 'bigint') return tagged('i', `${part}`)
    if (part === undefined || (asKey && part instanceof AbortSignal)) return tagged('u')
    if (type !== 'object') throw unencodable(`a ${type}`)
    if (depth === MAX_DEPTH) throw unencodable(`nested deeper than ${MAX_DEPTH}, or in a circle`)
    const list = (items: unknown): unknown[] => Array.from(items as unknown[], (item) => pack(item, depth + 1))
    if (Array.isArray(part)) return list(part)
    if (part instanceof Date) return tagged('d', part.getTime())
    if (part instanceof Map) return tagged('m', list(part))
    if (part instanceof Set) return tagged('s', list(part))
    if (part instanceof Uint8Array) return tagged('b', toBase64(part))
    const base = Object.getPrototypeOf(part)
    if (base && (Object.getPrototypeOf(base) || !Object.hasOwn(base, 'isPrototypeOf'))) {
      throw unencodable('an instance of a class: pass a codec, or plain data')
    }
    const out = Object.create(null) as Record<string, unknown>
    const names = Object.keys(part)
    for (const name of asKey ? names.sort() : names) {
      const item = (part as Record<string, unknown>)[name]
      if (item !== undefined && !(asKey && item instanceof AbortSignal)) out[name] = pack(item, depth + 1)
    }
    return '$' in out && !asJson ? tagged('o', out) : out
  }
  return { payload: JSON.stringify(pack(value, 0)), mark }
}

/** The value of `encodeJson`'s text. Throws for text that is none. */
export function decodeJson(text: string, mark: string): unknown {
  if (mark !== 'j' && mark !== 'r' && mark !== 'i') throw new SyntaxError('another codec')
  const value: unknown = JSON.parse(text)
  return mark === 'r' ? unpack(value) : value
}

function unpack(part: unknown): unknown {
  if (typeof part !== 'object' || part === null) return part
  if (Array.isArray(part)) return part.map(unpack)
  const { $: kind, v } = part as { $?: unknown; v?: unknown }
  if (kind === undefined || kind === 'o') {
    const out = (kind ? v : part) as Record<string, unknown>
    // JSON.parse made every key an own property, `__proto__` too: this only replaces.
    for (const key of Object.keys(out)) out[key] = unpack(out[key])
    return out
  }
  if (kind === 'n') return Number(v)
  if (kind === 'i') return BigInt(v as string)
  if (kind === 'u') return undefined
  if (kind === 'd') return new Date((v ?? Number.NaN) as number)
  if (kind === 'b') return fromBase64(v as string)
  const items = (v as unknown[]).map(unpack)
  if (kind === 'm') return new Map(items as [unknown, unknown][])
  if (kind === 's') return new Set(items)
  throw new SyntaxError('unknown kind')
}

function unencodable(what: string): HitherError {
  return new HitherError('UNENCODABLE', `this value cannot be stored: it is, or holds, ${what}`)
}
