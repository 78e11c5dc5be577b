import { checkFlag, checkNames, checkWhole, invalid } from '../protocol/arguments.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import type { Call } from '../store/store.ts'
import type { Wire } from '../store/transport.ts'
import {
  checkList,
  checkOptions,
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
  /** Keeps only this many of the newest entries, the appended one included. @default all */
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
  /** Reads only entries newer than this id. @default the start */
  readonly after?: string
  /** @default 100 */
  readonly limit?: number
  /** How long to wait for an entry, over TCP; elsewhere rejects with `UNSUPPORTED`. @default no wait */
  readonly wait?: Duration
}

/** Entries in the order in which they were appended, under one key. */
export interface Stream<T> extends Lifetime, AsyncIterable<StreamEntry<T>> {
  /** Resolves to the id of the entry. */
  append(value: T, options?: AppendOptions): Promise<string>
  range(range?: StreamRange, call?: Call): Promise<StreamEntry<T>[]>
  /** The entries newer than an id; empty when there are none, or none came in time. */
  read(options?: StreamReadOptions): Promise<StreamEntry<T>[]>
  /** Resolves to how many entries were deleted. */
  delete(ids: readonly string[], call?: Call): Promise<number>
  /** Keeps only this many of the newest entries, or the entries from an id on. Resolves to how many entries were deleted. */
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
  const { read, write, lifetime } = place
  const entries = (reply: Wire): Promise<StreamEntry<T>[]> => openEntries(place, toList(reply))
  return {
    ...lifetime,
    async append(value, options) {
      checkOptions('append', options, ['maxLength'])
      const { maxLength, ...call } = options ?? {}
      const bound = maxLength === undefined ? [] : ['MAXLEN', '=', checkWhole(maxLength, 'maxLength', 0)]
      return write('XADD', [...bound, '*', FIELD, place.text(value)], toText, call)
    },
    async range(range, call) {
      checkNames('range', range, ['from', 'to', 'reverse', 'limit'])
      const { from = '-', to = '+', reverse = false, limit } = range ?? {}
      checkFlag(reverse, 'reverse')
      const ends = [from === '-' ? from : checkId(from), to === '+' ? to : checkId(to)]
      const count = limit === undefined ? [] : ['COUNT', checkWhole(limit, 'limit', 1)]
      return reverse
        ? read('XREVRANGE', [...ends.reverse(), ...count], entries, call)
        : read('XRANGE', [...ends, ...count], entries, call)
    },
    async read(options) {
      checkOptions('read', options, ['after', 'limit', 'wait'])
      const { after = '0', limit = 100, wait, ...call } = options ?? {}
      const head = ['XREAD', 'COUNT', checkWhole(limit, 'limit', 1)]
      const open = (reply: Wire): Promise<StreamEntry<T>[]> => entries(firstStream(reply))
      if (wait === undefined) return read([...head, 'STREAMS'], [checkId(after)], open, call)
      const waitMs = toMs(wait, 'wait')
      const verb = [...head, 'BLOCK', waitMs, 'STREAMS']
      return place.wait({ waitMs, verb, parts: [checkId(after)] }, open, call)
    },
    delete: async (ids, call) => (checkList(ids).length === 0 ? 0 : write('XDEL', ids.map(checkId), toNumber, call)),
    async trim(to, call) {
      checkNames('trim', to ?? null, ['maxLength', 'fromId'])
      if ('maxLength' in to && 'fromId' in to) throw invalid('trim takes maxLength or fromId, not both')
      const bound =
        'maxLength' in to
          ? ['MAXLEN', '=', checkWhole(to.maxLength, 'maxLength', 0)]
          : ['MINID', '=', checkId(to.fromId)]
      return write('XTRIM', bound, toNumber, call)
    },
    size: (call) => read('XLEN', [], toNumber, call),
    group: (name, options) => groupAt(place, name, options),
    async *[Symbol.asyncIterator]() {
      // Entries that are appended meanwhile are left out: otherwise a stream that grows faster than it is read has no end.
      const newest = (rows: Wire): string => String(toList(toList(rows)[0] ?? null)[0] ?? '-')
      let [page, end] = await Promise.all([
        read('XRANGE', ['-', '+', 'COUNT', PAGE], entries),
        read('XREVRANGE', ['+', '-', 'COUNT', 1], newest),
      ])
      for (;;) {
        yield* page
        const last = page.at(-1)
        if (!last || page.length < PAGE) return
        page = await read('XRANGE', [`(${last.id}`, end, 'COUNT', PAGE], entries)
      }
    },
  }
}

function checkId(id: string): string {
  if (typeof id === 'string' && ID.test(id)) return id
  throw invalid('an id of a stream is <milliseconds>-<number>')
}
