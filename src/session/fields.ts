import { HitherError } from '../errors.ts'
import type { Codec } from '../protocol/codec.ts'
import { decodeMember, encodeMember } from '../protocol/member.ts'
import type { Schema } from '../protocol/schema.ts'

/** A field as it was stored, and the value it holds. */
export interface OpenField {
  readonly text: string
  readonly value: unknown
}

/** How the fields of a session are turned into text without control characters, and back. */
export interface Fields<T> {
  /** Undefined where a value cannot be read, or the schema refuses the whole. Flash fields are no part of it. */
  open(key: string, fields: ReadonlyMap<string, string>): Promise<Map<string, OpenField> | undefined>
  encode(key: string, name: string, value: unknown): string | Promise<string>
  /** Rejects `INVALID_VALUE` for what the schema refuses. */
  check(data: Readonly<Record<string, unknown>>): Promise<T>
}

/** Before the name of a flash field. A name of the user's is behind a dot, so that neither is taken for the other. */
export const FLASH = '!'
export const FIELD = '.'

/** The name as it is stored: without control characters. */
export function fieldName(kind: typeof FLASH | typeof FIELD, name: string): string {
  if (typeof name === 'string' && name !== '' && name.isWellFormed()) return kind + encodeURIComponent(name)
  throw new HitherError('INVALID_ARGUMENT', 'the name of a field is a string that is not empty')
}

export function createFields<T>({ codec, schema }: { readonly codec?: Codec; readonly schema?: Schema<T> }): Fields<T> {
  /** A value is bound to its session and its field. */
  const place = (key: string, name: string): string => `${key} ${name}`
  return {
    async open(key, fields) {
      const open = new Map<string, OpenField>()
      try {
        for (const [name, text] of fields) {
          const plain = codec ? (JSON.parse(text) as string) : text
          open.set(name, { text, value: await decodeMember(plain, place(key, name), codec) })
        }
      } catch {
        return undefined
      }
      const result = await schema?.['~standard'].validate(dataOf(open))
      return result?.issues ? undefined : open
    },
    encode(key, name, value) {
      const text = encodeMember(value, place(key, name), codec)
      if (text instanceof Promise) return text.then((late) => JSON.stringify(late))
      return codec ? JSON.stringify(text) : text
    },
    async check(data) {
      const result = await schema?.['~standard'].validate(data)
      if (result?.issues) {
        throw new HitherError('INVALID_VALUE', 'the schema refuses the session, its issues are in cause', {
          cause: result.issues,
        })
      }
      return data as T
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

/** What a user has put into a session, by name. */
export function dataOf(fields: ReadonlyMap<string, { readonly value: unknown }>): Record<string, unknown> {
  const data: Record<string, unknown> = {}
  for (const [name, { value }] of fields) {
    if (name.startsWith(FIELD))
      Object.defineProperty(data, decodeURIComponent(name.slice(1)), { value, enumerable: true })
  }
  return data
}
