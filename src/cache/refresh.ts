import { HitherError } from '../errors.ts'
import { random } from '../runtime/random.ts'
import type { Refresh } from './types.ts'

export type { Refresh } from './types.ts'

/**
 * Refreshes a value at random before its end, more likely the nearer the end is and the longer the load takes, so that about
 * one of many callers refreshes: XFetch (Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede
 * Prevention, 2015). A `beta` above 1 refreshes earlier. Throws `INVALID_ARGUMENT` unless `beta` is above 0 and below 1000.
 */
export function early(beta = 1): Refresh {
  if (!(beta > 0 && beta < 1000)) throw new HitherError('INVALID_ARGUMENT', 'beta is a number above 0')
  return ({ loadMs, freshUntilMs, nowMs }) => nowMs - loadMs * beta * Math.log(1 - random()) >= freshUntilMs
}

/** Refreshes a value from this fraction of its lifetime on, such as 0.8. Throws `INVALID_ARGUMENT` unless between 0 and 1. */
export function atFraction(fraction: number): Refresh {
  if (!(fraction > 0 && fraction < 1)) throw new HitherError('INVALID_ARGUMENT', 'the fraction is between 0 and 1')
  return ({ writtenMs, freshUntilMs, nowMs }) => nowMs >= writtenMs + (freshUntilMs - writtenMs) * fraction
}
