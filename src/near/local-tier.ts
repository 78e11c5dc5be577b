import { type BoundedMapStats, createBoundedMap } from './bounded-map.ts'
import { CLONED, clone, FROZEN, isolate, UNKNOWN } from './isolate.ts'

/** An entry of the near tier. Instants are epoch milliseconds; `Infinity` is no end. */
export interface NearEntry {
  /** The decoded value. */
  readonly value: unknown
  /** When it was written, by the store's clock. It orders the writes of a key. */
  readonly writtenMs: number
  readonly freshUntilMs: number
  readonly extras?: NearExtras | undefined
}

/**
 * What only some entries have; it costs an object. Put no part of a stored text here: it would keep all of that text in memory.
 */
export interface NearExtras {
  /** How long its loader took, in milliseconds. */
  readonly loadMs?: number | undefined
  /** The stored keys of its tags: `invalidate` of one of them ends the entry. `peek` never returns an entry that has tags. */
  readonly tags?: readonly string[] | undefined
  /** The store has not confirmed the value. */
  readonly unconfirmed?: boolean | undefined
  /** The entry is returned only while this returns true. `peek` never returns an entry that has it. */
  readonly stands?: (() => boolean) | undefined
  /** The schema by which its value was checked. `peek` never returns an entry that has one. */
  readonly schema?: unknown
}

/** An entry to keep. The tier may freeze its value: arrays and plain objects are frozen in place. */
export interface NearFill extends NearEntry {
  /** A caller may modify the value, so the tier keeps a copy. @default false */
  readonly callerMayModify?: boolean
  /** The entry is kept until then at most, and for `maxAge` at most. */
  readonly expiresMs: number
}

export interface NearStats extends BoundedMapStats {
  readonly hits: number
  readonly misses: number
  /** Entries for which `set` returned false. */
  readonly refused: number
}

/**
 * Decoded values of this process, bounded and scan-resistant: no I/O, timer or JSON. Every method is synchronous; `nowMs` is
 * the caller's clock in epoch milliseconds. No caller can change what another gets: plain data is deeply frozen, and a value
 * that contains a Map, Set, Date or bytes is copied for each caller.
 */
export interface LocalTier {
  /**
   * The value of a fresh entry that has no tags, no schema and no `stands`; undefined for all else, which needs `get`. A hit
   * creates no object. Counts hits only.
   */
  peek(key: string, nowMs: number): unknown
  /** The entry under `key`, fresh or in grace; undefined: there is none within `maxAge`. */
  get(key: string, nowMs: number): NearEntry | undefined
  /** A value that was returned to a caller, as a copy that the caller may modify. */
  copyForCaller(value: unknown): unknown
  /** A ticket for `set`. Take it before the read, load or write begins that the entry will come from. */
  begin(): number
  /**
   * Keeps an entry. Returns false and changes nothing when `key` or one of the entry's tags was ended since `ticket` was taken,
   * or when the tier has an entry with a later `writtenMs`: reads never go back in time. Returns false and drops the present
   * entry when the new one cannot be kept, because it is past its end, larger than the tier, or contains an instance of a
   * class, which can be neither frozen nor copied. `nowMs` is from before the read that the entry comes from: `maxAge` counts
   * from there.
   */
  set(key: string, entry: NearFill, nowMs: number, ticket: number): boolean
  /**
   * Drops the entry, and voids every ticket taken so far for `key` and, by a shared hash, for about one other key in 4,096.
   * Call it before a delete or write is sent, and once more after its reply.
   */
  delete(key: string): void
  /** Ends the entries that have the tag with this stored key, and voids every ticket taken so far for such an entry. */
  invalidate(tag: string): void
  /** Drops every entry and voids every ticket taken so far. */
  clear(): void
  stats(): NearStats
}

interface Extended {
  readonly value: unknown
  readonly extras: NearExtras
  readonly ticket: number
}

/** Bits of a mark, beside CLONED. */
const EXTENDED = 1
const GUARDED = 4
/** The entry is kept for longer than it is fresh. */
const GRACED = 8

/** Indexes of the times of a slot, after the end of its lifetime. */
const FRESH_UNTIL = 1
const WRITTEN = 2

const CELLS = 4096
/** How far a reader's `nowMs` may be behind that of `set`, in ms: the clock is not read for every call. */
const COARSE_MS = 1000
/**
 * Most invalidated tags that are remembered. Beyond that, an entry with tags is not returned if it is older than the last tag
 * that was forgotten.
 */
const MAX_ENDED_TAGS = 10_000
/** What an entry takes beside its key and value, in bytes. */
const OVERHEAD_BYTES = 128

/**
 * Why there are tickets. Call A reads a key from the store. Before the reply arrives, call B deletes the key. A would then keep
 * the old value after the delete. `delete` stores the number of its `turn` for the key, and the ticket of A, taken before its
 * read, has a smaller number: so `set` refuses the value.
 */
export function createLocalTier(maxEntries: number, maxBytes: number, maxAgeMs: number): LocalTier {
  const map = createBoundedMap<unknown>(maxEntries, maxBytes, maxAgeMs + COARSE_MS, 3)
  const { values, find, time } = map
  /** Grows with every call that ends entries. A ticket is its value at that moment. */
  let turn = 0
  /** The `turn` at which the keys of each hash, each tag, and everything was last ended. */
  const ended = new Float64Array(CELLS)
  const endedTags = new Map<string, number>()
  let allEnded = 0
  /** The `turn` at which the last of the forgotten tags was ended. */
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
    // A value that is not plain data was already copied when it was returned.
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

/** The cell of a key: FNV-1a, folded to 12 bits. */
function cellOf(key: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 16)) & (CELLS - 1)
}
