import { type Codec, decodeJson, encodeJson } from '../protocol/codec.ts'

/** The codec a cache has by itself, for others to wrap: JSON that keeps Date, BigInt, Map, Set and bytes. */
export const json: Codec = {
  mark: 'J',
  encode(value) {
    const { mark, payload } = encodeJson(value)
    return mark + payload
  },
  decode: (text) => decodeJson(text.slice(1), text.slice(0, 1)),
}
