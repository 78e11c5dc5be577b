import { now } from '../runtime/clock.ts'
import { checkWhole } from './algorithm.ts'
import type { Decision } from './types.ts'

const MAX_IDS = 10_000

/**
 * For the time of an outage: allows each key `most` in each window, in this process. Once 10,000 keys are counted, further
 * ones are refused until the window ends, so that memory is bounded and nobody gets more.
 */
export function createLocalLimit(
  most: number,
  windowMs: number,
): (key: string, cost: number) => Omit<Decision, 'reason'> {
  checkWhole(most, 'outage: { local }', 1)
  const counts = new Map<string, number>()
  let reset = 0
  return (key, cost) => {
    const at = now()
    // Past the end, or before the start: the clock went back.
    if (at >= reset || at < reset - windowMs) {
      counts.clear()
      reset = at + windowMs
    }
    const count = counts.get(key) ?? (counts.size < MAX_IDS ? 0 : most)
    const success = count + cost <= most
    if (success && cost > 0) counts.set(key, count + cost)
    const remaining = most - count - (success ? cost : 0)
    return { success, limit: most, remaining, reset, retryAfterMs: success ? 0 : reset - at }
  }
}
