import { StoreRejectedError } from '../errors.ts'
import { elapsedMs } from '../runtime/clock.ts'
import type { Call } from '../store/store.ts'
import type { Wire } from '../store/transport.ts'
import { type Place, toList } from './place.ts'
import { type EntryRow, firstStream, openRows } from './stream-entries.ts'

/** Longest wait on the server in one command: short, so that entries of dead consumers can be claimed in between. */
const WAIT_MS = 5000
/** The part of `claimAfter` within which no other consumer takes over an entry, even if this one saw late that it was read. */
const SURELY_OURS = 0.75

/** A group, as its consumers use it. */
export interface Group<T> {
  readonly place: Place<T>
  readonly name: string
  create(call?: Call): Promise<boolean>
  ack(ids: readonly string[], call?: Call): Promise<number>
}

/** The checked options of `consume`, durations in milliseconds. */
export interface Consumer {
  readonly consumer: string
  readonly claimMs: number | undefined
  readonly count: number
  readonly call: Call
}

/** An entry as it was delivered to a consumer, and how often it was, this time included. */
export type Delivered<T> = EntryRow<T> & { readonly deliveries: number }

/** Where a consumer's entries come from: its own pending ones, then at times those that others left pending, then new ones. */
export interface Source<T> {
  /** The next entries; empty where there are none at the moment. */
  next(): Promise<Delivered<T>[]>
  /** Keeps others from taking over entries of the last `next`. Resolves to those that nobody has taken over or acknowledged. */
  keep(rows: Delivered<T>[]): Promise<Delivered<T>[]>
  /** Begins again with the entries that this consumer has not acknowledged. */
  restart(): void
  /** Whether `next` waits on the server when there is nothing. */
  waits(): boolean
}

export function createSource<T>(group: Group<T>, { consumer, claimMs, count, call }: Consumer): Source<T> {
  const { place, name } = group
  let { waits } = place
  const waitMs = Math.min(WAIT_MS, claimMs ?? WAIT_MS)
  /** The id after which this consumer's own pending entries are read; undefined when there are no more. */
  let ownAfter: string | undefined = '0'
  let claimFrom = '0-0'
  /** When to claim next, and since when the entries of the last `next` are idle, by the `elapsedMs` clock. */
  let claimAtMs = 0
  let idleSinceMs = 0

  const readGroup = (after: string, block: boolean): Promise<Wire> => {
    const head = ['XREADGROUP', 'GROUP', name, consumer, 'COUNT', count]
    return block
      ? place.wait({ waitMs, verb: [...head, 'BLOCK', waitMs, 'STREAMS'], parts: [after] }, firstStream, call)
      : place.write([...head, 'STREAMS'], [after], firstStream, call)
  }
  /** Adds the delivery counts to entries. Leaves out those that another has taken over or acknowledged meanwhile. */
  const withDeliveries = async (reply: Wire): Promise<Delivered<T>[]> => {
    const entries = await openRows(place, toList(reply))
    const pendingOf = (id: string): Promise<number[]> =>
      place.read(
        'XPENDING',
        [name, id, id, 1, consumer],
        (rows) =>
          toList(toList(rows)[0] ?? null)
            .slice(2)
            .map(Number),
        call,
      )
    // One XPENDING for each entry, since a range of ids may include others. They still share one round trip.
    const pending = await Promise.all(entries.map(({ id }) => pendingOf(id)))
    idleSinceMs = elapsedMs() - Math.max(0, ...pending.map(([idleMs = 0]) => idleMs))
    return entries.flatMap((entry, i) => {
      const [, deliveries] = pending[i] as number[]
      return deliveries === undefined ? [] : { ...entry, deliveries }
    })
  }
  const own = async (after: string): Promise<Delivered<T>[]> => {
    const reply = await readGroup(after, false)
    const rows = toList(reply)
    const lastRow = toList(rows.at(-1) ?? null)
    ownAfter = rows.length < count ? undefined : String(lastRow[0])
    // Entries that were deleted meanwhile cannot be delivered. Unless they are acknowledged, they stay pending for ever.
    const gone = rows.map(toList).flatMap(([id, fields]) => (fields ? [] : [String(id)]))
    await group.ack(gone, call)
    return withDeliveries(reply)
  }
  const claim = async (idleMs: number): Promise<Delivered<T>[]> => {
    const [next, rows] = await place.write(
      'XAUTOCLAIM',
      [name, consumer, idleMs, claimFrom, 'COUNT', count],
      toList,
      call,
    )
    claimFrom = String(next ?? '0-0')
    if (claimFrom === '0-0') claimAtMs = elapsedMs() + idleMs / 2
    return withDeliveries(rows ?? null)
  }
  const next = async (): Promise<Delivered<T>[]> => {
    while (ownAfter !== undefined) {
      const entries = await own(ownAfter)
      if (entries.length > 0) return entries
    }
    if (claimMs !== undefined && elapsedMs() >= claimAtMs) {
      const entries = await claim(claimMs)
      if (entries.length > 0) return entries
    }
    const sentMs = elapsedMs()
    const fresh = await readGroup('>', waits).catch((error) => {
      // Over ioredis, a server that turns out to be a node of a Cluster supports no calls that wait.
      if (!waits || error.code !== 'UNSUPPORTED') throw error
      waits = false
      return readGroup('>', false)
    })
    // This process may have stood still since the reply: others take over what it delivered, or will do so sooner.
    if (claimMs !== undefined && elapsedMs() - sentMs >= claimMs / 8) return withDeliveries(fresh)
    idleSinceMs = elapsedMs()
    return (await openRows(place, toList(fresh))).map((entry) => ({ ...entry, deliveries: 1 }))
  }
  return {
    waits: () => waits,
    restart: () => {
      ownAfter = '0'
    },
    async next() {
      let rows = await next().catch(orNoGroup)
      if (!rows) {
        // The group is created only now, since a full server refuses XGROUP CREATE even for a group that exists.
        await group.create(call)
        // The stream may be deleted again meanwhile: the next call creates the group once more.
        rows = await next().catch(orNoGroup)
      }
      return rows ?? []
    },
    async keep(rows) {
      const idleMs = elapsedMs() - idleSinceMs
      if (claimMs === undefined || idleMs < claimMs / 2) return rows
      // An entry that another has taken over, which it does after `claimMs`, has been idle for too short a time to be claimed,
      // unless this command is delayed by nearly `claimMs`.
      const least = Math.floor(idleMs - claimMs / 8)
      const ids = rows.map(({ id }) => id)
      const claiming = place.write('XCLAIM', [name, consumer, least, ...ids, 'JUSTID'], toList, call)
      const claimed = await claiming.catch(orNoGroup)
      idleSinceMs = elapsedMs()
      // The server also leaves out what was deleted or trimmed. So soon, that is all it leaves out: nobody has taken over any.
      if (claimed && idleMs < claimMs * SURELY_OURS) return rows
      const kept = new Set(claimed?.map(String))
      return rows.filter(({ id }) => kept.has(id))
    },
  }
}

/** The refusal of the server in an error, or in the cause of a transaction's error. */
export function refusalOf(error: unknown): StoreRejectedError | undefined {
  return [error, (error as Error | undefined)?.cause].find((one) => one instanceof StoreRejectedError)
}

function orNoGroup(error: unknown): undefined {
  if (refusalOf(error)?.reply !== 'NOGROUP') throw error
}
