import type { NearEntry } from '../near/local-tier.ts'
import { ownOf } from '../protocol/arguments.ts'
import type { Entry } from '../protocol/entry.ts'
import { now } from '../runtime/clock.ts'
import { coarseNow } from '../runtime/coarse-clock.ts'
import { type Limit, NO_LIMIT, within } from '../runtime/deadline.ts'
import { answerOf } from './answer.ts'
import { judgeUsual, type Reading } from './judge.ts'
import { loadUnshared, getOrSet as readThrough } from './load/read-through.ts'
import type { FirstReads, LoadCall } from './load/round.ts'
import { loadSettings } from './load/settings.ts'
import type { Decoded, LoadSettings, ReadThrough } from './load/types.ts'
import { countHit, countMiss, keepUnconfirmed, openDecoded, openEntry } from './open.ts'
import { invalid, LOAD, limitOf, READ, wantsMore } from './options.ts'
import { type PendingReads, readEntry, sendReads } from './reading.ts'
import { conform, type Schema } from './schema.ts'
import type { Frozen, GetOrSetOptions, Loader, ReadOptions } from './types.ts'
import { storedKeys, type View } from './view.ts'

/** The fresh value of a key: from the near tier, by the usual hit in the store, or by a closer look. */
export function get<T>(view: View, key: string, options?: ReadOptions): Promise<Frozen<T> | undefined> {
  try {
    // The near hit: no object is made, and nothing awaited.
    const near = peekNear(view, key, options)
    if (near === undefined) return getFromStore(view, key, options) as Promise<Frozen<T> | undefined>
    countHit(view, 'hit')
    return Promise.resolve(near as Frozen<T>)
  } catch (error) {
    return Promise.reject(error)
  }
}

async function getFromStore(view: View, key: string, options?: ReadOptions): Promise<unknown> {
  const limit = limitOf(view, options, READ)
  const entry = nearEntry(view, key)
  if (isFresh(entry)) {
    countHit(view, 'hit')
    return entry.value
  }
  const { core, space } = view
  const { tags = [] } = ownOf(options)
  const pending = limit === NO_LIMIT ? sendReads(core, space, space.key(key), core.tags.check(tags)) : undefined
  if (pending) {
    try {
      // The usual hit in the store: one wave, and no more than its answers are looked at.
      const own = await pending.own
      const generation = await pending.generation
      const block = pending.tags.size > 0 ? await blockOf(view, pending) : ''
      const hit = openUsual(view, key, pending, judgeUsual(own, generation, block, core.clock))
      if (hit) return hit.value
    } catch {
      // A closer look tells why.
    }
  }
  const reading = await readForCaller(view, key, limit, { tags, pending })
  return (await openIfFresh(view, key, reading, limit, reading))?.value
}

/** What `get` finds for each key, in one wave. */
export async function getMany<T>(
  view: View,
  keys: readonly string[],
  options?: ReadOptions,
): Promise<Map<string, Frozen<T>>> {
  const limit = limitOf(view, options, READ)
  storedKeys(view, keys)
  const { tags } = ownOf(options)
  const all = await Promise.all(
    keys.map((key) => {
      const near = nearEntry(view, key)
      return isFresh(near) ? near : readForCaller(view, key, limit, { tags })
    }),
  )
  const values = new Map<string, Frozen<T>>()
  for (const [i, key] of keys.entries()) {
    const found = all[i] as NearEntry | Reading
    const near = Object.hasOwn(found, 'value') ? (found as NearEntry) : undefined
    if (near) countHit(view, 'hit')
    const hit = near ?? (await openIfFresh(view, key, found as Reading, limit, found as Reading))
    if (hit) values.set(key, hit.value as Frozen<T>)
  }
  return values
}

/** As `get`, and loads what is not there. */
export function getOrSet<T>(view: View, key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<Frozen<T>> {
  try {
    const near = peekNear(view, key, options)
    if (near === undefined) return getOrLoad(view, key, loader, options) as Promise<Frozen<T>>
    countHit(view, 'hit')
    return Promise.resolve(near as Frozen<T>)
  } catch (error) {
    return Promise.reject(error)
  }
}

function getOrLoad(view: View, key: string, loader: Loader<unknown>, options?: GetOrSetOptions): Promise<unknown> {
  const limit = limitOf(view, options, LOAD)
  if (typeof loader !== 'function') throw invalid('getOrSet takes a loader, a function')
  const settings = settingsOf(view, options)
  const call: LoadCall = { through: throughOf(view), key, loader, settings, limit }
  if (settings.options.bypass) return loadUnshared(call)
  const first = firstReads(view, key, settings, limit)
  const { pending } = first
  if (!pending) return readThrough(call, first)
  return (async () => {
    try {
      const own = await pending.own
      const generation = await pending.generation
      const block = pending.tags.size > 0 ? await blockOf(view, pending) : ''
      const hit = openUsual(view, key, pending, judgeUsual(own, generation, block, view.core.clock), settings)
      if (hit) return hit.value
    } catch {
      // A closer look tells why.
    }
    return await readThrough(call, first)
  })()
}

/** The fresh value that the near tier holds; undefined: it holds none, or the call wants a closer look. */
function peekNear(view: View, key: string, options?: GetOrSetOptions): unknown {
  if (!view.canPeek || typeof key !== 'string' || (options && wantsMore(options))) return undefined
  const value = view.near.peek(view.nearKey(key), coarseNow())
  return view.request.mutable ? view.near.copyForCaller(value) : value
}

/** What the near tier holds fresh, though it takes a closer look. */
export function peek(view: View, key: string): unknown {
  const value = peekNear(view, key)
  if (value !== undefined) return value
  const entry = nearEntry(view, key)
  return isFresh(entry) ? entry.value : undefined
}

/** What the near tier holds, fresh or in grace, of values that this schema has checked. */
export function nearEntry(view: View, key: string, schema?: Schema): NearEntry | undefined {
  const kept = typeof key === 'string' ? view.near.get(view.nearKey(key), now()) : undefined
  const entry = view.request.mutable && kept ? { ...kept, value: view.near.copyForCaller(kept.value) } : kept
  if (entry?.note?.schema === schema || !entry?.note?.unconfirmed || !schema) {
    return entry?.note?.schema === schema ? entry : undefined
  }
  // What this process has written, and the store has not: only here can it be checked.
  const conformed = conform(schema, entry.value)
  return conformed instanceof Promise || !conformed ? undefined : { ...entry, value: conformed.value }
}

export function isFresh(entry: NearEntry | undefined): entry is NearEntry {
  return !!entry && entry.freshUntilMs > now()
}

/** Reads an entry; a failure of the store is counted and reported. It ends with the caller. */
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
  const reading = readEntry(core, space, { storedKey: space.key(key), names, queued, pending })
  const report = ({ foreign }: Reading): void => {
    if (foreign) view.emit({ type: 'decode-failed' })
  }
  return within(answerOf(view, reading, limit, report), limit)
}

/** The value of a fresh entry, in a box; undefined for a miss, which is counted. With `found` it is kept near. */
export async function openIfFresh(
  view: View,
  key: string,
  { status, entry }: Pick<Reading, 'status' | 'entry'>,
  limit: Limit,
  found?: Reading,
): Promise<Decoded | undefined> {
  const use = found && { key, found }
  const isHit = status === 'fresh' && entry
  const hit = isHit ? await openEntry(view, entry, view.space.key(key), limit, { as: 'hit', use }) : undefined
  if (!hit) countMiss(view)
  return hit
}

/** What a read-through needs of its view. */
export function throughOf(view: View): ReadThrough {
  view.through ??= {
    core: view.core,
    loads: view.loads,
    space: view.space,
    emit: view.emit,
    waitUntil: view.request.waitUntil,
    held: (key, schema) => nearEntry(view, key, schema),
    served: (as) => countHit(view, as),
    open: (to, entry, limit, as, use) => openEntry(view, entry, to, limit, { as, use }),
    keep: (...entry) => keepUnconfirmed(view, ...entry),
    miss: () => countMiss(view),
  }
  return view.through
}

function settingsOf(view: View, options: GetOrSetOptions | undefined): LoadSettings {
  if (options) return loadSettings(view.core, options)
  view.defaultSettings ??= loadSettings(view.core)
  return view.defaultSettings
}

/** Sends the first reads of a load, where nothing asks for a closer look. */
function firstReads(view: View, key: string, { options, schema, tags }: LoadSettings, limit: Limit): FirstReads {
  const { core, loads, space } = view
  const to = space.key(key)
  const near = nearEntry(view, key, schema)
  const isSimple = limit === NO_LIMIT && !near && !schema && !options.forceFresh && !options.refresh
  const pending = isSimple && !loads.versionsOf(to) ? sendReads(core, space, to, tags) : undefined
  return { startsAtArrival: loads.starts(), near, pending }
}

/** The tag block of an entry that has just the tags that were named, with their versions now. */
async function blockOf({ core }: View, { tags }: PendingReads): Promise<string> {
  const block: string[] = []
  for (const [name, version] of tags) block.push(core.tags.format(name, (await version) as string))
  return block.join()
}

/** Throws for what cannot be decoded. Undefined for no usual hit, and for a codec of its own, which may take its time. */
function openUsual(
  view: View,
  key: string,
  pending: PendingReads,
  entry: Entry | undefined,
  plan?: LoadSettings,
): Decoded | undefined {
  if (!entry || entry.mark < 'a') return undefined
  const { core } = view
  core.hear()
  const { atMs, ticket } = pending
  const use = ticket === undefined ? undefined : { key, found: { status: 'fresh', atMs, ticket } as const, plan }
  return openDecoded(view, core.decode(entry, pending.key), entry, 'hit', use)
}
