/** Bounds of a map; all whole numbers above 0. */
export interface BoundedMapOptions {
  readonly maxEntries: number
  readonly maxBytes: number
  /** Longest lifetime in milliseconds; one above 2^31 - 1 (24 days) counts as that. */
  readonly maxLifeMs: number
}

/**
 * A map from strings to values, bounded by entries and bytes, that keeps what is asked for again: SIEVE (NSDI '24). An
 * entry read since the hand last passed it stays, any other goes when room is needed, so a scan pushes out little more
 * than itself. A lifetime ends on a read or in the sweep of a later write; no entry has a timer or an object. Entries
 * are numbered slots: a slot is valid until the next call that may remove its entry.
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
  /** When the entry's lifetime ends, in epoch milliseconds. */
  endMs(slot: number): number
  /**
   * Stores, and removes what must go for it. Answers the slot; 0 when nothing is stored, because the end is past or the
   * entry alone is larger than the map: the key is then absent. `mark`: 7 bits of the caller's. An entry replaced in
   * place counts as read.
   */
  set(key: string, value: V, bytes: number, endMs: number, nowMs: number, mark?: number): number
  /** Whether there was an entry, alive or not. */
  delete(key: string): boolean
  clear(): void
  stats(): BoundedMapStats
}

export interface BoundedMapStats {
  /** Held now, the ended ones that no sweep has met included. */
  readonly entries: number
  readonly bytes: number
  /** Removed for room, and for their age, since the map was made. */
  readonly evicted: number
  readonly expired: number
}

/** Of one slot, in `cells`: its neighbours in the queue (slot 0 is both ends), its end since `baseMs`, its size. */
const NEWER = 0
const OLDER = 1
const END = 2
const BYTES = 3
const WIDTH = 4

const FIRST_SLOTS = 16
const SWEPT_PER_WRITE = 2
const MAX_END = 2 ** 32 - 1
/** How far the clock may go forward, and back, before every end is counted from another base. */
const REACH_MS = 2 ** 31
const SLACK_MS = 2 ** 30

export function createBoundedMap<V>({ maxEntries, maxBytes, maxLifeMs }: BoundedMapOptions): BoundedMap<V> {
  const lifeMs = Math.min(maxLifeMs, REACH_MS - 1)
  const slots = new Map<string, number>()
  const keys: (string | undefined)[] = []
  const values: (V | undefined)[] = []
  let cells = new Uint32Array(0)
  /** Bit 0: read since the hand last passed. The rest: the caller's mark. */
  let flags = new Uint8Array(0)
  let baseMs = Number.NaN
  /** Slots ever used; those given back hang on `free` by their NEWER. */
  let used = 0
  let free = 0
  let hand = 0
  let swept = 0
  let heldBytes = 0
  let evicted = 0
  let expired = 0

  const cell = (slot: number, field: number): number => cells[slot * WIDTH + field] as number
  const link = (older: number, newer: number): void => {
    cells[older * WIDTH + NEWER] = newer
    cells[newer * WIDTH + OLDER] = older
  }
  const leftMs = (slot: number, nowMs: number): number => cell(slot, END) - (nowMs - baseMs)

  const remove = (slot: number): void => {
    const newer = cell(slot, NEWER)
    if (slot === hand) hand = newer
    link(cell(slot, OLDER), newer)
    heldBytes -= cell(slot, BYTES)
    slots.delete(keys[slot] as string)
    keys[slot] = values[slot] = undefined
    cells[slot * WIDTH + NEWER] = free
    free = slot
  }
  const evict = (): void => {
    for (;;) {
      hand ||= cell(0, NEWER)
      if (((flags[hand] as number) & 1) === 0) break
      ;(flags[hand] as number) &= ~1
      hand = cell(hand, NEWER)
    }
    remove(hand)
    evicted++
  }
  const grow = (): void => {
    const count = Math.min(Math.max(FIRST_SLOTS, used * 2), maxEntries + 1)
    const [oldCells, oldFlags] = [cells, flags]
    cells = new Uint32Array(count * WIDTH)
    cells.set(oldCells)
    flags = new Uint8Array(count)
    flags.set(oldFlags)
    keys.length = values.length = count
    used ||= 1
  }
  const rebase = (nowMs: number): void => {
    const shift = baseMs - (nowMs - SLACK_MS)
    baseMs = nowMs - SLACK_MS
    for (let slot = 1; slot < used; slot++) {
      cells[slot * WIDTH + END] = Math.min(Math.max(cell(slot, END) + shift, 0), MAX_END)
    }
  }
  const sweep = (nowMs: number): void => {
    for (let i = 0; i < SWEPT_PER_WRITE && used > 1; i++) {
      swept = (swept % (used - 1)) + 1
      if (keys[swept] !== undefined && leftMs(swept, nowMs) <= 0) {
        remove(swept)
        expired++
      }
    }
  }
  const place = (key: string): number => {
    if (slots.size >= maxEntries) evict()
    if (free === 0 && used === flags.length) grow()
    const slot = free || used++
    if (free) free = cell(free, NEWER)
    slots.set(key, slot)
    keys[slot] = key
    flags[slot] = cells[slot * WIDTH + BYTES] = 0
    link(cell(0, OLDER), slot)
    link(slot, 0)
    return slot
  }

  return {
    values,
    find(key, nowMs) {
      const slot = slots.get(key)
      if (slot === undefined) return 0
      const left = leftMs(slot, nowMs)
      // More left than any entry is given: the clock went back.
      if (left > 0 && left <= lifeMs) {
        ;(flags[slot] as number) |= 1
        return slot
      }
      remove(slot)
      expired++
      return 0
    },
    slotOf: (key) => slots.get(key) ?? 0,
    mark: (slot) => (flags[slot] as number) >> 1,
    endMs: (slot) => baseMs + cell(slot, END),
    set(key, value, bytes, endMs, nowMs, mark = 0) {
      if (!(nowMs >= baseMs && nowMs < baseMs + REACH_MS)) rebase(nowMs)
      sweep(nowMs)
      let slot = slots.get(key) ?? 0
      const fits = endMs > nowMs && bytes <= maxBytes
      if (slot && (!fits || heldBytes - cell(slot, BYTES) + bytes > maxBytes)) {
        // Room is made without it: the hand could come to it as well.
        remove(slot)
        slot = 0
      }
      if (!fits) return 0
      if (slot === 0) {
        while (heldBytes + bytes > maxBytes) evict()
        slot = place(key)
      } else (flags[slot] as number) |= 1
      heldBytes += bytes - cell(slot, BYTES)
      values[slot] = value
      cells[slot * WIDTH + BYTES] = bytes
      cells[slot * WIDTH + END] = Math.min(endMs, nowMs + lifeMs) - baseMs
      flags[slot] = ((flags[slot] as number) & 1) | (mark << 1)
      return slot
    },
    delete(key) {
      const slot = slots.get(key)
      if (slot === undefined) return false
      remove(slot)
      return true
    },
    clear() {
      slots.clear()
      keys.length = values.length = 0
      cells = new Uint32Array(0)
      flags = new Uint8Array(0)
      used = free = hand = swept = heldBytes = 0
    },
    stats: () => ({ entries: slots.size, bytes: heldBytes, evicted, expired }),
  }
}
