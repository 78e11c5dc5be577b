import { HitherError } from '../errors.ts'
import { type Codec, decodeJson, encodeJson } from '../protocol/codec.ts'

/** The default codec of a cache, for other codecs to wrap: JSON that keeps Date, BigInt, Map, Set and bytes. */
export const json: Codec = {
  mark: 'J',
  encode(value) {
    const { mark, payload } = encodeJson(value)
    return mark + payload
  },
  decode: (text) => decodeJson(text.slice(1), text.slice(0, 1)),
}

/** Throws `INVALID_ARGUMENT` for a codec that lacks `encode` or `decode`. */
export function checkCodec(codec: Codec): void {
  if (typeof codec?.encode === 'function' && typeof codec.decode === 'function') return
  throw new HitherError('INVALID_ARGUMENT', 'codec has encode and decode, such as json')
}
