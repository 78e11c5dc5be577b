import { HitherError } from '../errors.ts'
import type { Codec } from '../protocol/codec.ts'
import { decodeMember, encodeMember } from '../protocol/member.ts'
import type { Schema } from '../protocol/schema.ts'

/** A field of a stored session. */
export interface OpenField {
  /** What is stored. */
  readonly raw: unknown
  /** What the schema made of it; without a schema the same. */
  readonly value: unknown
}

/** A field of a stored session, or one that this request has set. */
export type Field = OpenField | { readonly value: unknown }

type OpenFields = Map<string, OpenField>

/** How the fields of a session are turned into text without control characters, and back. */
export interface Fields {
  /** Undefined where a value cannot be read, or the schema refuses the whole. Flash fields are no part of it. */
  open(key: string, fields: ReadonlyMap<string, string>): OpenFields | undefined | Promise<OpenFields | undefined>
  encode(key: string, name: string, value: unknown): string | Promise<string>
  /** Rejects `INVALID_VALUE` for what the schema refuses. */
  check(fields: ReadonlyMap<string, Field>): Promise<void>
}

/** Before the name of a flash field. A name of the user's is behind a dot, so that neither is taken for the other. */
export const FLASH = '!'
export const FIELD = '.'

/** The name as it is stored: without control characters. */
export function fieldName(kind: typeof FLASH | typeof FIELD, name: string): string {
  if (typeof name === 'string' && name !== '' && name.isWellFormed()) return kind + encodeURIComponent(name)
  throw new HitherError('INVALID_ARGUMENT', 'the name of a field is a string that is not empty')
}

export function createFields<T>({ codec, schema }: { readonly codec?: Codec; readonly schema?: Schema<T> }): Fields {
  /** A value is bound to its session and its field. */
  const place = (key: string, name: string): string => `${key} ${name}`
  /** What the schema makes of them. */
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
          const raw = decodeMember(codec ? (JSON.parse(text) as string) : text, place(key, name), codec)
          // In the order in which they are stored.
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
      if (text instanceof Promise) return text.then((late) => JSON.stringify(late))
      return codec ? JSON.stringify(text) : text
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

/** Text that is the same for equal data; '' for what JSON cannot keep, whose changes in place go unseen. */
export function snapshotOf(value: unknown): string {
  try {
    return String(encodeMember(value, '', undefined))
  } catch {
    return ''
  }
}

/** What is stored of a field, or is to be. */
export const storedOf = (field: Field): unknown => ('raw' in field ? field.raw : field.value)

/** What a user has put into a session, by name, for a schema. A field that a schema alone has made is no part of it. */
function dataOf(fields: ReadonlyMap<string, Field>): Record<string, unknown> {
  const data: Record<string, unknown> = {}
  for (const [name, field] of fields) {
    const value = storedOf(field)
    if (!name.startsWith(FIELD) || value === undefined) continue
    // `__proto__` is a name like any other.
    const property = { value, enumerable: true, writable: true, configurable: true }
    Object.defineProperty(data, decodeURIComponent(name.slice(1)), property)
  }
  return data
}
