import { NO_VALUE, NONE } from '../protocol/entry.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { within } from '../runtime/deadline.ts'
import { perTick } from '../runtime/per-tick.ts'
import { judge, type Reading } from './judge.ts'
import type { Core, View } from './model.ts'
import { isVersion } from './steps/versions.ts'
import { commandCall, onAnswer } from './store-calls.ts'
import { beforeRead, fade, readText, readVersion } from './store-reads.ts'

/** The reads of an entry and of what decides whether it is valid, on their way. */
export interface PendingReads extends Pick<Reading, 'atMs' | 'ticket'> {
  /** The stored key. */
  readonly key: string
  readonly own: Promise<string | undefined>
  readonly generation: Promise<string | undefined>
  /** Of the tags that were named. */
  readonly tags: ReadonlyMap<string, Promise<string | undefined>>
}

/** What is read, and how. */
export interface ReadRequest {
  readonly storedKey: string
  /** Tags whose versions are read in the same wave. */
  readonly names: readonly string[]
  /** The id of an entry that the store's own clock has just called fresh. */
  readonly liveId?: string
  /** The caller has its turn on the key: it does not wait for calls before it. */
  readonly queued?: boolean
  /** The reads, where they are on their way. */
  readonly pending?: PendingReads | undefined
}

const NO_READS: ReadonlyMap<string, Promise<undefined>> = new Map()
const NO_TAGS: ReadonlyMap<string, undefined> = new Map()

/** Sends the reads of an entry; undefined where something must be waited for first, or the format reads by itself. */
export function sendReads(view: View, storedKey: string, names: readonly string[]): PendingReads | undefined {
  const { core } = view
  if (core.format.read || core.near.retryPendingDelete(storedKey) || beforeRead(core, storedKey)) return undefined
  core.near.beforeRead()
  return sendNow(view, storedKey, names)
}

function sendNow({ core, space }: View, storedKey: string, names: readonly string[]): PendingReads {
  const atMs = now()
  const ticket = core.near.begin()
  const own = readText(core, storedKey, true, atMs)
  const generation = readVersion(core, space.generation, atMs)
  const tags =
    names.length > 0 ? new Map(names.map((name) => [name, readVersion(core, space.tag(name), atMs)])) : NO_READS
  return { key: storedKey, own, generation, tags, atMs, ticket }
}

/**
 * Reads an entry with what decides whether it is valid, in one wave: the entry, the generation and the tags that are
 * named. Tags found only in the entry cost one more read.
 */
export async function readEntry(view: View, request: ReadRequest): Promise<Reading> {
  const { core } = view
  const { format, near } = core
  const { storedKey, names, liveId = '', queued = false } = request
  let pending = request.pending
  if (!pending) {
    const retrying = near.retryPendingDelete(storedKey)
    const absent = retrying && (await endsInTime(core, retrying))
    near.beforeRead()
    if (absent) {
      const since = { atMs: now(), ticket: near.begin() }
      return { entry: undefined, status: 'absent', dead: '', generation: undefined, tags: NO_TAGS, ...since }
    }
    if (format.read) return await format.read(view, storedKey, queued)
    // What the entry is compared with must not be older than itself.
    for (let before = beforeRead(core, storedKey, queued); before; before = beforeRead(core, storedKey, true))
      await before
    pending = sendNow(view, storedKey, names)
  }
  const { own, generation, tags } = pending
  if (tags.size > 0) return await settle(view, pending, liveId)
  const shared = alike.get(storedKey)
  if (shared?.own === own && shared.generation === generation && shared.liveId === liveId) return await shared.reading
  const reading = settle(view, pending, liveId)
  alike.set(storedKey, { own, generation, liveId, reading })
  return await reading
}

/** Readings without tags: callers that share their reads share the rest as well. */
const alike = perTick<{
  readonly own: Promise<unknown>
  readonly generation: Promise<unknown>
  readonly liveId: string
  readonly reading: Promise<Reading>
}>()

/**
 * Waits for the reads, sends those of tags that only the entry names, and judges the entry.
 *
 * Where a store answers reads apart, an entry may be newer than the versions beside it: another process invalidates a tag
 * and loads, and this one sees the tag before that and the entry after it. Called dead, it would be loaded once more. So
 * the versions are then read again, and these are newer than the entry.
 */
async function settle(view: View, pending: PendingReads, liveId: string, again?: boolean): Promise<Reading> {
  const { core, space } = view
  const [own, stored] = await Promise.all([pending.own, pending.generation, ...pending.tags.values()])
  onAnswer(core)
  // Anything else is no generation: a write makes a new one.
  const generation = stored?.length === NONE.length && isVersion(stored) ? stored : undefined
  const entry = parseText(core, own)
  const hasValue = entry && entry.mark !== NO_VALUE
  let tags: ReadonlyMap<string, string | undefined> = NO_TAGS
  if (pending.tags.size > 0 || (hasValue && entry.tags && entry.generation === generation)) {
    const all = new Map<string, string | undefined>()
    for (const [name, reading] of pending.tags) all.set(name, await reading)
    const read = async (name: string): Promise<void> => {
      all.set(name, await readVersion(core, space.tag(name)))
    }
    const missing: Promise<void>[] = []
    if (hasValue && entry.generation === generation)
      for (const name of core.tags.parse(entry.tags).keys()) if (name && !all.has(name)) missing.push(read(name))
    if (missing.length > 0) await Promise.all(missing)
    tags = all
  }
  const verdict = judge(entry, { generation, versions: tags, liveId }, core)
  if (verdict.dead && !again && core.store.traits.readsApart) {
    const newer = new Map([...tags.keys()].map((name) => [name, readVersion(core, space.tag(name))]))
    const newest = { ...pending, generation: readVersion(core, space.generation), tags: newer }
    return settle(view, newest, liveId, true)
  }
  if (hasValue && entry.generation !== generation && entry.expiresMs === NEVER)
    fade(core, pending.key, entry, space.generation)
  return { entry, ...verdict, generation, tags, atMs: pending.atMs, ticket: pending.ticket }
}

/** Undefined for what is absent or of an unknown form. */
export function parseText({ format }: Core, text: string | undefined): Reading['entry'] {
  return text === undefined ? undefined : format.parse(text)
}

/** Whether the key must count as absent, which it does when its delete, tried once more, does not end in time. */
export function endsInTime(core: Core, retrying: Promise<boolean>): Promise<boolean> {
  const { deadline = NEVER } = commandCall(core)
  return within(retrying, { signals: [], deadline }).catch(() => true)
}
