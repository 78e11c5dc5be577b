import { HitherError } from '../errors.ts'

/** A clock that moves only by `advance`. */
export interface ManualClock {
  /** Epoch milliseconds. Needs no `this`: `memoryStore({ now: clock.now })`. */
  now(): number
  /** Moves the clock forward by `ms` milliseconds, or back by a negative number. */
  advance(ms: number): void
}

/**
 * A clock for a store that takes one. It moves the store's time alone: lifetimes, stamps, leases. Timers and deadlines of the
 * process follow the runtime's clock, which a test runner's fake timers replace.
 *
 * `startMs`: epoch milliseconds, by default the start of 2026. Throws `INVALID_ARGUMENT` for a value that is no finite number.
 */
export function manualClock(startMs: number = Date.UTC(2026, 0, 1)): ManualClock {
  let nowMs = checkMs(startMs)
  return {
    now: () => nowMs,
    advance(ms) {
      nowMs += checkMs(ms)
    },
  }
}

function checkMs(ms: number): number {
  if (Number.isFinite(ms)) return ms
  throw new HitherError('INVALID_ARGUMENT', 'a manual clock takes a finite number of milliseconds')
}
