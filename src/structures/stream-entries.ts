import { HitherError } from '../errors.ts'
import type { Wire } from '../store/transport.ts'
import { type Place, toList, toPairs, toText } from './place.ts'

/** An entry of a stream: its id (`<milliseconds>-<number>`, rising) and what was appended. */
export interface StreamEntry<T> {
  readonly id: string
  readonly value: T
}

/** The field of an entry that holds the value. */
export const FIELD = 'v'

/** The entries in the reply of an XREAD or XREADGROUP on one stream; null when there are none. */
export function firstStream(reply: Wire): Wire {
  return toPairs(reply)[0]?.[1] ?? null
}

/** An entry as it was delivered: with its decoded value, or with the error if it cannot be decoded. */
export type EntryRow<T> = {
  readonly id: string
  /** The names and texts of its fields, alternating. */
  readonly fields: readonly string[]
} & ({ readonly value: T; readonly error?: undefined } | { readonly error: unknown })

/** Decodes entries; leaves out those that were deleted while they were pending. */
export async function openRows<T>(place: Place<T>, rows: readonly Wire[]): Promise<EntryRow<T>[]> {
  const found: Promise<EntryRow<T>>[] = []
  for (const row of rows) {
    const [id, fields] = toList(row)
    if (fields !== null && fields !== undefined) found.push(openRow(place, toText(id ?? null), toPairs(fields)))
  }
  return Promise.all(found)
}

/** As `openRows`; rejects with `WRONG_TYPE` if an entry cannot be decoded. */
export async function openEntries<T>(place: Place<T>, rows: readonly Wire[]): Promise<StreamEntry<T>[]> {
  return (await openRows(place, rows)).map((row) => {
    if ('value' in row) return { id: row.id, value: row.value }
    throw row.error
  })
}

async function openRow<T>(place: Place<T>, id: string, pairs: readonly [Wire, Wire][]): Promise<EntryRow<T>> {
  const fields = pairs.flat().map(toText)
  const text = pairs.find(([name]) => String(name) === FIELD)?.[1]
  try {
    return { id, fields, value: await place.value(text ?? '') }
  } catch (cause) {
    return { id, fields, error: new HitherError('WRONG_TYPE', `entry ${id} was not written by this codec`, { cause }) }
  }
}
