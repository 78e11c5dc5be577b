import { setQuietTimer } from '../runtime/clock.ts'

/** If no request has ended for so long, in milliseconds, one more is sent. */
const SILENT_MS = 100

/** Bounds how many requests are under way at a time. */
export interface Permits {
  /** Calls `start` once a permit is free, in call order. The request that `start` sends takes the permit with `take`. */
  enter(start: () => void): void
  isSpent(): boolean
  take(): void
  /** Gives a permit back: call it once for each `take`, when the request has ended. */
  give(): void
}

/**
 * `most` permits. If no request ends, as on connections that a network has lost, the waiting calls must not stall: one more
 * request is sent every 100 ms, until one ends.
 */
export function createPermits(most: number): Permits {
  const waiting: (() => void)[] = []
  let taken = 0
  /** Requests sent beyond `most`. So many of the next requests to end free no permit. */
  let lent = 0
  let hasMoved = false
  let isWatched = false

  const startNext = (): void => {
    while (taken < most && waiting[0]) (waiting.shift() as () => void)()
    if (!waiting[0] || isWatched) return
    isWatched = true
    hasMoved = false
    setQuietTimer(() => {
      isWatched = false
      if (waiting[0] && !hasMoved) {
        taken--
        lent++
      }
      startNext()
    }, SILENT_MS)
  }
  return {
    enter(start) {
      if (taken < most) start()
      else {
        waiting.push(start)
        startNext()
      }
    },
    isSpent: () => taken >= most,
    take() {
      taken++
    },
    give() {
      hasMoved = true
      if (lent > 0) lent--
      else taken--
      startNext()
    },
  }
}

/** Permits without a bound. */
export const unlimited: Permits = { enter: (start) => start(), isSpent: () => false, take() {}, give() {} }
