import { NO_VALUE, NONE } from '../protocol/entry.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { within } from '../runtime/deadline.ts'
import { perTick } from '../runtime/per-tick.ts'
import type { Core } from './engine.ts'
import { judge, type Reading } from './judge.ts'
import { isVersion } from './steps/versions.ts'
import type { NamespaceKeys } from './versions.ts'

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

/** Sends the reads of an entry; undefined where something must be waited for first, or in the plain format. */
export function sendReads(
  core: Core,
  keys: NamespaceKeys,
  storedKey: string,
  names: readonly string[],
): PendingReads | undefined {
  const { plain, near, before } = core
  if (plain || near.retryPendingDelete(storedKey) || before(storedKey)) return undefined
  near.beforeRead()
  return sendNow(core, keys, storedKey, names)
}

function sendNow(
  { near, text, version }: Core,
  keys: NamespaceKeys,
  storedKey: string,
  names: readonly string[],
): PendingReads {
  const atMs = now()
  const ticket = near.begin()
  const own = text(storedKey, true)
  const generation = version(keys.generation)
  const tags = names.length > 0 ? new Map(names.map((name) => [name, version(keys.tag(name))])) : NO_READS
  return { key: storedKey, own, generation, tags, atMs, ticket }
}

/**
 * Reads an entry with what decides whether it is valid, in one wave: the entry, the generation and the tags that are
 * named. Tags found only in the entry cost one more read.
 */
export async function readEntry(core: Core, keys: NamespaceKeys, request: ReadRequest): Promise<Reading> {
  const { plain, text, parse, near } = core
  const { storedKey, names, liveId = '', queued = false } = request
  let pending = request.pending
  if (!pending) {
    const retrying = near.retryPendingDelete(storedKey)
    const absent = retrying && (await endsInTime(core, retrying))
    near.beforeRead()
    if (plain || absent) {
      const since = { atMs: now(), ticket: near.begin() }
      const entry = absent ? undefined : parse(await text(storedKey, queued))
      if (!absent) core.hear()
      const status = entry ? 'fresh' : 'absent'
      return { entry, status, dead: '', generation: plain ? NONE : undefined, tags: NO_TAGS, ...since }
    }
    // What the entry is compared with must not be older than itself.
    for (let before = core.before(storedKey, queued); before; before = core.before(storedKey, true)) await before
    pending = sendNow(core, keys, storedKey, names)
  }
  const { own, generation, tags } = pending
  if (tags.size > 0) return await settle(core, keys, pending, liveId)
  const shared = alike.get(storedKey)
  if (shared?.own === own && shared.generation === generation && shared.liveId === liveId) return await shared.reading
  const reading = settle(core, keys, pending, liveId)
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

/** Waits for the reads, sends those of tags that only the entry names, and judges the entry. */
async function settle(core: Core, keys: NamespaceKeys, pending: PendingReads, liveId: string): Promise<Reading> {
  const [own, stored] = await Promise.all([pending.own, pending.generation, ...pending.tags.values()])
  core.hear()
  // Anything else is no generation: a write makes a new one.
  const generation = stored?.length === NONE.length && isVersion(stored) ? stored : undefined
  const entry = core.parse(own)
  const hasValue = entry && entry.mark !== NO_VALUE
  let tags: ReadonlyMap<string, string | undefined> = NO_TAGS
  if (pending.tags.size > 0 || (hasValue && entry.tags && entry.generation === generation)) {
    const all = new Map<string, string | undefined>()
    for (const [name, reading] of pending.tags) all.set(name, await reading)
    const read = async (name: string): Promise<void> => {
      all.set(name, await core.version(keys.tag(name)))
    }
    const missing: Promise<void>[] = []
    if (hasValue && entry.generation === generation)
      for (const name of core.tags.parse(entry.tags).keys()) if (name && !all.has(name)) missing.push(read(name))
    if (missing.length > 0) await Promise.all(missing)
    tags = all
  }
  if (hasValue && entry.generation !== generation && entry.expiresMs === NEVER)
    core.fade(pending.key, entry, keys.generation)
  const { status, dead } = judge(entry, { generation, versions: tags, liveId }, core)
  return { entry, status, dead, generation, tags, atMs: pending.atMs, ticket: pending.ticket }
}

/** Whether the key must count as absent, which it does when its delete, tried once more, does not end in time. */
export function endsInTime(core: Core, retrying: Promise<boolean>): Promise<boolean> {
  const { deadline = NEVER } = core.call()
  return within(retrying, { signals: [], deadline }).catch(() => true)
}
