import { isBounded, MAX_DEPTH, MAX_ELEMENTS, mayBeDeep } from './bounds.ts'
import { plainKindOf } from './plain-kind.ts'
import { at, classOf, Refused } from './refused.ts'

/**
 * As `encodeJson` of `codec.ts`, but for plain data alone, which JSON gives back unchanged. All else throws `UNENCODABLE`. The
 * text is the same, so that caches with and without the other kinds of values can read each other's entries.
 */
export function encodePlain(value: unknown): { readonly mark: 'i' | 'j'; readonly payload: string } {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return { mark: 'i', payload: `${value}` }
  try {
    check(value, 0)
    const payload = JSON.stringify(value)
    if (!isBounded(payload)) throw new Refused(`more than ${MAX_ELEMENTS} elements`)
    return { mark: 'j', payload }
  } catch (error) {
    throw error instanceof Refused ? error.toError() : error
  }
}

/** Throws `Refused` for a value that JSON would drop or change. Undefined may only be a property, which is left out. */
function check(part: unknown, depth: number): void {
  if (part === null || typeof part === 'string' || typeof part === 'boolean') return
  if (typeof part === 'number' && Number.isFinite(part) && !Object.is(part, -0)) return
  if (typeof part !== 'object') throw new Refused(`${typeof part} ${NEEDS_VALUES}`)
  if (depth === MAX_DEPTH) throw new Refused(`nested deeper than ${MAX_DEPTH}, or in a circle`)
  const kind = plainKindOf(part)
  if (!kind) throw new Refused(`${classOf(part)}, or codec: values() of hither/mini`)
  const names = Object.keys(part)
  if (kind === 'array') {
    // An array may have no holes and no named properties. Names come after indexes.
    const { length } = part as unknown[]
    const isList = names.length === length && (length === 0 || names.at(-1) === `${length - 1}`)
    if (!isList) throw new Refused(`a list with holes or names ${NEEDS_VALUES}`)
  }
  for (const name of names) {
    const item = (part as Record<string, unknown>)[name]
    if (item === undefined && kind === 'object') continue
    try {
      check(item, depth + 1)
    } catch (error) {
      throw at(error, kind === 'array' ? `[${name}]` : name)
    }
  }
}

const NEEDS_VALUES = 'that JSON does not keep: pass codec: values() of hither/mini, or plain data'

/** The value of a text of `encodePlain`. Throws for any other text, and for a value past a bound. */
export function decodePlain(text: string, mark: string): unknown {
  if (mark === 'i') {
    const value = Number(text)
    if (!Number.isSafeInteger(value) || `${value}` !== text) throw new SyntaxError('no whole number')
    return value
  }
  if (mark !== 'j') throw new SyntaxError('another codec')
  const value = parseBounded(text)
  if (mayBeDeep(text)) checkDepth(value, 0)
  return value
}

export function parseBounded(text: string): unknown {
  if (!isBounded(text)) throw new SyntaxError('too many elements, or too deep')
  return JSON.parse(text)
}

export function tooDeep(): SyntaxError {
  return new SyntaxError(`nested deeper than ${MAX_DEPTH}`)
}

function checkDepth(part: unknown, depth: number): void {
  if (typeof part !== 'object' || part === null) return
  if (depth === MAX_DEPTH) throw tooDeep()
  if (Array.isArray(part)) {
    for (let i = 0; i < part.length; i++) {
      const item: unknown = part[i]
      if (typeof item === 'object') checkDepth(item, depth + 1)
    }
  } else {
    for (const name in part) {
      const item = (part as Record<string, unknown>)[name]
      if (typeof item === 'object') checkDepth(item, depth + 1)
    }
  }
}
