// Consumers of a stream that share its entries. `consume` is the loop of one consumer. Each round it asks its source for
// entries, moves poisoned ones to their own stream, and yields the rest. `createSource` chooses what to read: (1) this
// consumer's own pending entries, at its start and again after an error; (2) every `claimAfter / 2`, entries that others left
// pending; (3) new entries, waiting on the server over TCP. When nothing comes and the source cannot wait, and
// after an error that may pass, the loop sleeps for a pause that grows.
import { isHitherError, StoreRejectedError } from '../errors.ts'
import { checkFunction, checkNames, checkOneOf, checkSignal, checkWhole, invalid } from '../protocol/arguments.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { now, sleep } from '../runtime/clock.ts'
import type { Call } from '../store/store.ts'
import type { Wire } from '../store/transport.ts'
import { checkList, isOne, type Place, placeOf, toList, toNumber, toPairs, toText } from './place.ts'
import { type EntryRow, FIELD, firstStream, openRows, type StreamEntry } from './stream-entries.ts'

export interface StreamGroupOptions {
  /** Where a new group begins: at the first entry, or at the first one that is appended from now on. @default 'start' */
  readonly from?: 'start' | 'now'
}

export interface ConsumeOptions {
  /** Names this consumer; only one at a time may run under a name. It first gets the entries that it left unacknowledged. */
  readonly consumer: string
  /** Takes over entries that another consumer has left unacknowledged for this long. @default never */
  readonly claimAfter?: Duration
  /** Entries asked for at once. @default 16 */
  readonly batch?: number
  /** Ends the loop, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal
  /**
   * Moves an entry that was delivered more than `after` times to the stream at the key `to`, and acknowledges it. An entry that
   * this codec cannot read is moved at once, unchanged; without `poison` it ends the loop with `WRONG_TYPE`. @default never
   */
  readonly poison?: { readonly after: number; readonly to: string }
  /**
   * Called with each error that may pass: the store does not reply, or refuses commands for a while, as in a failover. The loop
   * continues after a pause.
   */
  readonly onError?: (error: unknown) => void
}

/** An entry that was delivered to one consumer of a group. */
export interface GroupEntry<T> extends StreamEntry<T> {
  /** How often the entry was delivered, this time included. Above 1, it may have been processed before. */
  readonly deliveries: number
  /** Acknowledges the entry, so that it is not delivered again. Resolves to false if it was acknowledged already. */
  ack(call?: Call): Promise<boolean>
}

/** The entries that were delivered and not acknowledged yet. */
export interface PendingSummary {
  readonly count: number
  readonly oldestId: string | undefined
  readonly newestId: string | undefined
  /** How many entries are pending, by the name of the consumer. */
  readonly consumers: ReadonlyMap<string, number>
}

/** Consumers that share a stream: each entry goes to one of them, and is delivered again until it is acknowledged. */
export interface StreamGroup<T> {
  /** Creates the group, and if needed an empty stream. Resolves to false if the group exists already. `consume` calls this. */
  create(call?: Call): Promise<boolean>
  /**
   * Yields entries one after another, without an end, each at least once: an entry that is not acknowledged is delivered again,
   * to this consumer at its next start or after an error of the store, to another after its `claimAfter`. Over TCP the loop
   * waits on the server; elsewhere it polls, with a pause that grows from 50 ms to 2 s while nothing comes. During an outage of
   * the store it keeps trying, with the same pauses.
   */
  consume(options: ConsumeOptions): AsyncIterableIterator<GroupEntry<T>>
  /** Counts the pending entries; 0 if there is no such group. */
  pending(call?: Call): Promise<PendingSummary>
  /** How many entries were not delivered to the group yet; `undefined` if the server does not know, or there is no such group. */
  lag(call?: Call): Promise<number | undefined>
  /** Acknowledges entries. Resolves to how many of them were pending. */
  ack(ids: readonly string[], call?: Call): Promise<number>
  /** Deletes the group with its list of pending entries; the stream stays. Resolves to whether there was a group. */
  destroy(call?: Call): Promise<boolean>
}

const FIRST_PAUSE_MS = 50
const LAST_PAUSE_MS = 2000
/** Refusals of a server that pass: it loads, fails over, or is full. */
const PASSING = /^(LOADING|READONLY|UNBLOCKED|MASTERDOWN|NOREPLICAS|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|MISCONF)$/
/** Longest wait on the server in one command: short, so that entries of dead consumers can be claimed in between. */
const WAIT_MS = 5000

export function groupAt<T>(place: Place<T>, name: string, options: StreamGroupOptions = {}): StreamGroup<T> {
  checkName(name, 'a group')
  checkNames('group', options, ['from'])
  const { from = 'start' } = options
  checkOneOf(from, 'from', ['start', 'now'])
  const { read, write } = place
  const create = async (call?: Call): Promise<boolean> => {
    try {
      await write(['XGROUP', 'CREATE'], [name, from === 'now' ? '$' : '0', 'MKSTREAM'], toText, call)
      return true
    } catch (error) {
      if (refusalOf(error)?.reply === 'BUSYGROUP') return false
      throw error
    }
  }
  const ack: StreamGroup<T>['ack'] = async (ids, call) =>
    checkList(ids).length === 0 ? 0 : write('XACK', [name, ...ids], toNumber, call)
  const group: StreamGroup<T> = {
    create,
    ack,
    consume: (options) => consume({ place, name, create, ack }, options),
    async pending(call) {
      const [count = 0, oldest, newest, consumers] = await orAbsent(read('XPENDING', [name], toList, call), [])
      return {
        count: Number(count),
        oldestId: oldest ? String(oldest) : undefined,
        newestId: newest ? String(newest) : undefined,
        consumers: new Map(toPairs(consumers ?? null).map(([consumer, held]) => [String(consumer), Number(held)])),
      }
    },
    async lag(call) {
      const groups = await orAbsent(read(['XINFO', 'GROUPS'], [], toList, call), [])
      for (const row of groups) {
        const facts = new Map(toPairs(row).map(([fact, value]) => [String(fact), value]))
        if (String(facts.get('name')) === name) {
          const lag = facts.get('lag')
          return lag === null || lag === undefined ? undefined : Number(lag)
        }
      }
      return undefined
    },
    destroy: (call) => orAbsent(write(['XGROUP', 'DESTROY'], [name], isOne, call), false),
  }
  return group
}

/** Resolves to `absent` when the server replies that the group, or the key of its stream, does not exist. */
async function orAbsent<R>(asked: Promise<R>, absent: R): Promise<R> {
  try {
    return await asked
  } catch (error) {
    if (/: (NOGROUP|ERR no such|ERR The XGROUP)/.test(refusalOf(error)?.message ?? '')) return absent
    throw error
  }
}

/** The refusal of the server in an error, or in the cause of a transaction's error. */
function refusalOf(error: unknown): StoreRejectedError | undefined {
  return [error, (error as Error | undefined)?.cause].find((one) => one instanceof StoreRejectedError)
}

function orNoGroup(error: unknown): undefined {
  if (refusalOf(error)?.reply !== 'NOGROUP') throw error
}

const isPassing = (error: unknown): boolean => PASSING.test(refusalOf(error)?.reply ?? '')

interface Group<T> extends Pick<StreamGroup<T>, 'create' | 'ack'> {
  readonly place: Place<T>
  readonly name: string
}

/** The checked options of `consume`, durations in milliseconds. */
interface Consumer {
  readonly consumer: string
  readonly claimMs: number | undefined
  readonly count: number
  readonly call: Call
}

async function* consume<T>(group: Group<T>, options: ConsumeOptions): AsyncGenerator<GroupEntry<T>, void, undefined> {
  checkNames('consume', options ?? null, ['consumer', 'claimAfter', 'batch', 'signal', 'poison', 'onError'])
  const { signal, poison, onError } = options
  checkFunction(onError, 'onError')
  checkSignal(signal)
  const settings: Consumer = {
    consumer: checkName(options.consumer, 'a consumer'),
    claimMs: options.claimAfter === undefined ? undefined : toMs(options.claimAfter, 'claimAfter'),
    count: checkWhole(options.batch ?? 16, 'batch', 1),
    call: signal ? { signal } : {},
  }
  if (poison !== undefined) {
    checkNames('poison', poison, ['after', 'to'])
    checkWhole(poison.after, 'poison.after', 1)
    // An unreadable entry that is moved to its own stream would be delivered again at once, for ever.
    if (group.place.keyOf(poison.to) === group.place.stored) throw invalid('poison.to is another stream')
  }
  const source = createSource(group, settings)
  let pauseMs = FIRST_PAUSE_MS
  for (;;) {
    signal?.throwIfAborted()
    let rows: Delivered<T>[]
    try {
      rows = await source.next()
      if (poison) rows = await moveAway(group, rows, poison, settings.call)
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      // A TIMEOUT of a command that must not be sent twice is not `retryable`. The loop may continue all the same.
      if (!isHitherError(error) || !(error.retryable || error.code === 'TIMEOUT' || isPassing(error))) throw error
      onError?.(error)
      // The lost reply may have delivered entries. They are pending now, and are read first.
      source.restart()
      await sleep(pauseMs, signal)
      pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)
      continue
    }
    for (const row of rows) {
      if (!('value' in row)) throw row.error
      const { id, value, deliveries } = row
      yield { id, value, deliveries, ack: async (call) => (await group.ack([id], call)) === 1 }
    }
    if (rows.length > 0 || source.waits()) pauseMs = FIRST_PAUSE_MS
    else {
      await sleep(pauseMs, signal)
      pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)
    }
  }
}

type Delivered<T> = EntryRow<T> & Pick<GroupEntry<T>, 'deliveries'>

/** Where a consumer's entries come from: its own pending ones, then at times those that others left pending, then new ones. */
interface Source<T> {
  /** The next entries; empty where there are none at the moment. */
  next(): Promise<Delivered<T>[]>
  /** Begins again with the entries that this consumer has not acknowledged. */
  restart(): void
  /** Whether `next` waits on the server when there is nothing. */
  waits(): boolean
}

function createSource<T>(group: Group<T>, { consumer, claimMs, count, call }: Consumer): Source<T> {
  const { place, name } = group
  let { waits } = place
  const waitMs = Math.min(WAIT_MS, claimMs ?? WAIT_MS)
  /** The id after which this consumer's own pending entries are read; undefined when there are no more. */
  let ownAfter: string | undefined = '0'
  let claimFrom = '0-0'
  let claimAtMs = 0

  const readGroup = (after: string, block: boolean): Promise<Wire> => {
    const head = ['XREADGROUP', 'GROUP', name, consumer, 'COUNT', count]
    return block
      ? place.wait({ waitMs, verb: [...head, 'BLOCK', waitMs, 'STREAMS'], parts: [after] }, firstStream, call)
      : place.write([...head, 'STREAMS'], [after], firstStream, call)
  }
  /** Adds the delivery counts to entries that were delivered before: 2 (at least) where XPENDING no longer lists the entry. */
  const withDeliveries = async (reply: Wire): Promise<Delivered<T>[]> => {
    const entries = await openRows(place, toList(reply))
    const times = (id: string): Promise<number> =>
      place.read('XPENDING', [name, id, id, 1], (rows) => Number(toList(toList(rows)[0] ?? null)[3] ?? 2), call)
    // One XPENDING for each entry, since a range of ids may include others. They still share one round trip.
    const counts = await Promise.all(entries.map(({ id }) => times(id)))
    return entries.map((entry, i) => ({ ...entry, deliveries: counts[i] as number }))
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
    if (claimFrom === '0-0') claimAtMs = now() + idleMs / 2
    return withDeliveries(rows ?? null)
  }
  const next = async (): Promise<Delivered<T>[]> => {
    while (ownAfter !== undefined) {
      const entries = await own(ownAfter)
      if (entries.length > 0) return entries
    }
    if (claimMs !== undefined && now() >= claimAtMs) {
      const entries = await claim(claimMs)
      if (entries.length > 0) return entries
    }
    const fresh = await readGroup('>', waits).catch((error) => {
      // Over ioredis, a server that turns out to be a node of a Cluster supports no calls that wait.
      if (!waits || error.code !== 'UNSUPPORTED') throw error
      waits = false
      return readGroup('>', false)
    })
    return (await openRows(place, toList(fresh))).map((entry) => ({ ...entry, deliveries: 1 }))
  }
  return {
    waits: () => waits,
    restart: () => {
      ownAfter = '0'
    },
    async next() {
      const rows = await next().catch(orNoGroup)
      if (rows) return rows
      // The group is created only now, since a full server refuses XGROUP CREATE even for a group that exists.
      await group.create(call)
      // The stream may be deleted again meanwhile: the next call creates the group once more.
      return (await next().catch(orNoGroup)) ?? []
    },
  }
}

/**
 * Moves entries that were delivered too often or cannot be decoded; returns the rest. Appends first, then acknowledges: if the
 * process stops in between, the entry is in both streams rather than in neither.
 */
async function moveAway<T>(
  group: Group<T>,
  rows: readonly Delivered<T>[],
  { after, to }: NonNullable<ConsumeOptions['poison']>,
  call: Call,
): Promise<Delivered<T>[]> {
  const { text, write } = placeOf<T>(group.place.space, to)
  const rest: Delivered<T>[] = []
  for (const row of rows) {
    if ('value' in row && row.deliveries <= after) rest.push(row)
    else {
      // A codec may bind a text to its key, so the value is encoded again for the new key. An unreadable entry moves unchanged.
      const fields = 'value' in row ? [FIELD, text(row.value)] : row.fields
      await write('XADD', ['*', ...fields], toText, call)
      await group.ack([row.id], call)
    }
  }
  return rest
}

function checkName(name: string, what: string): string {
  if (typeof name === 'string' && name !== '') return name
  throw invalid(`${what} has a name, a string that is not empty`)
}
