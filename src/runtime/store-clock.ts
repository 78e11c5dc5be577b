import { NEVER, now } from './clock.ts'

/** The store's clock, estimated from this machine's clock and from the times in the store's replies. */
export interface StoreClock {
  /** Epoch milliseconds by the store's clock: this machine's clock, moved by the least difference that is certain. */
  now(): number
  /**
   * Takes note of the store's time in a reply that has just arrived; `sentMs`: this machine's clock before the request was
   * sent.
   */
  note(sentMs: number, storeMs: number): void
  /** Takes note of an instant that the store's clock has already passed. */
  passed(storeMs: number): void
}

/** A stamp that is further ahead than this, in ms, is a mistake, and is ignored. */
const MOST_AHEAD_MS = 86_400_000

/**
 * Each reply bounds the difference between the clocks, because the store read its time between the sending of the request and
 * the arrival of the reply. The bounds are intersected. Where they no longer meet, one of the clocks was set, and only the last
 * reply counts. `exact`: the store's clock, if this process can read it.
 */
export function createStoreClock(exact?: () => number): StoreClock {
  let least = -NEVER
  let most = NEVER
  const difference = (): number => (least > 0 ? least : Math.min(most, 0))
  return {
    now: exact ?? (() => now() + difference()),
    note(sentMs, storeMs) {
      const atMs = now()
      // This machine's clock was set back while the request was under way.
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
