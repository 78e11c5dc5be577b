// Consumers of a stream that share its entries. `consume` is the loop of one consumer. Each round it asks its source for
// entries, moves poisoned ones to their own stream, and yields the rest. `stream-source.ts` chooses what to read: (1) this
// consumer's own pending entries, at its start and again after an error; (2) every `claimAfter / 2`, entries that others left
// pending; (3) new entries, waiting on the server over TCP. When nothing comes and the source cannot wait, and
// after an error that may pass, the loop sleeps for a pause that grows. While the loop's caller works on one entry, the others
// that were read with it wait in `rows`: the source keeps other consumers from taking them over.
import { isHitherError } from '../errors.ts'
import { checkFunction, checkNames, checkOneOf, checkSignal, checkWhole, invalid } from '../protocol/arguments.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { sleep } from '../runtime/clock.ts'
import type { Call } from '../store/store.ts'
import { checkList, isOne, type Place, placeOf, toList, toNumber, toPairs, toText } from './place.ts'
import { FIELD, type StreamEntry } from './stream-entries.ts'
import { type Consumer, createSource, type Delivered, type Group, refusalOf } from './stream-source.ts'

export interface StreamGroupOptions {
  /** Where a new group begins: at the first entry, or at the first one that is appended from now on. @default 'start' */
  readonly from?: 'start' | 'now'
}

export interface ConsumeOptions {
  /** Names this consumer; only one at a time may run under a name. It first gets the entries that it left unacknowledged. */
  readonly consumer: string
  /**
   * Takes over entries that another consumer has left unacknowledged for this long. Should be the same for all consumers of a
   * group, and at least twice as long as the work on one entry takes. @default never
   */
  readonly claimAfter?: Duration
  /** Entries asked for at once. @default 16 */
  readonly batch?: number
  /** Ends the loop before its next entry; it then rejects with the signal's reason. */
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

const isPassing = (error: unknown): boolean => PASSING.test(refusalOf(error)?.reply ?? '')

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
  /** Entries that were read and not yielded yet. */
  let rows: Delivered<T>[] = []
  for (;;) {
    signal?.throwIfAborted()
    try {
      if (rows.length > 0) rows = await source.keep(rows)
      else {
        const read = await source.next()
        rows = poison ? await moveAway(group, read, poison, settings.call) : read
      }
    } catch (error) {
      if (signal?.aborted) throw signal.reason
      // A TIMEOUT of a command that must not be sent twice is not `retryable`. The loop may continue all the same.
      if (!isHitherError(error) || !(error.retryable || error.code === 'TIMEOUT' || isPassing(error))) throw error
      onError?.(error)
      // The lost reply may have delivered entries. They are pending now, and are read first. `rows` are not read again unless `keep`
      // may have run, since each read counts as a delivery.
      if (rows.length === 0 || error.maybeExecuted) {
        rows = []
        source.restart()
      }
      await sleep(pauseMs, signal)
      pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)
      continue
    }
    const row = rows.shift()
    if (row || source.waits()) pauseMs = FIRST_PAUSE_MS
    if (row) {
      if (!('value' in row)) throw row.error
      const { id, value, deliveries } = row
      yield { id, value, deliveries, ack: async (call) => (await group.ack([id], call)) === 1 }
    } else if (!source.waits()) {
      await sleep(pauseMs, signal)
      pauseMs = Math.min(pauseMs * 2, LAST_PAUSE_MS)
    }
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
