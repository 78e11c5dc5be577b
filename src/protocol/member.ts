import { HitherError } from '../errors.ts'
import { type Codec, decodeJson, encodeJson } from './codec.ts'

const RICH = 'r'

/**
 * A value as text that describes itself: bare digits for a safe integer, JSON text, or `r` and rich JSON; with a codec, its
 * mark and its text. Without a codec, equal data gives equal text. Throws, or rejects with, `INVALID_VALUE` or `UNENCODABLE`.
 */
export function encodeMember(value: unknown, key: string, codec: Codec | undefined): string | Promise<string> {
  if (value === undefined) throw new HitherError('INVALID_VALUE', 'undefined cannot be stored: store null, or delete')
  if (codec) {
    const text = codec.encode(value, key)
    return typeof text === 'string' ? codec.mark + text : text.then((late) => codec.mark + late)
  }
  const { mark, payload } = encodeJson(value, true)
  return mark === RICH ? RICH + payload : payload
}

/**
 * The value of a text of `encodeMember`; without a codec, also that of another program's JSON text. Throws, or rejects with,
 * `WRONG_TYPE`.
 */
export function decodeMember(text: string, key: string, codec: Codec | undefined): unknown {
  try {
    if (!codec) return text[0] === RICH ? decodeJson(text.slice(1), RICH) : JSON.parse(text)
    if (text[0] !== codec.mark) throw unreadable()
    const value = codec.decode(text.slice(1), key)
    return value instanceof Promise ? value.catch((error: unknown) => Promise.reject(unreadable(error))) : value
  } catch (error) {
    throw unreadable(error)
  }
}

function unreadable(cause?: unknown): HitherError {
  return new HitherError('WRONG_TYPE', 'what is stored here was not written by this codec', { cause })
}
