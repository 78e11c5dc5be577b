import { HitherError } from '../errors.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { type BoundedMapStats, createBoundedMap } from './bounded-map.ts'
import { CLONED, clone, isolate, UNKNOWN } from './isolate.ts'

export interface NearTierOptions {
  /** Most entries kept, at most 2^24 - 1. @default 100_000 */
  readonly maxEntries?: number
  /** Most bytes kept, estimated from the lengths of keys and stored texts. @default 32_000_000 */
  readonly maxBytes?: number
  /**
   * How long an entry is given out without asking the store: the bound on how stale a read can be after another process
   * has written or deleted. @default '5s'
   */
  readonly maxAge?: Duration
}

/** What is kept of an entry. Instants are epoch milliseconds; `Infinity` is no end. */
export interface NearEntry {
  /** Decoded. Undefined: known to be absent, a tombstone. */
  readonly value: unknown
  /** Orders the writes of a key: by the store's clock. */
  readonly writtenMs: number
  readonly freshUntilMs: number
  /** Kept as it is given, for the cache alone. */
  readonly note?: NearNote | undefined
}

/** What only some reads look at. Costs an object; a string cut out of a stored text would keep all of that text. */
export interface NearNote {
  readonly id?: string
  readonly expiresMs?: number
  readonly loadMs?: number
  /** The versions it was loaded under, by tag. `peek` never gives out an entry that has them. */
  readonly tags?: Readonly<Record<string, string>>
  /** The store has not confirmed it. */
  readonly unconfirmed?: true
}

/** An entry as it comes in. Its value is the tier's to freeze: arrays and plain objects are frozen in place. */
export interface NearFill extends NearEntry {
  /** Kept until then at the longest, and for `maxAge`. */
  readonly expiresMs: number
  /** Length of the text it is stored as, for `maxBytes`. */
  readonly textLength: number
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
export interface NearTier {
  /**
   * The value of an entry that is fresh and has no tags to compare; undefined for all else, and then `get` tells. The way
   * to a hit that makes no object. Counts hits only.
   */
  peek(key: string, nowMs: number): unknown
  /** The entry under `key`, fresh or in grace; undefined for none within `maxAge`. */
  get(key: string, nowMs: number): NearEntry | undefined
  /** A ticket for a `set`, taken before the read, load or write from which its entry will come is begun. */
  begin(key: string): number
  /**
   * Keeps an entry. Answers false and changes nothing when `key` was deleted since `ticket` was taken, or an entry with a
   * later `writtenMs` is held: reads never step back. Answers false and drops what is held when the entry cannot be kept:
   * past its end, larger than the tier, or with an instance of a class within, which can be neither frozen nor copied.
   */
  set(key: string, entry: NearFill, nowMs: number, ticket: number): boolean
  /**
   * Drops the entry and makes every ticket of `key` void, and by chance those of one key in 4,096. To be called before a
   * delete, a write or an invalidation is sent, and once more when it is answered.
   */
  delete(key: string): void
  /** Drops every entry and makes every ticket void. */
  clear(): void
  stats(): NearStats
}

interface Noted {
  readonly value: unknown
  readonly note: NearNote
}

/** Marks, beside CLONED. */
const NOTED = 1
const TAGGED = 4

/** Times kept, after the end. */
const FRESH_UNTIL = 1
const WRITTEN = 2

const CELLS = 4096
/** What an entry takes beside its key and value, in bytes. */
const OVERHEAD_BYTES = 128

/** A near tier, to be passed to `createCache`. Throws `INVALID_ARGUMENT` and `INVALID_DURATION` for its options. */
export function nearTier(options: NearTierOptions = {}): NearTier {
  const { maxEntries = 100_000, maxBytes = 32_000_000, maxAge = '5s', ...rest } = options
  for (const name in rest) throw invalid(`nearTier has no option ${name}`)
  checkBound('maxEntries', maxEntries, 2 ** 24 - 1)
  checkBound('maxBytes', maxBytes, Number.MAX_SAFE_INTEGER)
  const maxAgeMs = toMs(maxAge, 'maxAge')
  const map = createBoundedMap<unknown>(maxEntries, maxBytes, maxAgeMs, 3)
  const { values, find, time } = map
  /** How often tickets were made void, for the keys of each hash. */
  const voided = new Uint32Array(CELLS)
  let cleared = 0
  let hits = 0
  let misses = 0
  let refused = 0

  const begin = (key: string): number => (voided[cellOf(key)] as number) + cleared
  const valueIn = (slot: number, mark: number): unknown => {
    const held = values[slot]
    const value = mark & NOTED ? (held as Noted).value : held
    return mark & CLONED ? clone(value) : value
  }

  return {
    peek(key, nowMs) {
      const slot = find(key, nowMs)
      if (slot === 0 || time(slot, FRESH_UNTIL) <= nowMs) return undefined
      const mark = map.mark(slot)
      if (mark & TAGGED) return undefined
      hits++
      return mark ? valueIn(slot, mark) : values[slot]
    },
    get(key, nowMs) {
      const slot = find(key, nowMs)
      if (slot === 0) {
        misses++
        return undefined
      }
      hits++
      const mark = map.mark(slot)
      return {
        value: valueIn(slot, mark),
        writtenMs: time(slot, WRITTEN),
        freshUntilMs: time(slot, FRESH_UNTIL),
        note: mark & NOTED ? (values[slot] as Noted).note : undefined,
      }
    },
    begin,
    set(key, { value, writtenMs, freshUntilMs, expiresMs, note, textLength }, nowMs, ticket) {
      const held = map.slotOf(key)
      let kept = false
      if (ticket === begin(key) && !(held && time(held, WRITTEN) > writtenMs)) {
        const isolation = isolate(value)
        const own = isolation === CLONED ? clone(value) : value
        kept = map.set(
          key,
          note ? { value: own, note } : own,
          isolation === UNKNOWN ? Number.POSITIVE_INFINITY : OVERHEAD_BYTES + key.length + 2 * textLength,
          (isolation & CLONED) | (note ? NOTED : 0) | (note?.tags ? TAGGED : 0),
          [Math.min(expiresMs, nowMs + maxAgeMs), freshUntilMs, writtenMs],
          nowMs,
        )
      }
      if (!kept) refused++
      return kept
    },
    delete(key) {
      ;(voided[cellOf(key)] as number)++
      map.delete(key)
    },
    clear() {
      cleared++
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

function checkBound(name: string, bound: number, most: number): void {
  if (!Number.isSafeInteger(bound) || bound < 1 || bound > most)
    throw invalid(`${name} is a whole number from 1 to ${most}`)
}

function invalid(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}
