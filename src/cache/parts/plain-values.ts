import { decodePlain, encodePlain } from '../../protocol/plain-json.ts'
import type { ValueForm } from '../value-form.ts'

/** Plain JSON and no more: the form of values in `hither/mini` without `codec`. */
export const plainValues: ValueForm = {
  marks: 'ij',
  encode: encodePlain,
  decode: ({ payload, mark }) => decodePlain(payload, mark),
}
