import { REQUEST_SCOPED } from './background.ts'
import { now, setTimer } from './clock.ts'

/** Reads within one millisecond before the clock is no longer read for each. */
const MANY = 16
/** Reads that one reading of the clock answers at the most. */
const SHARED = 64

let lastMs = 0
/** Reads in the same millisecond, one after the other. */
let alike = 0
let shared = 0

/**
 * Epoch milliseconds as `now` has it, for what is asked very often: reading the clock costs more than a look into a map.
 * After 16 reads in one millisecond a reading answers the next 64 at the most, until a timer fires. Where a timer may end
 * with its request, the clock is read each time.
 */
export function coarseNow(): number {
  if (shared > 0) {
    shared--
    return lastMs
  }
  const at = now()
  if (at !== lastMs) {
    lastMs = at
    alike = 0
  } else if (!REQUEST_SCOPED && ++alike === MANY) setTimer(forget, 0)
  if (alike >= MANY) shared = SHARED
  return at
}

function forget(): void {
  alike = 0
  shared = 0
}
