import { type Entry, isFresh, isKept, NO_VALUE, NONE, parseUntagged } from '../protocol/entry.ts'
import { now } from '../runtime/clock.ts'
import { createMomentary } from '../runtime/momentary.ts'
import type { Core } from './core.ts'
import { parseTags, type Space, standing } from './versions.ts'

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
  readonly own: Promise<string | undefined>
  readonly generation: Promise<string | undefined>
}

/** Sends the reads of a look without tags; undefined where something must be waited for first, or in the plain format. */
export function send(core: Core, space: Space, to: string): Sent | undefined {
  const { plain, near, before } = core
  if (plain || near?.buried(to) || before(to)) return undefined
  near?.ride()
  return sendNow(core, space, to)
}

function sendNow({ near, text, version }: Core, space: Space, to: string): Sent {
  const atMs = now()
  const ticket = near?.begin()
  return { own: text(to, true), generation: version(space.generation), atMs, ticket }
}

/** The entry under the key, where it is valid and fresh without a further read; undefined: `look` tells. */
export function plainHit(own: string | undefined, generation: string | undefined): Entry | undefined {
  const entry = own && generation ? parseUntagged(own, generation) : undefined
  return entry && isFresh(entry, now) ? entry : undefined
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
  names: ReadonlySet<string>,
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
      const status = entry ? 'fresh' : 'absent'
      return { entry, status, dead: '', generation: plain ? NONE : undefined, tags: NO_TAGS, ...since }
    }
    // What the entry is compared with must not be older than itself.
    for (let before = core.before(to, inTurn); before; before = core.before(to, true)) await before
    reads = sendNow(core, space, to)
  }
  const { own, generation } = reads
  if (names.size > 0 || liveId) return await examine(core, space, reads, names, liveId)
  const shared = alike.get(to)
  if (shared?.own === own && shared.generation === generation) return await shared.found
  const found = examine(core, space, reads, names, liveId)
  alike.set(to, { own, generation, found })
  return await found
}

/** Looks without tags: who shares their reads shares the rest as well. */
const alike = createMomentary<{
  readonly own: Promise<unknown>
  readonly generation: Promise<unknown>
  readonly found: Promise<Found>
}>()
const NO_TAGS: ReadonlyMap<string, string | undefined> = new Map()

async function examine(
  { version, parse }: Core,
  space: Space,
  sent: Sent,
  names: ReadonlySet<string>,
  liveId: string,
): Promise<Found> {
  let tags = NO_TAGS as Map<string, string | undefined>
  const read = async (name: string): Promise<void> => {
    tags.set(name, await version(space.tag(name)))
  }
  if (names.size > 0) tags = new Map()
  const [own, generation] = await Promise.all([sent.own, sent.generation, ...Array.from(names, read)])
  const entry = parse(own)
  let status: Found['status'] = 'absent'
  let dead = ''
  if (entry && entry.mark !== NO_VALUE) {
    let stands = 'dead'
    if (entry.generation === generation && !entry.tags) stands = 'valid'
    else if (entry.generation === generation) {
      if (tags === NO_TAGS) tags = new Map()
      const borne = parseTags(entry.tags)
      const missing: Promise<void>[] = []
      for (const name of borne.keys()) if (!tags.has(name)) missing.push(read(name))
      if (missing.length > 0) await Promise.all(missing)
      stands = standing(borne, tags)
    }
    if (stands !== 'valid') dead = entry.id
    if (!dead && (entry.id === liveId || isFresh(entry, now))) status = 'fresh'
    else if (stands !== 'dead' && entry.freshUntilMs !== entry.expiresMs && isKept(entry, now())) status = 'stale'
  }
  return { entry, status, dead, generation, tags, atMs: sent.atMs, ticket: sent.ticket }
}
