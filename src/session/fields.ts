import { HitherError } from '../errors.ts'
import type { Codec } from '../protocol/codec.ts'
import { decodeMember, encodeMember } from '../protocol/member.ts'
import type { Schema } from '../protocol/schema.ts'

/** A field of a stored session. */
export interface OpenField {
  /** The value in the store. */
  readonly raw: unknown
  /** The value that the schema made of `raw`; without a schema the same. */
  readonly value: unknown
}

/** A field of a stored session, or one that this request has set. */
export type Field =
  | OpenField
  | {
      readonly value: unknown
      /** It was read and then changed in place, so it holds stored data. */
      readonly isStored?: true
    }

type OpenFields = Map<string, OpenField>

/** Turns the fields of a session into text without control characters, and back. */
export interface Fields {
  /** Undefined when a value cannot be read, or when the schema refuses the data. The schema does not see flash fields. */
  open(key: string, fields: ReadonlyMap<string, string>): OpenFields | undefined | Promise<OpenFields | undefined>
  encode(key: string, name: string, value: unknown): string | Promise<string>
  /** Rejects with `INVALID_VALUE` when the schema refuses the data. */
  check(fields: ReadonlyMap<string, Field>): Promise<void>
}

/** Prefix of the stored name of a flash field. Other fields have a dot, so that the two kinds cannot share a name. */
export const FLASH = '!'
export const FIELD = '.'
/** Mark of a stored value that a codec has made. */
const CODED = 'c'

/** The stored name of a field. It has no control characters. */
export function fieldName(kind: typeof FLASH | typeof FIELD, name: string): string {
  if (typeof name === 'string' && name !== '' && name.isWellFormed()) return kind + encodeURIComponent(name)
  throw new HitherError('INVALID_ARGUMENT', 'the name of a field is a string that is not empty')
}

export function createFields<T>({ codec, schema }: { readonly codec?: Codec; readonly schema?: Schema<T> }): Fields {
  /** The codec binds a value to this place: its session and its field. */
  const place = (key: string, name: string): string => `${key} ${name}`
  /** The fields with the values that the schema makes of them; undefined when it refuses the data. */
  const conform = async (open: OpenFields): Promise<OpenFields | undefined> => {
    const result = await schema?.['~standard'].validate(dataOf(open))
    if (result?.issues) return undefined
    for (const [name, value] of Object.entries(result?.value ?? {})) {
      const stored = fieldName(FIELD, name)
      open.set(stored, { raw: open.get(stored)?.raw, value })
    }
    return open
  }
  return {
    open(key, fields) {
      const open: OpenFields = new Map()
      const late: Promise<unknown>[] = []
      const put = (name: string, raw: unknown): void => void open.set(name, { raw, value: raw })
      try {
        for (const [name, text] of fields) {
          const raw = decodeMember(codec ? unquoted(text) : text, place(key, name), codec)
          // Takes the field's place in the map now, so that the map keeps the stored order.
          put(name, undefined)
          if (raw instanceof Promise) late.push(raw.then((value) => put(name, value)))
          else put(name, raw)
        }
      } catch {
        for (const one of late) one.catch(() => {})
        return undefined
      }
      if (!schema && late.length === 0) return open
      return Promise.all(late).then(
        () => conform(open),
        () => undefined,
      )
    },
    encode(key, name, value) {
      const text = encodeMember(value, place(key, name), codec)
      if (text instanceof Promise) return text.then(quoted)
      return codec ? quoted(text) : text
    },
    async check(fields) {
      const result = await schema?.['~standard'].validate(dataOf(fields))
      if (result?.issues) {
        throw new HitherError('INVALID_VALUE', 'the schema refuses the session, its issues are in cause', {
          cause: result.issues,
        })
      }
    },
  }
}

/** A codec's text without control characters. The mark makes it no JSON, which would be a value to a process without the codec. */
const quoted = (text: string): string => CODED + JSON.stringify(text)
/** The codec's text again. The first form had no mark. */
const unquoted = (text: string): string => JSON.parse(text.startsWith(CODED) ? text.slice(1) : text)

/** Text that is the same for equal data. '' for data that JSON cannot hold: changes of it in place go unseen. */
export function snapshotOf(value: unknown): string {
  try {
    return String(encodeMember(value, '', undefined))
  } catch {
    return ''
  }
}

/** The value of a field as it is stored, or will be. */
export const storedOf = (field: Field): unknown =>
  Object.hasOwn(field, 'raw') ? (field as OpenField).raw : field.value

/** The data that the application has set, by name, for the schema. Leaves out fields that only the schema has added. */
function dataOf(fields: ReadonlyMap<string, Field>): Record<string, unknown> {
  const data: Record<string, unknown> = {}
  for (const [name, field] of fields) {
    const value = storedOf(field)
    if (!name.startsWith(FIELD) || value === undefined) continue
    // An assignment would not create a field named `__proto__`.
    const property = { value, enumerable: true, writable: true, configurable: true }
    Object.defineProperty(data, decodeURIComponent(name.slice(1)), property)
  }
  return data
}
