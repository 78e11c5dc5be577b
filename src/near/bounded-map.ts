/**
 * A map from strings to values, bounded by entries and bytes, that keeps what is asked for again: SIEVE (NSDI '24). An
 * entry read since the hand last passed it stays, any other goes when room is needed, so a scan pushes out little more
 * than itself. A lifetime ends on a read or in the sweep of a later write; no entry has a timer or an object. Entries
 * are numbered slots; a slot is valid until the next call that can remove its entry.
 */
export interface BoundedMap<V> {
  /** Values by slot. */
  readonly values: readonly (V | undefined)[]
  /** The slot of an entry that lives at `nowMs`, which then counts as read; 0 for none. */
  find(key: string, nowMs: number): number
  /** The slot of an entry, alive or not, without a trace; 0 for none. */
  slotOf(key: string): number
  /** What `set` was given as `mark`. */
  mark(slot: number): number
  /** What `set` was given as one of `times`. */
  time(slot: number, index: number): number
  /**
   * Stores, and removes what must go for it. `times`: the end of the lifetime first, then what else the caller wants to
   * keep by slot. `mark`: from 0 to 15. False when nothing is stored, because the end is past or the entry alone is larger
   * than the map, or than 128 MB: the key is then absent. An entry replaced in place counts as read.
   */
  set(key: string, value: V, bytes: number, mark: number, times: readonly number[], nowMs: number): boolean
  delete(key: string): void
  clear(): void
  stats(): BoundedMapStats
}

export interface BoundedMapStats {
  /** Held now, those included that have ended and that no sweep has met. */
  readonly entries: number
  readonly bytes: number
  /** Removed for room since the map was made. */
  readonly evicted: number
}

/** Of a slot, in `cells`: its neighbours in the queue, of which slot 0 is both ends, and its state. */
const NEWER = 0
const OLDER = 1
/** Bit 0: read since the hand last passed; bits 1 to 4: the mark; from bit 5: bytes. */
const STATE = 2
const WIDTH = 3

const MAX_ENTRY_BYTES = 2 ** 27 - 1
const SWEPT_PER_WRITE = 2

/** `timesKept`: how many numbers `set` takes as `times`. An entry with more than `maxLifeMs` left has ended: the clock went back. */
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
  /** Slots ever used; those given back hang on `free` by their NEWER. */
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
        // Most have been read before: a look costs less than a write.
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
        // Room is made without it: the hand could come to it as well.
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
