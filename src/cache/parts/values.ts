import { decodeJson, encodeJson } from '../../protocol/codec.ts'
import type { ValueForm } from '../value-form.ts'

export type { ValueForm } from '../value-form.ts'

/** JSON that keeps Date, BigInt, Map, Set, bytes, NaN, and undefined in lists, for `createCache` of `hither/mini`. */
export function values(): ValueForm {
  return {
    marks: 'jri',
    encode: (value) => encodeJson(value),
    decode: ({ payload, mark }) => decodeJson(payload, mark),
  }
}
