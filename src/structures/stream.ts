import { HitherError } from '../errors.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import type { Call } from '../store/store.ts'
import type { Wire } from '../store/transport.ts'
import {
  type Args,
  checkWhole,
  type Lifetime,
  type Place,
  placeOf,
  type StructureSpace,
  toList,
  toNumber,
  toText,
} from './place.ts'
import { FIELD, firstStream, openEntries, type StreamEntry } from './stream-entries.ts'
import { groupAt, type StreamGroup, type StreamGroupOptions } from './stream-group.ts'

export interface AppendOptions extends Call {
  /** Keeps the newest so many entries, this one among them. @default all */
  readonly maxLength?: number
}

export interface StreamRange {
  /** First and last id, both included. @default the whole stream */
  readonly from?: string
  readonly to?: string
  /** Newest first. @default false */
  readonly reverse?: boolean
  /** @default all */
  readonly limit?: number
}

export interface StreamReadOptions extends Call {
  /** Only what is newer than this id. @default the start */
  readonly after?: string
  /** @default 100 */
  readonly limit?: number
  /** Waits for an entry for so long, over TCP; elsewhere `UNSUPPORTED`. @default no wait */
  readonly wait?: Duration
}

/** Entries in the order in which they were appended, under one key. */
export interface Stream<T> extends Lifetime, AsyncIterable<StreamEntry<T>> {
  /** Resolves to the id of the entry. */
  append(value: T, options?: AppendOptions): Promise<string>
  range(range?: StreamRange, call?: Call): Promise<StreamEntry<T>[]>
  /** What is newer than an id; empty when there is nothing, or nothing came in time. */
  read(options?: StreamReadOptions): Promise<StreamEntry<T>[]>
  /** Resolves to how many there were. */
  delete(ids: readonly string[], call?: Call): Promise<number>
  /** Keeps the newest so many, or those from an id on. Resolves to how many were deleted. */
  trim(to: { readonly maxLength: number } | { readonly fromId: string }, call?: Call): Promise<number>
  size(call?: Call): Promise<number>
  /** A group of consumers that share the entries of this stream. Sends nothing. */
  group(name: string, options?: StreamGroupOptions): StreamGroup<T>
  /** Pages through the stream as it is now, oldest first. */
  [Symbol.asyncIterator](): AsyncIterator<StreamEntry<T>>
}

/** A stream at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function stream<T = unknown>(space: StructureSpace, key: string): Stream<T> {
  return streamAt(placeOf<T>(space, key))
}

const PAGE = 200
const ID = /^\d{1,20}(-\d{1,20})?$/

export function streamAt<T>(place: Place<T>): Stream<T> {
  const { key, read, write, encoded, lifetime } = place
  const entries = (reply: Wire): Promise<StreamEntry<T>[]> => openEntries(place, toList(reply))
  const range: Stream<T>['range'] = async ({ from, to, reverse, limit } = {}, call) => {
    const ends = [checkId(from) ?? '-', checkId(to) ?? '+']
    const args: (string | number)[] = reverse ? ['XREVRANGE', key, ...ends.reverse()] : ['XRANGE', key, ...ends]
    if (limit !== undefined) args.push('COUNT', checkWhole(limit, 'limit', 1))
    return read(args, entries, call)
  }
  return {
    ...lifetime,
    async append(value, { maxLength, ...call } = {}) {
      const bound = maxLength === undefined ? [] : ['MAXLEN', '=', checkWhole(maxLength, 'maxLength', 0)]
      const args = encoded([value], ([text = '']): Args => ['XADD', key, ...bound, '*', FIELD, text])
      return write(args, toText, call)
    },
    range,
    async read({ after = '0', limit = 100, wait, ...call } = {}) {
      const count = checkWhole(limit, 'limit', 1)
      const rest = ['STREAMS', key, checkId(after) as string]
      const open = (reply: Wire): Promise<StreamEntry<T>[]> => entries(firstStream(reply))
      if (wait === undefined) return read(['XREAD', 'COUNT', count, ...rest], open, call)
      const waitMs = toMs(wait, 'wait')
      return place.wait(waitMs, ['XREAD', 'COUNT', count, 'BLOCK', waitMs, ...rest], open, call)
    },
    async delete(ids, call) {
      return ids.length === 0 ? 0 : write(['XDEL', key, ...ids.map((id) => checkId(id) as string)], toNumber, call)
    },
    async trim(to, call) {
      const how: Args =
        'maxLength' in to
          ? ['MAXLEN', '=', checkWhole(to.maxLength, 'maxLength', 0)]
          : ['MINID', '=', checkId(to.fromId) as string]
      return write(['XTRIM', key, ...how], toNumber, call)
    },
    size: async (call) => read(['XLEN', key], toNumber, call),
    group: (name, options) => groupAt(place, name, options),
    async *[Symbol.asyncIterator]() {
      for (let from = '-'; ; ) {
        const page = await read(['XRANGE', key, from, '+', 'COUNT', PAGE], entries)
        yield* page
        const last = page.at(-1)
        if (!last || page.length < PAGE) return
        from = `(${last.id}`
      }
    },
  }
}

function checkId(id: string | undefined): string | undefined {
  if (id === undefined || ID.test(id)) return id
  throw new HitherError('INVALID_ARGUMENT', 'an id of a stream is <milliseconds>-<number>')
}
