import { NO_VALUE, NONE } from '../protocol/entry.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { within } from '../runtime/deadline.ts'
import { perTick } from '../runtime/per-tick.ts'
import { judge, type Reading } from './judge.ts'
import type { Core, View } from './model.ts'
import { isVersion } from './steps/versions.ts'
import { commandCall, onAnswer } from './store-calls.ts'
import { beforeRead, fade, readText, readVersion } from './store-reads.ts'

/** Reads that were sent: of an entry, and of the versions that decide whether it is valid. */
export interface PendingReads extends Pick<Reading, 'atMs' | 'ticket'> {
  /** The stored key. */
  readonly key: string
  readonly own: Promise<string | undefined>
  readonly generation: Promise<string | undefined>
  /** The versions of the tags that the call named. */
  readonly tags: ReadonlyMap<string, Promise<string | undefined>>
}

/** What to read, and how. */
export interface ReadRequest {
  readonly storedKey: string
  /** Tags whose versions are read in the same wave. */
  readonly names: readonly string[]
  /** The id of an entry that the store's own clock has just called fresh. */
  readonly liveId?: string
  /** The caller already has its turn in the key's queue, so this read does not wait for the queue. */
  readonly queued?: boolean
  /** The reads, if they were already sent. */
  readonly pending?: PendingReads | undefined
}

const NO_READS: ReadonlyMap<string, Promise<undefined>> = new Map()
const NO_TAGS: ReadonlyMap<string, undefined> = new Map()

/** Sends the reads of an entry. Undefined: none, since other work on the key must end first, or the format reads by itself. */
export function sendReads(view: View, storedKey: string, names: readonly string[]): PendingReads | undefined {
  const { core } = view
  if (core.format.read || core.near.retryPendingDelete(storedKey) || beforeRead(core, storedKey)) return undefined
  core.near.beforeRead()
  return sendNow(view, storedKey, names)
}

function sendNow({ core, space }: View, storedKey: string, names: readonly string[]): PendingReads {
  const atMs = now()
  const ticket = core.near.begin()
  const own = readText(core, storedKey, true)
  const generation = readVersion(core, space.generation)
  const tags = names.length > 0 ? new Map(names.map((name) => [name, readVersion(core, space.tag(name))])) : NO_READS
  return { key: storedKey, own, generation, tags, atMs, ticket }
}

/**
 * Reads, in one wave, an entry and what decides whether it is valid: the generation and the versions of the tags that the call
 * names. Tags that only the entry names take one more wave.
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
    // Wait before any read is sent: the versions must not be older than the entry that they are compared with.
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

/** Readings without tags, by stored key: callers that share the reads share the result as well. */
const alike = perTick<{
  readonly own: Promise<unknown>
  readonly generation: Promise<unknown>
  readonly liveId: string
  readonly reading: Promise<Reading>
}>()

/**
 * Waits for the reads, sends those of tags that only the entry names, and judges the entry.
 *
 * A store may process the reads of one wave at different instants (`readsApart`). Then an entry may be newer than the versions
 * beside it: another process invalidates a tag and loads; this process reads the tag before that and the entry after it. The
 * entry would count as dead and be loaded again in vain. So if an entry seems dead, its versions are read once more: these are
 * newer than the entry.
 */
async function settle(view: View, pending: PendingReads, liveId: string, again?: boolean): Promise<Reading> {
  const { core, space } = view
  const [own, stored] = await Promise.all([pending.own, pending.generation, ...pending.tags.values()])
  onAnswer(core)
  // Text of any other form is not a generation: the next write creates a new one.
  const generation = stored?.length === NONE.length && isVersion(stored) ? stored : undefined
  const entry = parseText(core, own)
  const hasValue = entry && entry.mark !== NO_VALUE
  const block = hasValue && entry.generation === generation ? entry.tags : ''
  let tags: ReadonlyMap<string, string | undefined> = NO_TAGS
  if (pending.tags.size > 0 || block) {
    const all = new Map<string, string | undefined>()
    for (const [name, reading] of pending.tags) all.set(name, await reading)
    const read = async (name: string): Promise<void> => {
      all.set(name, await readVersion(core, space.tag(name)))
    }
    const missing = [...core.tags.parse(block).keys()].filter((name) => name && !all.has(name))
    if (missing.length > 0) await Promise.all(missing.map(read))
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

/** Undefined for an absent text and for one of an unknown form. */
export function parseText({ format }: Core, text: string | undefined): Reading['entry'] {
  return text === undefined ? undefined : format.parse(text)
}

/** Whether the key must still count as absent after the retry of its failed delete: also if the retry does not end in time. */
export function endsInTime(core: Core, retrying: Promise<boolean>): Promise<boolean> {
  const { deadline = NEVER } = commandCall(core)
  return within(retrying, { signals: [], deadline }).catch(() => true)
}
