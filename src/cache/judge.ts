import { type Entry, isFresh, isKept, NO_VALUE, parseCurrent } from '../protocol/entry.ts'
import type { StoreClock } from '../runtime/store-clock.ts'
import type { TagsPart } from './parts/tags.ts'

/** What one read has shown under a key. */
export interface Reading {
  /** As it is stored; a lease without a value, too. */
  readonly entry: Entry | undefined
  readonly status: 'fresh' | 'stale' | 'absent'
  /** The id by which a step shall treat the entry as gone; `''` when the store's clock alone decides. */
  readonly dead: string
  /** It would count, and is of another codec's mark. */
  readonly foreign?: boolean
  /** The namespace's generation now; undefined: it has none. */
  readonly generation: string | undefined
  /** The versions now of the tags that were named, and of those that the entry has. */
  readonly tags: ReadonlyMap<string, string | undefined>
  /** From before the read was sent: the clock, and a ticket to keep near what it found. */
  readonly atMs: number
  readonly ticket: number | undefined
}

/** What a step is told of the entry under its key. */
export interface Known extends Pick<Reading, 'dead' | 'generation'> {
  readonly entry?: Reading['entry']
  /** In place of `entry`, one that is valid. */
  readonly live?: Pick<Entry, 'id' | 'tags'>
}

type Verdict = Pick<Reading, 'status' | 'dead' | 'foreign'>
/** What an entry is judged by. */
interface Judgement {
  readonly generation: string | undefined
  /** By tag. */
  readonly versions: Reading['tags']
  /** The id of an entry that the store's own clock has just called fresh. */
  readonly liveId: string
}

const ABSENT: Verdict = { status: 'absent', dead: '' }

/**
 * The entry that was read, where it is fresh, of this generation, and has just these tags in this order, `block` as it is
 * stored with their versions now. Undefined: `judge` tells.
 */
export function judgeUsual(
  text: string | undefined,
  generation: string | undefined,
  block: string,
  clock: StoreClock,
): Entry | undefined {
  const entry = text && generation ? parseCurrent(text, generation, block) : undefined
  // Without grace its presence in the store says that it is fresh, unless it holds a lease alone: its mark tells.
  if (!entry?.hasGrace) return entry
  advance(clock, entry)
  return isFreshBy(clock, entry) ? entry : undefined
}

/**
 * The verdict on an entry, by the versions that were read with it. An entry of another generation is dead, and so is one
 * with a tag that is missing or has another hard half. One with another soft half is stale, as is one past its `ttl` in
 * grace. One of another codec's mark is dead, whatever else it is: nobody here can read it.
 */
export function judge(
  entry: Entry | undefined,
  { generation, versions, liveId }: Judgement,
  { tags, clock, marks }: { readonly tags: TagsPart; readonly clock: StoreClock; readonly marks: string },
): Verdict {
  if (!entry || entry.mark === NO_VALUE) return ABSENT
  const stands = entry.generation === generation ? tags.judge(entry.tags, versions) : 'dead'
  const isForeign = !marks.includes(entry.mark)
  const dead = stands === 'valid' && !isForeign ? '' : entry.id
  if (stands === 'valid') advance(clock, entry)
  const isLive = stands === 'valid' && (entry.id === liveId || isFreshBy(clock, entry))
  const isStale = !isLive && stands !== 'dead' && entry.hasGrace && isKept(entry, clock.now())
  if (isForeign) return { status: 'absent', dead, foreign: isLive || isStale }
  return { status: isLive ? 'fresh' : isStale ? 'stale' : 'absent', dead }
}

/** The store's clock is at least where an entry under grace was written. */
function advance(clock: StoreClock, entry: Entry): void {
  if (entry.hasGrace) clock.passed(entry.writtenMs)
}

function isFreshBy(clock: StoreClock, entry: Entry): boolean {
  return isFresh(entry, clock.now)
}
