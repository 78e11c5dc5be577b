import { REQUEST_SCOPED } from './background.ts'
import { now, setTimer } from './clock.ts'

/** After so many reads within one millisecond the clock is no longer read for each. */
const MANY = 16
/** Most calls that share one reading of the clock. */
const SHARED = 64

let lastMs = 0
/** Number of reads in a row within the same millisecond. */
let alike = 0
let shared = 0

/**
 * Epoch milliseconds as `now` returns them, for very frequent calls: reading the clock costs more than a look into a map. After
 * 16 reads in one millisecond, up to 64 calls share one reading, until a timer fires. Where a timer may end with its request,
 * the clock is read each time.
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
