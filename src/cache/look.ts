import { type Entry, isFresh, isKept, NO_VALUE, NONE, parseCurrent } from '../protocol/entry.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { createMomentary } from '../runtime/momentary.ts'
import type { StoreClock } from '../runtime/store-clock.ts'
import type { Core } from './core.ts'
import { isVersion, parseTags, type Space, standing } from './versions.ts'

/** What one read has shown under a key. */
export interface Found {
  /** As it is stored; a lease without a value, too. */
  readonly entry: Entry | undefined
  readonly status: 'fresh' | 'stale' | 'absent'
  /** The id by which a step shall treat the entry as gone; `''` when the store's clock alone decides. */
  readonly dead: string
  /** The namespace's generation now; undefined: it has none. */
  readonly generation: string | undefined
  /** The versions now of the tags named, and of those the entry bears. */
  readonly tags: ReadonlyMap<string, string | undefined>
  /** From before the read was sent: the clock, and a ticket to keep near what it found. */
  readonly atMs: number
  readonly ticket: number | undefined
}

/** The reads of a look, on their way. */
export interface Sent extends Pick<Found, 'atMs' | 'ticket'> {
  /** The stored key. */
  readonly key: string
  readonly own: Promise<string | undefined>
  readonly generation: Promise<string | undefined>
  /** Of the tags that were named. */
  readonly tags: ReadonlyMap<string, Promise<string | undefined>>
}

const NO_READS: ReadonlyMap<string, Promise<undefined>> = new Map()
const NO_TAGS: ReadonlyMap<string, undefined> = new Map()

/** Sends the reads of a look; undefined where something must be waited for first, or in the plain format. */
export function send(core: Core, space: Space, to: string, names: readonly string[]): Sent | undefined {
  const { plain, near, before } = core
  if (plain || near?.buried(to) || before(to)) return undefined
  near?.ride()
  return sendNow(core, space, to, names)
}

function sendNow({ near, text, version }: Core, space: Space, to: string, names: readonly string[]): Sent {
  const atMs = now()
  const ticket = near?.begin()
  const own = text(to, true)
  const generation = version(space.generation)
  const tags = names.length > 0 ? new Map(names.map((name) => [name, version(space.tag(name))])) : NO_READS
  return { key: to, own, generation, tags, atMs, ticket }
}

/**
 * The entry that was read, where it is fresh, of this generation, and bears just these tags in this order, `block` as it
 * is stored with their versions now. Undefined: `look` tells.
 */
export function usualHit(
  own: string | undefined,
  generation: string | undefined,
  block: string,
  clock: StoreClock,
): Entry | undefined {
  const entry = own && generation ? parseCurrent(own, generation, block) : undefined
  return entry && isFreshBy(clock, entry) ? entry : undefined
}

/** An entry under grace shows the least that the store's clock can be. */
function isFreshBy(clock: StoreClock, entry: Entry): boolean {
  if (entry.freshUntilMs !== entry.expiresMs) clock.passed(entry.writtenMs)
  return isFresh(entry, clock.now)
}

/**
 * Reads an entry with what decides whether it is valid, in one wave: the entry, the generation and the tags that are
 * named. Tags found only in the entry cost one more read. `liveId` is the id of an entry that the store's own clock has
 * just called fresh; `inTurn`: the caller has its turn on the key; `sent`: its reads, where they are on their way.
 */
export async function look(
  core: Core,
  space: Space,
  to: string,
  names: readonly string[],
  liveId = '',
  inTurn = false,
  sent?: Sent,
): Promise<Found> {
  const { plain, text, parse, near } = core
  let reads = sent
  if (!reads) {
    const buried = near?.buried(to)
    const absent = buried && (await buried)
    near?.ride()
    if (plain || absent) {
      const since = { atMs: now(), ticket: near?.begin() }
      const entry = absent ? undefined : parse(await text(to, inTurn))
      if (!absent) core.hear()
      const status = entry ? 'fresh' : 'absent'
      return { entry, status, dead: '', generation: plain ? NONE : undefined, tags: NO_TAGS, ...since }
    }
    // What the entry is compared with must not be older than itself.
    for (let before = core.before(to, inTurn); before; before = core.before(to, true)) await before
    reads = sendNow(core, space, to, names)
  }
  const { own, generation, tags } = reads
  if (tags.size > 0) return await examine(core, space, reads, liveId)
  const shared = alike.get(to)
  if (shared?.own === own && shared.generation === generation && shared.liveId === liveId) return await shared.found
  const found = examine(core, space, reads, liveId)
  alike.set(to, { own, generation, liveId, found })
  return await found
}

/** Looks without tags: who shares their reads shares the rest as well. */
const alike = createMomentary<{
  readonly own: Promise<unknown>
  readonly generation: Promise<unknown>
  readonly liveId: string
  readonly found: Promise<Found>
}>()
async function examine(
  { version, parse, hear, fade, clock }: Core,
  space: Space,
  sent: Sent,
  liveId: string,
): Promise<Found> {
  const [own, stored] = await Promise.all([sent.own, sent.generation, ...sent.tags.values()])
  hear()
  // Anything else is no generation: a write makes a new one.
  const generation = stored?.length === NONE.length && isVersion(stored) ? stored : undefined
  let tags: Map<string, string | undefined> | undefined
  for (const [name, reading] of sent.tags) {
    tags ??= new Map()
    tags.set(name, await reading)
  }
  const entry = parse(own)
  let status: Found['status'] = 'absent'
  let dead = ''
  if (entry && entry.mark !== NO_VALUE) {
    let stands = 'dead'
    if (entry.generation === generation && !entry.tags) stands = 'valid'
    else if (entry.generation === generation) {
      const all = tags ?? new Map<string, string | undefined>()
      tags = all
      const borne = parseTags(entry.tags)
      const read = async (name: string): Promise<void> => {
        all.set(name, await version(space.tag(name)))
      }
      const missing: Promise<void>[] = []
      for (const name of borne.keys()) if (name && !all.has(name)) missing.push(read(name))
      if (missing.length > 0) await Promise.all(missing)
      stands = standing(borne, all)
    } else if (entry.expiresMs === NEVER) fade(sent.key, entry, space.generation)
    if (stands !== 'valid') dead = entry.id
    if (!dead && (entry.id === liveId || isFreshBy(clock, entry))) status = 'fresh'
    else if (stands !== 'dead' && entry.freshUntilMs !== entry.expiresMs && isKept(entry, clock.now())) status = 'stale'
  }
  return { entry, status, dead, generation, tags: tags ?? NO_TAGS, atMs: sent.atMs, ticket: sent.ticket }
}
