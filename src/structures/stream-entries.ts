import { HitherError } from '../errors.ts'
import type { Wire } from '../store/transport.ts'
import { type Place, textOrAbsent, toList, toPairs, toText } from './place.ts'

/** An entry of a stream: its id (`<milliseconds>-<number>`, rising) and what was appended. */
export interface StreamEntry<T> {
  readonly id: string
  readonly value: T
}

/** The field of an entry that holds the value. */
export const FIELD = 'v'

/** Of a reply of XREAD or XREADGROUP, about one stream. */
export function firstStream(reply: Wire): Wire {
  return toPairs(reply)[0]?.[1] ?? null
}

/** Decodes entries; those that were deleted while they were pending are left out. */
export async function openEntries<T>(place: Place<T>, rows: readonly Wire[]): Promise<StreamEntry<T>[]> {
  const found: Promise<StreamEntry<T>>[] = []
  for (const row of rows) {
    const [id, fields] = toList(row)
    if (fields === null || fields === undefined) continue
    const text = toPairs(fields).find(([name]) => String(name) === FIELD)?.[1]
    found.push(openEntry(place, toText(id ?? null), textOrAbsent(text ?? null)))
  }
  return Promise.all(found)
}

async function openEntry<T>(place: Place<T>, id: string, text: string | undefined): Promise<StreamEntry<T>> {
  if (text === undefined) throw new HitherError('WRONG_TYPE', `an entry of this stream has no field ${FIELD}`)
  return { id, value: await place.value(text) }
}
