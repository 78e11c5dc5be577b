import { HitherError } from '../errors.ts'
import type { Codec } from '../protocol/codec.ts'
import { decodePlain } from '../protocol/plain-json.ts'

/** A value in the form it is stored in. */
export interface Coded {
  readonly mark: string
  readonly payload: string
}

/** A decoded value, which may be undefined. */
export interface Decoded {
  readonly value: unknown
}

/** How long a value lives, in milliseconds; 0: no end. */
export interface Life {
  readonly freshMs: number
  readonly lifeMs: number
}

/** Turns values into their stored form and back. Only a codec that binds a value to its key uses `storedKey`. */
export interface ValueForm {
  /** The marks that it can read, one letter each. To its cache an entry with another mark is absent. */
  readonly marks: string
  /** Throws, or rejects with, `INVALID_VALUE` or `UNENCODABLE`. */
  encode(value: unknown, storedKey: string): Coded | Promise<Coded>
  /** Throws, or rejects, for a form that it does not know. */
  decode(coded: Coded, storedKey: string): unknown
}

/** The form of a caller's codec. Besides the codec's mark it reads `i`: whole numbers, which `increment` does not encode. */
export function formOfCodec(codec: Codec): ValueForm {
  const { mark } = codec
  return {
    marks: `i${mark}`,
    encode(value, storedKey) {
      const payload = codec.encode(value, storedKey)
      if (typeof payload === 'string') return { mark, payload }
      return Promise.resolve(payload).then((text) => {
        if (typeof text === 'string') return { mark, payload: text }
        throw new HitherError('UNENCODABLE', 'encode of the codec returned no text')
      })
    },
    decode({ mark: found, payload }, storedKey) {
      if (found !== mark) return decodePlain(payload, found === 'i' ? 'i' : '')
      const value = codec.decode(payload, storedKey)
      // A promise of another realm, or of a library, is made one of this realm, which `instanceof` recognizes.
      return typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function'
        ? Promise.resolve(value)
        : value
    },
  }
}

/** A value to store, in its stored form. Throws, or rejects with, `INVALID_VALUE` or `UNENCODABLE`. */
export function encodeValue(values: ValueForm, value: unknown, storedKey: string): Coded | Promise<Coded> {
  if (value === undefined) throw new HitherError('INVALID_VALUE', 'undefined means absent: store null, or delete')
  const coding = values.encode(value, storedKey)
  // A caller that awaits it gets the error. A call may end before that, and then nothing else handles the rejection.
  if (coding instanceof Promise) coding.catch(() => {})
  return coding
}
