import type { Client } from './contracts.ts'
import { childOf, findPlaces, type JsonPath, type Place, parsePath, valueAt } from './json-path.ts'
import { dumpJson, type Layout } from './json-text.ts'
import { fail, type Reply } from './reply.ts'
import { type Json, type JsonData, sizeOfJson } from './values.ts'

const MAX_BYTES = 512 * 1024 * 1024
const MAX_DEPTH = 128
const GONE = "ERR could not perform this operation on a key that doesn't exist"

export const documentAt = (client: Client, key: string): Json => client.json(key) ?? fail(GONE)

/** As `dumpJson`. Throws an error reply if the text would exceed JavaScript's longest string. */
export function writeJson(data: JsonData, layout?: Layout): string {
  try {
    return dumpJson(data, layout)
  } catch (error) {
    if (error instanceof RangeError) fail('ERR the reply would be too long')
    throw error
  }
}

const depthOf = (data: JsonData): number => {
  let deepest = 0
  if (Array.isArray(data)) for (const item of data) deepest = Math.max(deepest, depthOf(item) + 1)
  else if (data instanceof Map) for (const item of data.values()) deepest = Math.max(deepest, depthOf(item) + 1)
  return deepest
}

/** Checks that a value may be written to each of these places, before any is written. Throws an error reply. */
export function checkRoom(places: readonly Place[], data: JsonData): void {
  const depth = places.reduce((most, place) => Math.max(most, place.length), 0) + depthOf(data)
  // A value nested deeper could be written but never read again, because reading it would overflow the stack.
  if (depth > MAX_DEPTH) fail('ERR recursion limit exceeded')
  if (places.length * sizeOfJson(data) > MAX_BYTES) fail('ERR the path finds more values than a command may work on')
}

/** Writes a value to a place, which exists or is a new name of an object. */
export function putAt(doc: Json, place: Place, value: JsonData): void {
  const key = place.at(-1)
  const parent = key === undefined ? undefined : valueAt(doc.root, place.slice(0, -1))
  if (key === undefined) doc.root = value
  else {
    const old = parent === undefined ? undefined : childOf(parent, key)
    if (old !== undefined) doc.bytes -= sizeOfJson(old)
    else if (typeof key === 'string') doc.bytes += key.length + 32
    if (Array.isArray(parent)) parent[key as number] = value
    else (parent as Map<string, JsonData>).set(key as string, value)
  }
  doc.bytes = key === undefined ? sizeOfJson(value) : doc.bytes + sizeOfJson(value)
}

const inOrder = (a: Place, b: Place): number => {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [x, y] = [a[i] as string | number, b[i] as string | number]
    if (x !== y) return x < y ? -1 : 1
  }
  return a.length - b.length
}
const isWithin = (place: Place, other: Place): boolean => other.every((key, i) => place[i] === key)

/** The places in order, without those inside another. */
export function outermost(places: readonly Place[]): Place[] {
  const tops: Place[] = []
  for (const place of [...places].sort(inOrder)) {
    const last = tops.at(-1)
    if (!last || !isWithin(place, last)) tops.push(place)
  }
  return tops
}

/** Removes the values at these places. Returns how many were removed; a value inside another one counts with that one. */
export function removeAt(doc: Json, places: readonly Place[]): number {
  const tops = outermost(places)
  // From the last to the first, so that the indexes of earlier places stay valid.
  for (const place of tops.reverse()) {
    const key = place.at(-1) as string | number
    const parent = valueAt(doc.root, place.slice(0, -1)) as JsonData[] | Map<string, JsonData>
    doc.bytes -= sizeOfJson(childOf(parent, key) as JsonData)
    if (Array.isArray(parent)) parent.splice(key as number, 1)
    else {
      doc.bytes -= (key as string).length + 32
      parent.delete(key as string)
    }
  }
  return tops.length
}

interface Visit {
  readonly key: string
  readonly path: string
  /** How the error message ends when a legacy path finds no value of the right type: `not an array`. */
  readonly otherwise: string
  /** Returns the reply for one value; undefined if the value has another type. */
  readonly reply: (value: JsonData, doc: Json, place: Place) => Reply | undefined
}

const noSuch = (path: JsonPath, otherwise: string): never =>
  fail(`ERR Path '${path.text}' does not exist or ${otherwise}`)

/** Changes each value that a path finds. Returns an array of replies, or for a legacy path the last reply. */
export function changeEach(client: Client, event: string, { key, path: text, otherwise, reply }: Visit): Reply {
  const path = parsePath(text)
  const doc = documentAt(client, key)
  let isChanged = false
  const replies: (Reply | undefined)[] = []
  try {
    for (const place of findPlaces(doc.root, path.steps)) {
      const value = valueAt(doc.root, place)
      const one = value === undefined ? undefined : reply(value, doc, place)
      isChanged ||= one !== undefined && one !== null
      replies.push(one)
    }
  } finally {
    // In `finally`, because one value may have been changed before the next is refused.
    if (isChanged) client.changed(key, 'd', event)
  }
  if (!path.isLegacy) return replies.map((one) => one ?? null)
  const found = replies.filter((one) => one !== undefined)
  return found.length > 0 ? (found.at(-1) as Reply) : noSuch(path, otherwise)
}

/** Reads each value that a path finds. A legacy path reads the first value, and returns null if the key does not exist. */
export function askEach(client: Client, { key, path: text, otherwise, reply }: Visit): Reply {
  const path = parsePath(text)
  const doc = client.json(key)
  if (!doc) return path.isLegacy ? null : fail(GONE)
  const places = findPlaces(doc.root, path.steps)
  const ask = (place: Place): Reply | undefined => reply(valueAt(doc.root, place) as JsonData, doc, place)
  if (!path.isLegacy) return places.map((place) => ask(place) ?? null)
  const first = places[0]
  return (first && ask(first)) ?? noSuch(path, otherwise)
}
