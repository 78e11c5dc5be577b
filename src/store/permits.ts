import { setQuietTimer } from '../runtime/clock.ts'

/** How long every request may be silent before one more leaves, in milliseconds. */
const SILENT_MS = 100

/** Bounds how many requests are under way at a time. */
export interface Permits {
  /** Calls `start` once a permit is free, in call order; what it sends takes the permit by `take`. */
  enter(start: () => void): void
  isSpent(): boolean
  take(): void
  /** To be called once for each `take`, when the request has ended. */
  give(): void
}

/**
 * `most` permits. Where every request is silent, as on connections that a network has lost, those that wait are not held up: one
 * more leaves every 100 ms, until one of the silent ends.
 */
export function createPermits(most: number): Permits {
  const waiting: (() => void)[] = []
  let taken = 0
  /** Left beyond `most`; the next requests to end free no permit. */
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

/** Without a bound. */
export const unlimited: Permits = { enter: (start) => start(), isSpent: () => false, take() {}, give() {} }
