import { type Entry, isFresh, NO_VALUE, NONE } from '../protocol/entry.ts'
import { now } from '../runtime/clock.ts'
import type { Core, Space } from './core.ts'
import { parseTags, standing } from './versions.ts'

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
}

/**
 * Reads an entry with what decides whether it is valid, in one wave: the entry, the generation and the tags that are
 * named. Tags found only in the entry cost one more read, unless they were seen in the last five seconds. `liveId` is
 * the id of an entry that the store's own clock has just called fresh; `inTurn`: the caller has its turn on the key.
 */
export async function look(
  core: Core,
  space: Space,
  to: string,
  names: Iterable<string>,
  { liveId = '', inTurn = false }: { readonly liveId?: string; readonly inTurn?: boolean } = {},
): Promise<Found> {
  const { versions } = core
  if (core.plain) {
    const entry = core.parse(await core.text(to, inTurn))
    return { entry, status: entry ? 'fresh' : 'absent', dead: '', generation: NONE, tags: new Map() }
  }
  const tags = new Map<string, string | undefined>()
  const { epoch } = versions
  const read = async (name: string): Promise<void> => {
    const key = space.tag(name)
    const version = await core.text(key)
    versions.note(key, version, epoch)
    tags.set(name, version)
  }
  const generationKey = space.generation
  const [text, generation] = await Promise.all([
    core.text(to, inTurn),
    core.text(generationKey),
    ...Array.from(names, read),
  ])
  versions.note(generationKey, generation, epoch)
  const entry = core.parse(text)
  if (!entry || entry.mark === NO_VALUE) return { entry, status: 'absent', dead: '', generation, tags }
  if (entry.generation !== generation) return { entry, status: 'absent', dead: entry.id, generation, tags }
  const borne = parseTags(entry.tags)
  const missing: Promise<void>[] = []
  for (const name of borne.keys()) {
    if (tags.has(name)) continue
    const known = versions.recall(space.tag(name))
    if (known === undefined) missing.push(read(name))
    else tags.set(name, known)
  }
  if (missing.length > 0) await Promise.all(missing)
  const stands = standing(borne, tags)
  const at = now()
  const timely = entry.id === liveId || isFresh(entry, at)
  const dead = stands === 'valid' ? '' : entry.id
  if (stands === 'valid' && timely) return { entry, status: 'fresh', dead, generation, tags }
  const kept = stands !== 'dead' && entry.freshUntilMs !== entry.expiresMs && entry.expiresMs > at
  return { entry, status: kept ? 'stale' : 'absent', dead, generation, tags }
}
