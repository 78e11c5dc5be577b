/**
 * A map from strings to values, bounded by entries and bytes, that evicts by SIEVE (NSDI '24). When room is needed, the hand
 * passes over entries that were read since it last came by, and evicts the first one that was not; so a scan evicts little more
 * than its own entries. An entry past its lifetime is removed when it is read, or by the sweep of a later write. Entries have
 * no timer and no object: they are numbered slots. A slot is valid until the next call that can remove its entry.
 */
export interface BoundedMap<V> {
  /** Values by slot. */
  readonly values: readonly (V | undefined)[]
  /** The slot of an entry whose lifetime has not ended at `nowMs`; 0: there is none. The entry then counts as read. */
  find(key: string, nowMs: number): number
  /** The slot of an entry, ended or not; 0: there is none. The entry does not count as read. */
  slotOf(key: string): number
  /** The `mark` that was passed to `set`. */
  mark(slot: number): number
  /** One of the `times` that were passed to `set`. */
  time(slot: number, index: number): number
  /**
   * Stores a value, and evicts entries where it needs room. `times`: the end of the lifetime first, then any other numbers that
   * the caller keeps with the slot. `mark`: from 0 to 15. Returns false when nothing is stored, because the end has passed or
   * the entry alone is larger than the map, or than 128 MB: the key is then absent. An entry replaced in place counts as read.
   */
  set(key: string, value: V, bytes: number, mark: number, times: readonly number[], nowMs: number): boolean
  delete(key: string): void
  clear(): void
  stats(): BoundedMapStats
}

export interface BoundedMapStats {
  /** Entries now, including those that have ended and have not been removed yet. */
  readonly entries: number
  readonly bytes: number
  /** Entries removed to make room since the map was created. */
  readonly evicted: number
}

/** The fields of a slot in `cells`: its neighbours in the queue, and its state. Slot 0 is both ends of the queue. */
const NEWER = 0
const OLDER = 1
/** Bit 0: read since the hand last passed; bits 1 to 4: the mark; from bit 5: bytes. */
const STATE = 2
const WIDTH = 3

const MAX_ENTRY_BYTES = 2 ** 27 - 1
const SWEPT_PER_WRITE = 2

/**
 * `timesKept`: how many numbers `set` takes as `times`. An entry with more than `maxLifeMs` left counts as ended, because the
 * clock was set back.
 */
export function createBoundedMap<V>(
  maxEntries: number,
  maxBytes: number,
  maxLifeMs: number,
  timesKept: number,
): BoundedMap<V> {
  const slots = new Map<string, number>()
  const keys: (string | undefined)[] = []
  const values: (V | undefined)[] = []
  let cells = new Uint32Array(WIDTH)
  let stamps = new Float64Array(timesKept)
  /** Number of slots ever used. Free slots form a list that begins at `free` and is linked by NEWER. */
  let used = 1
  let free = 0
  let hand = 0
  let swept = 0
  let heldBytes = 0
  let evicted = 0

  const cell = (slot: number, field: number): number => cells[slot * WIDTH + field] as number
  const time = (slot: number, index: number): number => stamps[slot * timesKept + index] as number
  const bytesOf = (slot: number): number => cell(slot, STATE) >>> 5
  const link = (older: number, newer: number): void => {
    cells[older * WIDTH + NEWER] = newer
    cells[newer * WIDTH + OLDER] = older
  }
  const remove = (slot: number): void => {
    const newer = cell(slot, NEWER)
    if (slot === hand) hand = newer
    link(cell(slot, OLDER), newer)
    heldBytes -= bytesOf(slot)
    slots.delete(keys[slot] as string)
    keys[slot] = values[slot] = undefined
    cells[slot * WIDTH + NEWER] = free
    free = slot
  }
  const evict = (): void => {
    for (hand ||= cell(0, NEWER); cell(hand, STATE) & 1; hand = cell(hand, NEWER) || cell(0, NEWER)) {
      ;(cells[hand * WIDTH + STATE] as number)--
    }
    remove(hand)
    evicted++
  }
  const place = (key: string): number => {
    if (slots.size >= maxEntries) evict()
    const slot = free || used++
    if (free) free = cell(free, NEWER)
    else if (slot * WIDTH >= cells.length) {
      const count = Math.min(slot * 2 + 16, maxEntries + 1)
      const [oldCells, oldStamps] = [cells, stamps]
      cells = new Uint32Array(count * WIDTH)
      cells.set(oldCells)
      stamps = new Float64Array(count * timesKept)
      stamps.set(oldStamps)
      keys.length = values.length = count
    }
    slots.set(key, slot)
    keys[slot] = key
    link(cell(0, OLDER), slot)
    link(slot, 0)
    return slot
  }

  return {
    values,
    find(key, nowMs) {
      const slot = slots.get(key)
      if (slot === undefined) return 0
      const leftMs = time(slot, 0) - nowMs
      if (leftMs > 0 && leftMs <= maxLifeMs) {
        const at = slot * WIDTH + STATE
        const state = cells[at] as number
        // Most entries have been read before, and reading the bit costs less than writing it.
        if (!(state & 1)) cells[at] = state | 1
        return slot
      }
      remove(slot)
      return 0
    },
    slotOf: (key) => slots.get(key) ?? 0,
    mark: (slot) => (cell(slot, STATE) >> 1) & 15,
    time,
    set(key, value, bytes, mark, times, nowMs) {
      for (let i = 0; i < SWEPT_PER_WRITE; i++) {
        swept = (swept + 1) % used
        if (keys[swept] !== undefined && time(swept, 0) <= nowMs) remove(swept)
      }
      let slot = slots.get(key) ?? 0
      const fits = (times[0] as number) > nowMs && bytes <= Math.min(maxBytes, MAX_ENTRY_BYTES)
      const read = slot && fits && heldBytes - bytesOf(slot) + bytes <= maxBytes ? 1 : 0
      if (read) heldBytes -= bytesOf(slot)
      else {
        // The old entry is removed before room is made, because the hand could evict it as well.
        if (slot) remove(slot)
        if (!fits) return false
        while (heldBytes + bytes > maxBytes) evict()
        slot = place(key)
      }
      heldBytes += bytes
      values[slot] = value
      cells[slot * WIDTH + STATE] = bytes * 32 + mark * 2 + read
      stamps.set(times, slot * timesKept)
      return true
    },
    delete(key) {
      const slot = slots.get(key)
      if (slot) remove(slot)
    },
    clear() {
      slots.forEach(remove)
    },
    stats: () => ({ entries: slots.size, bytes: heldBytes, evicted }),
  }
}
