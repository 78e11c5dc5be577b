import { type BoundedMapStats, createBoundedMap } from './bounded-map.ts'
import { CLONED, clone, FROZEN, isolate, UNKNOWN } from './isolate.ts'

/** What is kept of an entry. Instants are epoch milliseconds; `Infinity` is no end. */
export interface NearEntry {
  /** Decoded. */
  readonly value: unknown
  /** Orders the writes of a key: by the store's clock. */
  readonly writtenMs: number
  readonly freshUntilMs: number
  readonly extras?: NearExtras | undefined
}

/** What only some entries have. Costs an object; a string cut out of a stored text would keep all of that text. */
export interface NearExtras {
  /** How long its loader took, in milliseconds. */
  readonly loadMs?: number | undefined
  /** The stored keys of its tags: `invalidate` of one ends it. `peek` never gives out an entry that has them. */
  readonly tags?: readonly string[] | undefined
  /** The store has not confirmed it. */
  readonly unconfirmed?: boolean | undefined
  /** It is given out while this answers true. `peek` never gives out an entry that has it. */
  readonly stands?: (() => boolean) | undefined
  /** The schema by which its value was checked. */
  readonly schema?: unknown
}

/** An entry as it comes in. Its value is the tier's to freeze: arrays and plain objects are frozen in place. */
export interface NearFill extends NearEntry {
  /** A caller may change the value: a copy is kept. @default false */
  readonly callerMayModify?: boolean
  /** Kept until then at the longest, and for `maxAge`. */
  readonly expiresMs: number
}

export interface NearStats extends BoundedMapStats {
  readonly hits: number
  readonly misses: number
  /** Entries that `set` answered false to. */
  readonly refused: number
}

/**
 * Decoded values of this process, bounded and scan-resistant: no I/O, timer or JSON. Every method is synchronous;
 * `nowMs` is the caller's clock in epoch milliseconds. No caller can change what another gets: plain data is deeply
 * frozen, a value that holds a Map, Set, Date or bytes is a new copy each time.
 */
export interface LocalTier {
  /**
   * The value of an entry that is fresh and has nothing to compare; undefined for all else, and then `get` tells. The way
   * to a hit that makes no object. Counts hits only.
   */
  peek(key: string, nowMs: number): unknown
  /** The entry under `key`, fresh or in grace; undefined for none within `maxAge`. */
  get(key: string, nowMs: number): NearEntry | undefined
  /** A value that was returned to a caller, as a copy that it may modify. */
  copyForCaller(value: unknown): unknown
  /** A ticket for a `set`, taken before the read, load or write from which its entry will come is begun. */
  begin(): number
  /**
   * Keeps an entry. Answers false and changes nothing when `key`, or one of its tags, was ended since `ticket` was taken,
   * or an entry with a later `writtenMs` is held: reads never step back. Answers false and drops what is held when the
   * entry cannot be kept: past its end, larger than the tier, or with an instance of a class within, which can be neither
   * frozen nor copied. `nowMs` is from before the read of which it came: `maxAge` counts from there.
   */
  set(key: string, entry: NearFill, nowMs: number, ticket: number): boolean
  /**
   * Drops the entry, and makes void every ticket for `key` so far, and by chance for one key in 4,096. To be called before
   * a delete or write is sent, and once more when it is answered.
   */
  delete(key: string): void
  /** Ends the entries that bear the tag with this stored key, and makes void every ticket so far for one that does. */
  invalidate(tag: string): void
  /** Drops every entry and makes every ticket so far void. */
  clear(): void
  stats(): NearStats
}

interface Extended {
  readonly value: unknown
  readonly extras: NearExtras
  readonly ticket: number
}

/** Marks, beside CLONED. */
const EXTENDED = 1
const GUARDED = 4
/** It is kept for longer than it is fresh. */
const GRACED = 8

/** Times kept, after the end. */
const FRESH_UNTIL = 1
const WRITTEN = 2

const CELLS = 4096
/** How far the clock of a reader may be behind that of what was kept: it is not read for each. */
const COARSE_MS = 1000
/** Most tags whose end is remembered; past it, no entry that bears any and came before the oldest is given out. */
const MAX_ENDED_TAGS = 10_000
/** What an entry takes beside its key and value, in bytes. */
const OVERHEAD_BYTES = 128

export function createLocalTier(maxEntries: number, maxBytes: number, maxAgeMs: number): LocalTier {
  const map = createBoundedMap<unknown>(maxEntries, maxBytes, maxAgeMs + COARSE_MS, 3)
  const { values, find, time } = map
  /** Grows with everything that ends entries: a ticket is what it was. */
  let turn = 0
  /** When the keys of each hash, each tag, and everything was last ended. */
  const ended = new Float64Array(CELLS)
  const endedTags = new Map<string, number>()
  let allEnded = 0
  /** When the last of the tags was ended that are remembered no more. */
  let forgotten = 0
  let hits = 0
  let misses = 0
  let refused = 0

  const valueIn = (slot: number, mark: number): unknown => {
    const held = values[slot]
    const value = mark & EXTENDED ? (held as Extended).value : held
    return mark & CLONED ? clone(value) : value
  }
  const tagsStand = ({ tags }: NearExtras, ticket: number): boolean =>
    !tags || (ticket >= forgotten && tags.every((tag) => (endedTags.get(tag) ?? 0) <= ticket))
  const stands = ({ extras, ticket }: Extended): boolean =>
    tagsStand(extras, ticket) && (!extras.stands || extras.stands())

  return {
    peek(key, nowMs) {
      const slot = find(key, nowMs)
      if (slot === 0) return undefined
      const mark = map.mark(slot)
      if (mark === 0) {
        hits++
        return values[slot]
      }
      if (mark & GUARDED || (mark & GRACED && time(slot, FRESH_UNTIL) <= nowMs)) return undefined
      hits++
      return valueIn(slot, mark)
    },
    get(key, nowMs) {
      const slot = find(key, nowMs)
      const mark = slot && map.mark(slot)
      const guarded = mark & GUARDED && !stands(values[slot] as Extended)
      if (guarded) map.delete(key)
      if (slot === 0 || guarded) {
        misses++
        return undefined
      }
      hits++
      return {
        value: valueIn(slot, mark),
        writtenMs: time(slot, WRITTEN),
        freshUntilMs: time(slot, FRESH_UNTIL),
        extras: mark & EXTENDED ? (values[slot] as Extended).extras : undefined,
      }
    },
    // What is no plain data was copied when it was given out.
    copyForCaller: (value) => (Object.isFrozen(value) ? clone(value) : value),
    begin: () => turn,
    set(key, { value, writtenMs, freshUntilMs, expiresMs, extras, callerMayModify }, nowMs, ticket) {
      const held = map.slotOf(key)
      let kept = false
      if (
        Math.max(allEnded, ended[cellOf(key)] as number) <= ticket &&
        !(extras && !tagsStand(extras, ticket)) &&
        !(held && time(held, WRITTEN) > writtenMs)
      ) {
        const { isolation, bytes } = isolate(value, !callerMayModify)
        const own = isolation === CLONED || (callerMayModify && isolation !== UNKNOWN) ? clone(value) : value
        if (callerMayModify && isolation === FROZEN) isolate(own)
        const keptUntilMs = Math.min(expiresMs, nowMs + maxAgeMs)
        kept = map.set(
          key,
          extras ? { value: own, extras, ticket } : own,
          isolation === UNKNOWN ? Number.POSITIVE_INFINITY : OVERHEAD_BYTES + key.length + Math.ceil(bytes),
          (isolation & CLONED) |
            (extras ? EXTENDED : 0) |
            (extras && (extras.tags || extras.stands || extras.schema) ? GUARDED : 0) |
            (freshUntilMs < keptUntilMs ? GRACED : 0),
          [keptUntilMs, freshUntilMs, writtenMs],
          nowMs,
        )
      }
      if (!kept) refused++
      return kept
    },
    delete(key) {
      ended[cellOf(key)] = ++turn
      map.delete(key)
    },
    invalidate(tag) {
      endedTags.delete(tag)
      endedTags.set(tag, ++turn)
      if (endedTags.size <= MAX_ENDED_TAGS) return
      const [oldest, at] = endedTags.entries().next().value as [string, number]
      endedTags.delete(oldest)
      forgotten = at
    },
    clear() {
      allEnded = ++turn
      endedTags.clear()
      map.clear()
    },
    stats: () => ({ ...map.stats(), hits, misses, refused }),
  }
}

/** FNV-1a, folded. */
function cellOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 16)) & (CELLS - 1)
}
