import { NEVER, now } from './clock.ts'

/** The store's clock, estimated from this machine's and from what its replies tell. */
export interface StoreClock {
  /** Epoch milliseconds by the store's clock: this machine's, moved by the least difference that is certain. */
  now(): number
  /** Takes note of a reply of now that carries the store's time; `sentMs`: this machine's clock before it was asked. */
  note(sentMs: number, storeMs: number): void
  /** Takes note of an instant that the store's clock has passed. */
  passed(storeMs: number): void
}

/** A stamp further ahead than this is no clock's, but a mistake. */
const MOST_AHEAD_MS = 86_400_000

/**
 * Each reply bounds the difference between the clocks: the store's time was read between the sending and the arrival.
 * Bounds are intersected; where they no longer meet, one of the clocks was set, and the last reply alone counts.
 */
export function createStoreClock(): StoreClock {
  let least = -NEVER
  let most = NEVER
  const difference = (): number => (least > 0 ? least : Math.min(most, 0))
  return {
    now: () => now() + difference(),
    note(sentMs, storeMs) {
      const atMs = now()
      // This machine's clock was set back meanwhile.
      if (atMs < sentMs) return
      // Each clock is read as a whole number of milliseconds.
      const [from, to] = [storeMs - atMs - 1, storeMs - sentMs + 1]
      const meet = from <= most && to >= least
      least = meet ? Math.max(least, from) : from
      most = meet ? Math.min(most, to) : to
    },
    passed(storeMs) {
      const from = storeMs - now() - 1
      if (from <= least || from > MOST_AHEAD_MS) return
      least = from
      if (most < from) most = NEVER
    },
  }
}
