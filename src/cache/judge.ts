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
  /** The namespace's generation now; undefined: it has none. */
  readonly generation: string | undefined
  /** The versions now of the tags that were named, and of those that the entry has. */
  readonly tags: ReadonlyMap<string, string | undefined>
  /** From before the read was sent: the clock, and a ticket to keep near what it found. */
  readonly atMs: number
  readonly ticket: number | undefined
}

type Verdict = Pick<Reading, 'status' | 'dead'>
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
  return entry && isFreshBy(clock, entry) ? entry : undefined
}

/**
 * The verdict on an entry, by the versions that were read with it. An entry of another generation is dead, and so is one
 * with a tag that is missing or has another hard half. One with another soft half is stale, as is one past its `ttl` in
 * grace.
 */
export function judge(
  entry: Entry | undefined,
  { generation, versions, liveId }: Judgement,
  { tags, clock }: { readonly tags: TagsPart; readonly clock: StoreClock },
): Verdict {
  if (!entry || entry.mark === NO_VALUE) return ABSENT
  const stands = entry.generation === generation ? tags.judge(entry.tags, versions) : 'dead'
  const dead = stands === 'valid' ? '' : entry.id
  if (!dead && (entry.id === liveId || isFreshBy(clock, entry))) return { status: 'fresh', dead }
  const hasGrace = entry.freshUntilMs !== entry.expiresMs
  return { status: stands !== 'dead' && hasGrace && isKept(entry, clock.now()) ? 'stale' : 'absent', dead }
}

/** By the store's clock, which is at least where an entry under grace was written. */
function isFreshBy(clock: StoreClock, entry: Entry): boolean {
  if (entry.freshUntilMs !== entry.expiresMs) clock.passed(entry.writtenMs)
  return isFresh(entry, clock.now)
}
