import { HitherError } from '../errors.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { type BoundedMapStats, createBoundedMap } from './bounded-map.ts'
import { clone, freeze, isolationOf } from './isolate.ts'

export interface NearTierOptions {
  /** Most entries kept. @default 100_000 */
  readonly maxEntries?: number
  /** Most bytes kept, estimated from the length of keys and stored texts. @default 32_000_000 */
  readonly maxBytes?: number
  /**
   * How long an entry is given out without asking the store: the bound on how stale a read can be when another process
   * writes or deletes. More than 24 days counts as that. @default '5s'
   */
  readonly maxAge?: Duration
}

/** What is kept of an entry. Instants are epoch milliseconds; `Infinity` is no end. */
export interface NearEntry {
  /** Decoded, and the tier's to freeze: arrays and plain objects are frozen in place. Undefined: known to be absent. */
  readonly value: unknown
  /** By the clock that orders the writes of a key: the store's. */
  readonly writtenMs: number
  readonly freshUntilMs: number
  /** When it ends, grace included. */
  readonly expiresMs: number
  readonly loadMs?: number | undefined
  /** An id, or tags, cost an object: give them where they will be looked at. */
  readonly id?: string | undefined
  /** Versions it was loaded under, by tag. An entry with tags is never given out by `peek`. */
  readonly tags?: Readonly<Record<string, string>> | undefined
  /** The store has not confirmed it. */
  readonly unconfirmed?: boolean | undefined
}

/** `NearEntry` as it comes in. */
export interface NearFill extends NearEntry {
  /** Length of the text it is stored as, for `maxBytes`. */
  readonly textLength: number
  /** Kept no longer than this, nor than `maxAge`. */
  readonly maxAgeMs?: number | undefined
}

export interface NearStats extends BoundedMapStats {
  readonly hits: number
  readonly misses: number
  /** Fills that a delete or a newer entry kept out, and values that can neither be frozen nor cloned. */
  readonly refused: number
}

/**
 * Decoded values of this process, bounded and scan-resistant, without I/O, timer or JSON. Every method is synchronous;
 * `nowMs` is the caller's clock in epoch milliseconds. What it gives out no caller can change for another: plain data is
 * deeply frozen, a value that holds a Map, Set, Date or bytes is a new copy each time.
 */
export interface NearTier {
  /**
   * The value of an entry that is fresh and has no tags to compare. Undefined for all else: `get` then tells. The way to
   * a hit that makes no object; it counts hits only.
   */
  peek(key: string, nowMs: number): unknown
  /** The entry under `key`, fresh or in grace; undefined for none within `maxAge`. */
  get(key: string, nowMs: number): NearEntry | undefined
  /** A ticket for a later `set`, to be taken before the read, the load or the write that the entry will come from. */
  begin(key: string): number
  /**
   * Keeps an entry. Answers false, and changes nothing, when `key` was deleted since `ticket` was taken, or when an entry
   * with a later `writtenMs` is held: reads never step back. Answers false and drops what is held when the entry cannot
   * be kept: past its end, larger than the tier, or a value that is neither plain data nor Map, Set, Date or bytes.
   */
  set(key: string, entry: NearFill, nowMs: number, ticket: number): boolean
  /**
   * Drops the entry and turns every ticket of `key` void, and by chance one in 4,096 of others. For each delete, write
   * or invalidation, before it is sent and again when it is answered. Whether there was an entry.
   */
  delete(key: string): boolean
  /** Drops every entry and turns every ticket void. */
  clear(): void
  stats(): NearStats
}

/** What a value with an id or tags is wrapped in. */
interface Noted {
  readonly value: unknown
  readonly id: string | undefined
  readonly tags: Readonly<Record<string, string>> | undefined
}

const CLONED = 1
const NOTED = 2
const TAGGED = 4
const UNCONFIRMED = 8

const CELLS = 4096
/** What an entry takes beside its key and value, in bytes. */
const OVERHEAD_BYTES = 128

/** A near tier, to be passed to `createCache`. Throws `INVALID_ARGUMENT` and `INVALID_DURATION` for its options. */
export function nearTier(options: NearTierOptions = {}): NearTier {
  const { maxEntries = 100_000, maxBytes = 32_000_000, maxAge = '5s', ...rest } = options
  const [unknown] = Object.keys(rest)
  if (unknown) throw invalid(`nearTier has no option ${unknown}`)
  for (const [name, bound] of Object.entries({ maxEntries, maxBytes })) {
    // A Map holds 2^24 entries.
    if (!Number.isSafeInteger(bound) || bound < 1 || (name === 'maxEntries' && bound >= 2 ** 24))
      throw invalid(`${name} is a whole number above 0${name === 'maxEntries' ? ' and below 2^24' : ''}`)
  }
  const maxAgeMs = toMs(maxAge, 'maxAge')
  const map = createBoundedMap<unknown>({ maxEntries, maxBytes, maxLifeMs: maxAgeMs })
  const { values } = map
  /** Of each slot: fresh until, expires, written at, load time. */
  let times = new Float64Array(0)
  /** Counts, each of the keys of one hash, what turns tickets void. */
  const voided = new Int32Array(CELLS)
  let cleared = 0
  let hits = 0
  let misses = 0
  let refused = 0

  const begin = (key: string): number => (voided[cellOf(key)] as number) + cleared
  const valueAt = (slot: number, mark: number): unknown => {
    const held = values[slot]
    const value = mark & NOTED ? (held as Noted).value : held
    return mark & CLONED ? clone(value) : value
  }
  const refuse = (): false => {
    refused++
    return false
  }

  return {
    peek(key, nowMs) {
      const slot = map.find(key, nowMs)
      if (slot === 0 || !((times[slot * 4] as number) > nowMs)) return undefined
      const mark = map.mark(slot)
      if (mark & TAGGED) return undefined
      hits++
      return mark === 0 ? values[slot] : valueAt(slot, mark)
    },
    get(key, nowMs) {
      const slot = map.find(key, nowMs)
      if (slot === 0) {
        misses++
        return undefined
      }
      hits++
      const mark = map.mark(slot)
      const noted = mark & NOTED ? (values[slot] as Noted) : undefined
      const [freshUntilMs, expiresMs, writtenMs, loadMs] = times.subarray(slot * 4) as unknown as [
        number,
        number,
        number,
        number,
      ]
      return {
        value: valueAt(slot, mark),
        writtenMs,
        freshUntilMs,
        expiresMs,
        loadMs,
        id: noted?.id,
        tags: noted?.tags,
        unconfirmed: (mark & UNCONFIRMED) > 0,
      }
    },
    begin,
    set(key, entry, nowMs, ticket) {
      const { value, writtenMs, freshUntilMs, expiresMs, loadMs = 0, textLength, id, tags, unconfirmed } = entry
      const held = map.slotOf(key)
      if (ticket !== begin(key) || (held > 0 && (times[held * 4 + 2] as number) > writtenMs)) return refuse()
      const isolation = isolationOf(value)
      if (isolation === 'none') {
        map.delete(key)
        return refuse()
      }
      if (isolation === 'frozen') freeze(value)
      const own = isolation === 'cloned' ? clone(value) : value
      const noted = id !== undefined || tags !== undefined
      const mark =
        (isolation === 'cloned' ? CLONED : 0) |
        (noted ? NOTED : 0) |
        (tags ? TAGGED : 0) |
        (unconfirmed ? UNCONFIRMED : 0)
      const slot = map.set(
        key,
        noted ? ({ value: own, id, tags } satisfies Noted) : own,
        OVERHEAD_BYTES + key.length + 2 * textLength,
        Math.min(expiresMs, nowMs + Math.min(entry.maxAgeMs ?? maxAgeMs, maxAgeMs)),
        nowMs,
        mark,
      )
      if (slot === 0) return refuse()
      if (slot * 4 >= times.length) {
        const old = times
        times = new Float64Array(Math.min(Math.max(64, slot * 8), (maxEntries + 1) * 4))
        times.set(old)
      }
      times.set([freshUntilMs, expiresMs, writtenMs, loadMs], slot * 4)
      return true
    },
    delete(key) {
      ;(voided[cellOf(key)] as number)++
      return map.delete(key)
    },
    clear() {
      cleared++
      map.clear()
      times = new Float64Array(0)
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

function invalid(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}
