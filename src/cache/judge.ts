import { type Entry, isFresh, isKept, NO_VALUE, parseCurrent } from '../protocol/entry.ts'
import type { StoreClock } from '../runtime/store-clock.ts'
import type { TagsPart } from './parts/tags.ts'
import type { ValueForm } from './value-form.ts'

/** What one read has found under a key. */
export interface Reading {
  /** The entry as it is stored, which may be a lease without a value. */
  readonly entry: Entry | undefined
  readonly status: 'fresh' | 'stale' | 'absent'
  /** The id of the entry, if a step must treat it as absent; `''`: the store's clock alone decides whether it is live. */
  readonly dead: string
  /** The entry would be fresh or stale, but its mark is that of another codec. */
  readonly foreign?: boolean
  /** The current generation of the namespace; undefined: it has none. */
  readonly generation: string | undefined
  /** The current versions of the tags that the call named, and of those that the entry has. */
  readonly tags: ReadonlyMap<string, string | undefined>
  /** This machine's clock, and the near tier's ticket for keeping the value, both from before the read was sent. */
  readonly atMs: number
  readonly ticket: number | undefined
}

/** What is known of the entry under a key before a step runs. */
export interface Known extends Pick<Reading, 'dead' | 'generation'> {
  readonly entry?: Reading['entry']
  /** In place of `entry`: an entry that is known to be live. */
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

/** The parts of a cache that decide. */
interface Judges {
  readonly tags: TagsPart
  readonly clock: StoreClock
  readonly values: Pick<ValueForm, 'marks'>
}

const ABSENT: Verdict = { status: 'absent', dead: '' }

/**
 * The entry that was read, if it is fresh, has this generation, and has exactly the tag block `block`: the tags that the call
 * named, in that order, with their current versions. Undefined: `judge` must decide.
 */
export function judgeUsual(
  text: string | undefined,
  generation: string | undefined,
  block: string,
  clock: StoreClock,
): Entry | undefined {
  const entry = text && generation ? parseCurrent(text, generation, block) : undefined
  // Without grace an entry is fresh as long as the store has it. It may still be a lease without a value, which its mark shows.
  if (!entry?.hasGrace) return entry
  advance(clock, entry)
  return isFreshBy(clock, entry) ? entry : undefined
}

/**
 * Judges an entry by the versions that were read with it. An entry of another generation is dead, as is one with a tag whose
 * version is missing or has another hard half. An entry with a tag of another soft half is stale, as is one past its `ttl` in
 * grace. An entry with the mark of another codec is dead in any case: this cache cannot read it.
 */
export function judge(
  entry: Entry | undefined,
  { generation, versions, liveId }: Judgement,
  { tags, clock, values }: Judges,
): Verdict {
  if (!entry || entry.mark === NO_VALUE) return ABSENT
  const validity = entry.generation === generation ? tags.judge(entry.tags, versions) : 'dead'
  const isForeign = !values.marks.includes(entry.mark)
  const dead = validity === 'valid' && !isForeign ? '' : entry.id
  if (validity === 'valid') advance(clock, entry)
  const isLive = validity === 'valid' && (entry.id === liveId || isFreshBy(clock, entry))
  const isStale = !isLive && validity !== 'dead' && entry.hasGrace && isKept(entry, clock.now())
  if (isForeign) return { status: 'absent', dead, foreign: isLive || isStale }
  return { status: isLive ? 'fresh' : isStale ? 'stale' : 'absent', dead }
}

/** The store's clock has passed the instant at which an entry with grace was written. */
function advance(clock: StoreClock, entry: Entry): void {
  if (entry.hasGrace) clock.passed(entry.writtenMs)
}

function isFreshBy(clock: StoreClock, entry: Entry): boolean {
  return isFresh(entry, clock.now)
}
