import { HitherError } from '../errors.ts'
import { ownOf } from '../protocol/arguments.ts'
import { type Entry, NO_VALUE } from '../protocol/entry.ts'
import type { Reply } from '../protocol/operation.ts'
import { settledOrTimeout } from '../runtime/background.ts'
import { type Limit, within } from '../runtime/deadline.ts'
import { answerOf, orReportAsEvent, reportAsEvent } from './answer.ts'
import { lifeOf } from './engine.ts'
import type { Known } from './judge.ts'
import { detach as detachLoad, leaseOf } from './load/flight.ts'
import type { View } from './model.ts'
import { keepUnconfirmed } from './open.ts'
import { checkWrite, invalid, limitOf, SET, WRITE } from './options.ts'
import { readForCaller } from './read.ts'
import { endsInTime } from './reading.ts'
import { epochOf, versionsForWrite, writeStamped } from './stamped-write.ts'
import { bounded, commandCall, deleteKeys, nothing, runStep } from './store-calls.ts'
import { pendingFill } from './store-reads.ts'
import type { Captured, SetOptions, WriteOptions } from './types.ts'
import { type Coded, encodeValue } from './value-form.ts'
import type { Stamp } from './versions.ts'
import { aboutKey, storedKeys } from './view.ts'

export function set(view: View, key: string, value: unknown, options?: SetOptions): Promise<void> {
  return setMany(aboutKey(view, key), [[key, value]], options)
}

export async function setMany(
  view: View,
  entries: Iterable<readonly [key: string, value: unknown]>,
  given?: SetOptions,
): Promise<void> {
  const { core } = view
  const limit = limitOf(view, given, SET)
  const options: SetOptions = ownOf(given)
  checkWrite(options)
  if (typeof entries?.[Symbol.iterator] !== 'function') throw invalid('setMany takes pairs of a key and a value')
  const list = [...entries]
  if (!list.every(Array.isArray)) throw invalid('setMany takes pairs of a key and a value')
  // If a key appears twice, its last value counts.
  const pairs = [...new Map(list)]
  // If one of the keys or values is invalid, nothing is written.
  const targets = storedKeys(
    view,
    pairs.map(([key]) => key),
  )
  const life = lifeOf(core, options)
  const { tags } = options
  // A copy for a value that may be kept near: the caller may change its array before that.
  const names =
    options.onWriteFailure === 'event'
      ? [...(Array.isArray(tags) ? tags : ((tags as Captured | undefined)?.tags ?? []))]
      : []
  const ticket = core.near.begin()
  const writes = pairs.map(([key, value], i) => {
    const to = targets[i] as string
    return { key, to, coded: encodeValue(core.values, value, to), ticket }
  })
  let stamp = versionsForWrite(view, tags, life, limit)
  const parts = [stamp, ...writes.map(({ coded }) => bounded(core, coded, limit))]
  const ready = parts.some((part) => part instanceof Promise)
    ? Promise.all(parts).then(([made, ...all]) => {
        stamp = made as Stamp
        for (const [i, write] of writes.entries()) write.coded = all[i] as Coded
      })
    : undefined
  const one = async (write: (typeof writes)[number]): Promise<unknown> => {
    const { key, to, coded } = write
    try {
      return await writeStamped(aboutKey(view, key), to, { coded: coded as Coded, life, stamp: stamp as Stamp, limit })
    } catch (error) {
      write.ticket = core.near.begin()
      throw error
    }
  }
  const all = detachLoadsAndWrite(view, targets, () => Promise.allSettled(writes.map(one)), { limit, ready })
  // It rejects only before any write: a value could not be encoded, the versions could not be read, or the limit passed.
  const outcomes = await all.catch((reason: unknown) => writes.map(() => ({ status: 'rejected', reason }) as const))
  for (const [i, { key, coded, ticket }] of writes.entries()) {
    const outcome = outcomes[i]
    if (outcome?.status !== 'rejected') continue
    if (!reportAsEvent(aboutKey(view, key), options, outcome.reason)) throw outcome.reason
    const captured = epochOf(tags)
    // Not kept near: a version from `capture` may have ended since.
    if (captured !== undefined && captured !== core.versions.epoch) continue
    await keepUnconfirmed(view, key, { coded: await coded, life, tags: names, ticket })
  }
}

async function remove(from: View, keys: string | readonly string[], options?: WriteOptions): Promise<number> {
  const view = typeof keys === 'string' ? aboutKey(from, keys) : from
  const { core } = view
  const limit = limitOf(view, options, WRITE)
  checkWrite(options)
  const targets = storedKeys(view, typeof keys === 'string' ? [keys] : keys)
  const leases = targets.map((to) => leaseOf(core, to))
  const removeAll = (): Promise<number> => {
    const call = commandCall(core, limit)
    // A key that holds nothing but the lease of this process must not be counted: the release, earlier in the same wave,
    // removes it (unless the lease keeps the id of a dead entry).
    const operation = core.format.steps.repeat
    for (const [i, to] of targets.entries())
      if (leases[i]) runStep(core, { operation, key: to, args: ['release', '', leases[i]] }, call).catch(nothing)
    return answerOf(view, deleteKeys(core, targets, call), limit)
  }
  const removing = detachLoadsAndWrite(view, targets, removeAll, { limit, ready: undefined })
  return orReportAsEvent(view, options, removing, 0)
}

export { remove as delete }

/**
 * Detaches the running loads of these keys, then runs `work`, which writes the keys. Without leases `work` first waits for
 * loaded values that are on their way to the store: they could arrive after the write. `work` also waits for `ready`, and
 * keeps its place in the queue meanwhile.
 */
export function detachLoadsAndWrite<T>(
  { core }: View,
  targets: readonly string[],
  work: () => Promise<T>,
  { limit, ready }: { readonly limit: Limit; readonly ready: Promise<unknown> | undefined },
): Promise<T> {
  const { guardsFills } = core.format.leases
  // A write before this one may have detached the load and given up before the fill arrived.
  const detach = (): Promise<unknown>[] =>
    targets.flatMap((to) => detachLoad(core, to) ?? (guardsFills ? undefined : pendingFill(core, to)) ?? [])
  let fillings = detach()
  // Nobody else handles a rejection of `ready` if the call ends before its turn.
  ready?.catch(nothing)
  if (guardsFills && !ready && fillings.length === 0) return core.queue.run(targets, false, limit, work)
  return core.queue.run(targets, true, limit, async () => {
    if (ready) await within(ready, limit)
    // A load may have begun while something was awaited.
    for (fillings.push(...detach()); fillings.length > 0; fillings = detach())
      await within(settledOrTimeout(Promise.all(fillings)), limit)
    if (guardsFills) return work()
    try {
      return await work()
    } finally {
      // No lease makes the store refuse the fill of a load that has begun meanwhile.
      detach()
    }
  })
}

/** Runs a step after the read. It treats the entry with the id `deadId` as absent; `known` is what the read has found. */
type Step<T> = (storedKey: string, deadId: string, known?: Known) => Promise<T>

/** The result of a step that ran before any read: its reply, or what is known of the entry now. */
export type Tried = { readonly reply: Reply } | { readonly known: Known }
/** Runs a step before any read. Undefined: the entry must be read first. */
export type Attempt = (storedKey: string) => Promise<Tried | undefined>

interface ReadThenRun {
  readonly limit: Limit
  // Required, though it may be undefined: if it were omitted, it could be read from `Object.prototype`.
  readonly tags: readonly string[] | undefined
  /** Tried before the read. Not used by a format that has to read nothing. */
  readonly attempt: Attempt | undefined
}

/** Reads the entry, unless the attempt makes that unnecessary, then runs one step with its id. Later calls on this key wait. */
export async function readThenRun<T extends Reply>(
  view: View,
  key: string,
  work: Step<T>,
  { limit, tags, attempt }: ReadThenRun,
): Promise<T> {
  const { core, space } = view
  const to = space.key(key)
  const checkDeleted = async (): Promise<void> => {
    const retrying = core.near.retryPendingDelete(to)
    if (retrying && (await endsInTime(core, retrying)))
      throw new HitherError('STORE_UNAVAILABLE', 'a delete of this key has failed and is still to be retried')
  }
  const { known } = core.format
  if (known) return detachLoadsAndWrite(view, [to], () => work(to, '', known), { limit, ready: checkDeleted() })
  return core.queue.run([to], true, limit, async () => {
    await checkDeleted()
    const tried = await attempt?.(to)
    if (tried && 'reply' in tried) return tried.reply as T
    const reading = tried?.known ?? (await readForCaller(view, key, limit, { tags, queued: true }))
    return work(to, reading.dead, reading)
  })
}

/**
 * Reads the live entry and runs one step on it by its id. If the entry was replaced meanwhile, reads and runs again. Resolves
 * to null if there is no live entry.
 */
export async function runOnLive(
  view: View,
  key: string,
  work: (storedKey: string, id: string, entry?: Pick<Entry, 'id' | 'tags'>) => Promise<Reply>,
  { limit, tags, attempt }: ReadThenRun,
): Promise<Reply> {
  let reply: Reply
  let id: string | undefined
  let tried: string | undefined
  let first = attempt
  do {
    tried = id
    const run: Step<Reply> = async (to, _, known) => {
      const { entry, dead, live = dead || entry?.mark === NO_VALUE ? undefined : entry } = known ?? {}
      id = live?.id
      return live ? work(to, live.id, live) : null
    }
    reply = await readThenRun(view, key, run, { limit, tags, attempt: first })
    first = undefined
    // If the same id was read again, the store's clock calls that entry stale.
  } while (reply === null && id && id !== tried)
  return reply
}
