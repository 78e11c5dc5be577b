import { addWrapped, type Int, parseUint64 } from './numbers.ts'
import { fail } from './reply.ts'
import { SortedMap } from './sorted-map.ts'

/** The id of an entry as 16 bytes: milliseconds and sequence number, highest byte first. */
export type StreamId = string

const MAX_64 = 2n ** 64n - 1n
export const MIN_ID: StreamId = '\0'.repeat(16)
export const MAX_ID: StreamId = '\xff'.repeat(16)
export const INVALID_ID = 'ERR Invalid stream ID specified as stream command argument'

function packNumber(value: bigint): string {
  let text = ''
  for (let shift = 56n; shift >= 0n; shift -= 8n) text += String.fromCharCode(Number((value >> shift) & 255n))
  return text
}
/** Packs both halves in one call. Two texts would be joined only when they are first compared, which costs more. */
function packSmall(ms: number, sequence: number): StreamId {
  const msHigh = Math.floor(ms / 2 ** 32)
  const sequenceHigh = Math.floor(sequence / 2 ** 32)
  return String.fromCharCode(
    0,
    (msHigh >> 16) & 255,
    (msHigh >> 8) & 255,
    msHigh & 255,
    (ms >>> 24) & 255,
    (ms >>> 16) & 255,
    (ms >>> 8) & 255,
    ms & 255,
    0,
    (sequenceHigh >> 16) & 255,
    (sequenceHigh >> 8) & 255,
    sequenceHigh & 255,
    (sequence >>> 24) & 255,
    (sequence >>> 16) & 255,
    (sequence >>> 8) & 255,
    sequence & 255,
  )
}

export function makeId(ms: number | bigint, sequence: number | bigint): StreamId {
  return ms <= Number.MAX_SAFE_INTEGER && sequence <= Number.MAX_SAFE_INTEGER
    ? packSmall(Number(ms), Number(sequence))
    : packNumber(BigInt(ms)) + packNumber(BigInt(sequence))
}

function unpack(text: string, at: number): bigint | number {
  let high = 0
  let low = 0
  for (let i = at; i < at + 4; i++) high = high * 256 + text.charCodeAt(i)
  for (let i = at + 4; i < at + 8; i++) low = low * 256 + text.charCodeAt(i)
  return high < 2 ** 21 ? high * 2 ** 32 + low : (BigInt(high) << 32n) + BigInt(low)
}
export const millisecondsOf = (id: StreamId): number | bigint => unpack(id, 0)
export const formatId = (id: StreamId): string => `${unpack(id, 0)}-${unpack(id, 8)}`

/** Parses `5`, `5-1`, `-` and `+`. `sequence` is used for an id without one. Throws an error reply. */
export function parseId(text: string, sequence: bigint = 0n, strict = false): StreamId {
  if (!strict && text === '-') return MIN_ID
  if (!strict && text === '+') return MAX_ID
  const at = text.indexOf('-')
  const ms = parseUint64(at < 0 ? text : text.slice(0, at))
  const number = at < 0 ? sequence : parseUint64(text.slice(at + 1))
  return ms === undefined || number === undefined ? fail(INVALID_ID) : makeId(ms, number)
}

const step = (id: StreamId, by: bigint): StreamId | undefined => {
  const value = (BigInt(unpack(id, 0)) << 64n) + BigInt(unpack(id, 8)) + by
  if (value < 0n || value >= 1n << 128n) return undefined
  return makeId(value >> 64n, value & MAX_64)
}
export function idAfter(id: StreamId): StreamId | undefined {
  const ms = unpack(id, 0)
  const sequence = unpack(id, 8)
  return typeof ms === 'number' && typeof sequence === 'number' ? packSmall(ms, sequence + 1) : step(id, 1n)
}
export const idBefore = (id: StreamId): StreamId | undefined => step(id, -1n)

/** An entry that was delivered to a consumer and not acknowledged yet. */
export interface Pending {
  consumer: Consumer
  deliveredMs: number
  count: number
}
export interface Consumer {
  readonly name: string
  seenMs: number
  activeMs: number
  readonly pending: SortedMap<Pending>
}
export interface Group {
  lastId: StreamId
  /** Number of entries that the group has read; undefined if that cannot be known. */
  entriesRead: Int | undefined
  readonly pending: SortedMap<Pending>
  readonly consumers: Map<string, Consumer>
}

export const createGroup = (lastId: StreamId, entriesRead: Int | undefined): Group => ({
  lastId,
  entriesRead,
  pending: new SortedMap(),
  consumers: new Map(),
})

/** Entries by their ids. In each, names and values alternate. */
export class Stream extends SortedMap<readonly string[]> {
  lastId: StreamId = MIN_ID
  maxDeletedId: StreamId = MIN_ID
  entriesAdded: Int = 0
  readonly groups: Map<string, Group> = new Map()
  bytes = 0

  append(id: StreamId, fields: readonly string[]): void {
    this.set(id, fields)
    this.lastId = id
    this.entriesAdded = addWrapped(this.entriesAdded, 1)
    for (const field of fields) this.bytes += field.length
  }
  /** Removes an entry, for a delete or a trim. */
  drop(id: StreamId): boolean {
    const fields = this.get(id)
    if (!fields) return false
    for (const field of fields) this.bytes -= field.length
    return this.delete(id)
  }
  /** Drops entries from the first on while there are more than `length`, or ids are below `minId`; at most `limit`. */
  trim(length: number | undefined, minId: StreamId | undefined, limit: number): number {
    let dropped = 0
    for (let id = this.first(); id !== undefined && dropped < limit; id = this.first()) {
      if (length !== undefined ? this.size <= length : id >= (minId as StreamId)) break
      this.drop(id)
      dropped++
    }
    return dropped
  }
}

/** Number of entries that were added up to an id; undefined if that cannot be known. */
export function addedUpTo(stream: Stream, id: StreamId): Int | undefined {
  const { entriesAdded, size, lastId, maxDeletedId } = stream
  if (entriesAdded === 0) return 0
  if (size === 0 && id <= lastId) return entriesAdded
  if (id !== MIN_ID && id < maxDeletedId) return undefined
  if (id >= lastId) return id === lastId ? entriesAdded : undefined
  const first = stream.first() ?? MIN_ID
  if (maxDeletedId !== MIN_ID && maxDeletedId >= first) return undefined
  if (id > first) return undefined
  return addWrapped(entriesAdded, (id < first ? 0 : 1) - size)
}

/** Whether an entry was deleted at or after an id, while an entry before the deleted one still exists. */
export function hasGapsFrom(stream: Stream, id: StreamId): boolean {
  const { size, maxDeletedId } = stream
  return size > 0 && maxDeletedId !== MIN_ID && (stream.first() ?? MIN_ID) <= maxDeletedId && id <= maxDeletedId
}
