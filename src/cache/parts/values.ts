import { decodeJson, encodeJson } from '../../protocol/codec.ts'
import type { ValuesPart } from '../value-form.ts'

export type { ValuesPart } from '../value-form.ts'

/** JSON that keeps Date, BigInt, Map, Set, bytes, NaN, and undefined in lists, for `createCache` of `hither/mini`. */
export function values(): ValuesPart {
  return {
    marks: 'jri',
    encode: (value) => encodeJson(value),
    decode: ({ payload, mark }) => decodeJson(payload, mark),
  }
}
