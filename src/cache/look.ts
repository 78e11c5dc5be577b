import { type Entry, isFresh, isKept, NO_VALUE, NONE } from '../protocol/entry.ts'
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

/**
 * Reads an entry with what decides whether it is valid, in one wave: the entry, the generation and the tags that are
 * named. Tags found only in the entry cost one more read. `liveId` is the id of an entry that the store's own clock has
 * just called fresh; `inTurn`: the caller has its turn on the key.
 */
export async function look(
  core: Core,
  space: Space,
  to: string,
  names: ReadonlySet<string>,
  liveId = '',
  inTurn = false,
): Promise<Found> {
  const { plain, text, parse, near } = core
  const buried = near?.buried(to)
  const absent = buried && (await buried)
  near?.ride()
  const since = { atMs: now(), ticket: near?.begin() }
  if (plain || absent) {
    const entry = absent ? undefined : parse(await text(to, inTurn))
    return {
      entry,
      status: entry ? 'fresh' : 'absent',
      dead: '',
      generation: plain ? NONE : undefined,
      tags: NO_TAGS,
      ...since,
    }
  }
  // What the entry is compared with must not be older than itself.
  for (let before = core.before(to, inTurn); before; before = core.before(to, true)) await before
  const own = text(to, true)
  const generation = text(space.generation)
  if (names.size > 0 || liveId) return await examine(core, space, [own, generation], names, liveId, since)
  const shared = alike.get(to)
  if (shared?.own === own && shared.generation === generation) return await shared.found
  const found = examine(core, space, [own, generation], names, liveId, since)
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
  { versions, text, parse }: Core,
  space: Space,
  reads: readonly [own: Promise<string | undefined>, generation: Promise<string | undefined>],
  names: ReadonlySet<string>,
  liveId: string,
  since: Pick<Found, 'atMs' | 'ticket'>,
): Promise<Found> {
  let tags = NO_TAGS as Map<string, string | undefined>
  const { epoch } = versions
  const read = async (name: string): Promise<void> => {
    const key = space.tag(name)
    const version = await text(key)
    versions.note(key, version, epoch)
    tags.set(name, version)
  }
  if (names.size > 0) tags = new Map()
  const [own, generation] = await Promise.all(names.size > 0 ? [...reads, ...Array.from(names, read)] : reads)
  versions.note(space.generation, generation, epoch)
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
    const at = now()
    if (stands !== 'valid') dead = entry.id
    if (!dead && (entry.id === liveId || isFresh(entry, at))) status = 'fresh'
    else if (stands !== 'dead' && entry.freshUntilMs !== entry.expiresMs && isKept(entry, at)) status = 'stale'
  }
  return { entry, status, dead, generation, tags, ...since }
}
