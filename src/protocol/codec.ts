import { fromBase64, toBase64 } from './base64.ts'
import { isBounded, MAX_DEPTH, MAX_ELEMENTS, MAX_INTEGER_BITS, MAX_INTEGER_DIGITS } from './bounds.ts'
import { kindOf } from './kind.ts'
import { decodePlain, parseBounded, tooDeep } from './plain-json.ts'
import { at, classOf, Refused } from './refused.ts'

/**
 * Turns values into text and back. `decode` may throw: the entry is then a miss and an event. `key` is the stored key, for a
 * codec that binds a value to its key. Both may be asynchronous; a write is then sent some time after its call.
 */
export interface Codec {
  /** One letter from `A` to `Z`, stored with every entry: `decode` never gets text with another mark. */
  readonly mark: string
  encode(value: unknown, key: string): string | Promise<string>
  decode(text: string, key: string): unknown
}

/** Byte arrays up to this length are checked for named properties, which takes twice as long as encoding them. */
const MAX_NAMED_BYTES = 4096

/** The form of a payload, as its entry is marked. */
type Mark = 'j' | 'r' | 'i'

/**
 * A value as JSON text with its mark: `j` plain JSON, `i` a safe integer in digits, `r` JSON in which a value that JSON lacks
 * is `{"$": kind, "v": text or list}`. Throws `UNENCODABLE`, naming the path, for a function, a symbol, an instance of a class,
 * an array, Map, Set, Date or up to 4,096 bytes with named properties, a cycle, and a value past a bound of `bounds.ts`.
 * `asKey`: equal data gives equal text, whatever the order of its properties, and an AbortSignal counts as undefined. `asJson`:
 * a property named `$` is encoded like any other.
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
  const list = (items: readonly unknown[], depth: number): unknown[] => {
    // Before anything is allocated: a sparse array may claim four billion.
    if (items.length > MAX_ELEMENTS) throw new Refused(`more than ${MAX_ELEMENTS} elements`)
    const out: unknown[] = new Array(items.length)
    let i = 0
    try {
      for (; i < items.length; i++) out[i] = pack(items[i], depth)
    } catch (error) {
      throw at(error, `[${i}]`)
    }
    return out
  }
  const object = (part: object, depth: number): unknown => {
    const out = Object.create(null) as Record<string, unknown>
    const names = Object.keys(part)
    let name = ''
    try {
      for (name of asKey ? names.sort() : names) {
        const item = (part as Record<string, unknown>)[name]
        if (item !== undefined && !(asKey && item instanceof AbortSignal)) out[name] = pack(item, depth)
      }
    } catch (error) {
      throw at(error, name)
    }
    return '$' in out && !asJson ? tagged('o', out) : out
  }
  const pack = (part: unknown, depth: number): unknown => {
    const type = typeof part
    if (part === null || type === 'string' || type === 'boolean') return part
    if (type === 'number') {
      if (Object.is(part, -0)) return tagged('n', '-0')
      return Number.isFinite(part) ? part : tagged('n', `${part}`)
    }
    if (type === 'bigint') {
      if (BigInt.asIntN(MAX_INTEGER_BITS, part as bigint) !== part) throw new Refused(`an integer of too many digits`)
      return tagged('i', `${part}`)
    }
    if (part === undefined || (asKey && part instanceof AbortSignal)) return tagged('u')
    if (type !== 'object') throw new Refused(`a ${type}`)
    if (depth === MAX_DEPTH) throw new Refused(`nested deeper than ${MAX_DEPTH}, or in a circle`)
    const kind = kindOf(part as object)
    if (kind === 'object') return object(part as object, depth + 1)
    if (kind === undefined) throw new Refused(classOf(part as object))
    const length = kind === 'array' || kind === 'bytes' ? (part as unknown[]).length : 0
    // Names come after indexes, so the last key shows whether there are any. Large byte arrays are not checked, because that
    // would cost more than everything else.
    const last = kind === 'bytes' && length > MAX_NAMED_BYTES ? undefined : Object.keys(part as object).at(-1)
    const isIndex = `${Number(last) >>> 0}` === last && Number(last) < length
    if (last !== undefined && !isIndex) {
      const what = kind === 'array' ? 'an array' : kind === 'bytes' ? kind : `a ${kind}`
      throw new Refused(`${what} with properties of its own`)
    }
    if (kind === 'bytes') return tagged('b', toBase64(part as Uint8Array))
    if (kind === 'array') return list(part as unknown[], depth + 1)
    // Read by the methods of this realm: another realm, or whoever created the value, may have replaced its methods.
    if (kind === 'date') return tagged('d', Date.prototype.getTime.call(part))
    if (kind === 'set') return tagged('s', list([...Set.prototype.values.call(part as Set<unknown>)], depth + 1))
    return tagged('m', list([...Map.prototype.entries.call(part as Map<unknown, unknown>)], depth + 1))
  }
  try {
    const payload = JSON.stringify(pack(value, 0))
    if (!isBounded(payload)) throw new Refused(`more than ${MAX_ELEMENTS} elements`)
    return { payload, mark }
  } catch (error) {
    throw error instanceof Refused ? error.toError() : error
  }
}

/** The value of a text of `encodeJson`. Throws for any other text, and for a value past a bound. */
export function decodeJson(text: string, mark: string): unknown {
  return mark === 'r' ? unpack(parseBounded(text), 0) : decodePlain(text, mark)
}

function unpack(part: unknown, depth: number): unknown {
  if (typeof part !== 'object' || part === null) return part
  const { $: kind, v } = part as { $?: unknown; v?: unknown }
  // Like strings and numbers, these count as no level.
  if (kind === 'n') return Number(v)
  if (kind === 'i') {
    if (typeof v !== 'string' || v.length > MAX_INTEGER_DIGITS) throw new SyntaxError('no integer, or too long')
    return BigInt(v)
  }
  if (kind === 'u') return undefined
  if (depth === MAX_DEPTH) throw tooDeep()
  const all = (items: unknown): unknown[] => (items as unknown[]).map((item) => unpack(item, depth + 1))
  if (Array.isArray(part)) return all(part)
  if (kind === undefined || kind === 'o') {
    const out = (kind ? v : part) as Record<string, unknown>
    // JSON.parse has made every key an own property, `__proto__` too, so this only replaces values.
    for (const key of Object.keys(out)) out[key] = unpack(out[key], depth + 1)
    return out
  }
  if (kind === 'd') return new Date((v ?? Number.NaN) as number)
  if (kind === 'b') return fromBase64(v as string)
  if (kind === 'm') return new Map(all(v) as [unknown, unknown][])
  if (kind === 's') return new Set(all(v))
  throw new SyntaxError('unknown kind')
}
