import { setQuietTimer } from '../runtime/clock.ts'

/** How long all places may be taken without an answer before one more request leaves, in milliseconds. */
const SILENT_MS = 100

/** Bounds how many requests are under way at a time. */
export interface Places {
  /** Calls `start` when there is a place, in call order; what it sends takes the place by `take`. */
  enter(start: () => void): void
  readonly isFull: boolean
  take(): void
  /** To be called once for each `take`, when the request has ended. */
  give(): void
}

/**
 * Of `most` places. Where every request is silent, as on connections that a network has lost, those that wait are not: one
 * more leaves every 100 ms, until one of the silent ends.
 */
export function createPlaces(most: number): Places {
  const waiting: (() => void)[] = []
  let taken = 0
  /** Left beyond `most`; the next requests to end free no place. */
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
    get isFull() {
      return taken >= most
    },
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
export const anyPlace: Places = { enter: (start) => start(), isFull: false, take() {}, give() {} }
