import type { NearEntry } from '../near/local-tier.ts'
import { ownOf } from '../protocol/arguments.ts'
import type { Entry } from '../protocol/entry.ts'
import { type Limit, NO_LIMIT, within } from '../runtime/deadline.ts'
import { answerOf } from './answer.ts'
import { judgeUsual, type Reading } from './judge.ts'
import { versionsOf } from './load/flight.ts'
import { loadUnshared, getOrSet as readThrough } from './load/read-through.ts'
import type { FirstReads } from './load/round.ts'
import { loadSettings } from './load/settings.ts'
import type { LoadSettings } from './load/types.ts'
import type { LoadCall, View } from './model.ts'
import { isFresh, nearEntry } from './near-entry.ts'
import { countHit, countMiss, type OpenContext, openDecoded, openEntry } from './open.ts'
import { invalid, LOAD, limitOf, READ, wantsMore } from './options.ts'
import { type PendingReads, readEntry, sendReads } from './reading.ts'
import { onAnswer } from './store-calls.ts'
import type { Frozen, GetOrSetOptions, Loader, ReadOptions } from './types.ts'
import type { Decoded } from './value-form.ts'
import { aboutKey, storedKeys } from './view.ts'

/**
 * The fresh value of a key. The ways to it, fastest first: a near hit (`peekNear`); a usual hit in the store (`openUsual`: the
 * entry is fresh, of the current generation, and has exactly the tags that the call names); a full reading (`readForCaller`).
 */
export function get<T>(view: View, key: string, options?: ReadOptions): Promise<Frozen<T> | undefined> {
  try {
    // A near hit makes no object and awaits nothing.
    const near = peekNear(view, key, options)
    if (near === undefined) return getFromStore(view, key, options) as Promise<Frozen<T> | undefined>
    countHit(view, 'hit', key)
    return Promise.resolve(near as Frozen<T>)
  } catch (error) {
    return Promise.reject(error)
  }
}

async function getFromStore(view: View, key: string, options?: ReadOptions): Promise<unknown> {
  const limit = limitOf(view, options, READ)
  const entry = nearEntry(view, key)
  if (isFresh(entry)) {
    countHit(view, 'hit', key)
    return entry.value
  }
  const { core, space } = view
  const { tags = [] } = ownOf(options)
  const pending = limit === NO_LIMIT ? sendReads(view, space.key(key), core.tags.check(tags)) : undefined
  if (pending) {
    try {
      // A usual hit takes one wave, and only its own replies are awaited.
      const own = await pending.own
      const generation = await pending.generation
      const block = pending.tags.size > 0 ? await blockOf(view, pending) : ''
      const hit = openUsual(view, pending, judgeUsual(own, generation, block, core.clock), { key })
      if (hit) return hit.value
    } catch {
      // The full reading below reports the error.
    }
  }
  const reading = await readForCaller(view, key, limit, { tags, pending })
  return (await openIfFresh(view, key, reading, limit))?.value
}

/** What `get` finds for each key, in one wave. */
export async function getMany<T>(
  view: View,
  keys: readonly string[],
  options?: ReadOptions,
): Promise<Map<string, Frozen<T>>> {
  const limit = limitOf(view, options, READ)
  storedKeys(view, keys)
  // A copy: the caller may change its array while the values are read.
  const names = [...keys]
  const { tags } = ownOf(options)
  const all = await Promise.all(
    names.map((key) => {
      const near = nearEntry(view, key)
      return isFresh(near) ? near : readForCaller(view, key, limit, { tags })
    }),
  )
  const values = new Map<string, Frozen<T>>()
  for (const [i, key] of names.entries()) {
    const found = all[i] as NearEntry | Reading
    const near = Object.hasOwn(found, 'value') ? (found as NearEntry) : undefined
    if (near) countHit(view, 'hit', key)
    const hit = near ?? (await openIfFresh(view, key, found as Reading, limit))
    if (hit) values.set(key, hit.value as Frozen<T>)
  }
  return values
}

/** As `get`, and loads a value if there is no fresh one. */
export function getOrSet<T>(view: View, key: string, loader: Loader<unknown>, options?: GetOrSetOptions): Promise<T> {
  try {
    const near = peekNear(view, key, options)
    if (near === undefined) return getOrLoad(view, key, loader, options) as Promise<T>
    countHit(view, 'hit', key)
    return Promise.resolve(near as T)
  } catch (error) {
    return Promise.reject(error)
  }
}

function getOrLoad(view: View, key: string, loader: Loader<unknown>, options?: GetOrSetOptions): Promise<unknown> {
  const limit = limitOf(view, options, LOAD)
  if (typeof loader !== 'function') throw invalid('getOrSet takes a loader, a function')
  const settings = settingsOf(view, options)
  const call: LoadCall = { view: aboutKey(view, key), key, storedKey: view.space.key(key), limit, settings, loader }
  if (settings.options.bypass) return loadUnshared(call)
  const first = firstReads(call)
  const { pending } = first
  if (!pending) return readThrough(call, first)
  return (async () => {
    try {
      const own = await pending.own
      const generation = await pending.generation
      const block = pending.tags.size > 0 ? await blockOf(view, pending) : ''
      const hit = openUsual(view, pending, judgeUsual(own, generation, block, view.core.clock), { key, settings })
      if (hit) return hit.value
    } catch {
      // The read-through below reports the error.
    }
    return await readThrough(call, first)
  })()
}

/** The fresh value in the near tier. Undefined: there is none, or the call has options that the tier alone cannot meet. */
function peekNear(view: View, key: string, options?: GetOrSetOptions): unknown {
  return typeof key === 'string' && !(options && wantsMore(options)) ? view.peekNear(key) : undefined
}

/** The fresh value in the near tier, also of an entry that `peekNear` does not return, such as one with tags. */
export function peek(view: View, key: string): unknown {
  const value = peekNear(view, key)
  if (value !== undefined) return value
  const entry = nearEntry(view, key)
  return isFresh(entry) ? entry.value : undefined
}

/** Reads an entry within the caller's limit. A failure of the store is counted and reported. */
export function readForCaller(
  view: View,
  key: string,
  limit: Limit,
  how: {
    readonly tags?: readonly string[] | undefined
    readonly queued?: boolean
    readonly pending?: PendingReads | undefined
  },
): Promise<Reading> {
  const { core, space } = view
  const { tags = [], queued = false, pending } = how
  const names = pending ? [] : core.tags.check(tags)
  const reading = readEntry(view, { storedKey: space.key(key), names, queued, pending })
  const report = ({ foreign }: Reading): void => {
    if (foreign) view.emit({ type: 'decode-failed' }, key)
  }
  return within(answerOf(aboutKey(view, key), reading, limit, report), limit)
}

/** Decodes a fresh entry. Undefined for a miss, which is counted. The value of a complete reading is kept in the near tier. */
export async function openIfFresh(
  view: View,
  key: string,
  found: Reading | Pick<Reading, 'status' | 'entry'>,
  limit: Limit,
): Promise<Decoded | undefined> {
  const { status, entry } = found
  const reading = 'atMs' in found ? found : undefined
  const context = { key, as: 'hit', reading, storedKey: view.space.key(key), limit } as const
  const hit = status === 'fresh' && entry ? await openEntry(view, entry, context) : undefined
  if (!hit) countMiss(view, key)
  return hit
}

function settingsOf(view: View, options: GetOrSetOptions | undefined): LoadSettings {
  if (options) return loadSettings(view.core, options)
  view.defaultSettings ??= loadSettings(view.core)
  return view.defaultSettings
}

/**
 * Sends the first reads of a load, unless it needs more than a usual hit: it has a limit, a schema, `forceFresh` or `refresh`,
 * there is a near tier entry, or a running load has captured versions that must be read as well.
 */
function firstReads({ view, key, storedKey, settings, limit }: LoadCall): FirstReads {
  const { core } = view
  const { options, schema, tags } = settings
  const near = nearEntry(view, key, schema)
  const isSimple = limit === NO_LIMIT && !near && !schema && !options.forceFresh && !options.refresh
  const pending = isSimple && !versionsOf(core, storedKey) ? sendReads(view, storedKey, tags) : undefined
  return { startsAtArrival: core.flights.starts, near, pending }
}

/** The tag block of an entry that has exactly the tags that the call named, with their current versions. */
async function blockOf({ core }: View, { tags }: PendingReads): Promise<string> {
  const block: string[] = []
  for (const [name, version] of tags) block.push(core.tags.format(name, (await version) as string))
  return block.join()
}

/**
 * Opens a usual hit. Undefined if there is none: also for a lease without a value, and for a value of a caller's codec (its
 * mark is A to Z), which may decode asynchronously. Throws for a value that cannot be decoded.
 */
function openUsual(
  view: View,
  pending: PendingReads,
  entry: Entry | undefined,
  { key, settings }: Pick<OpenContext, 'key' | 'settings'>,
): Decoded | undefined {
  if (!entry || entry.mark < 'a') return undefined
  const { core } = view
  onAnswer(core)
  const { atMs, ticket } = pending
  const reading = ticket === undefined ? undefined : ({ status: 'fresh', atMs, ticket } as const)
  return openDecoded(view, core.values.decode(entry, pending.key), entry, { key, as: 'hit', reading, settings })
}
