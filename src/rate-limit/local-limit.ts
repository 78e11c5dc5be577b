import { checkWhole } from '../protocol/arguments.ts'
import { now } from '../runtime/clock.ts'

import type { Decision } from './types.ts'

const MAX_IDS = 10_000

/**
 * The limit during an outage: allows each key `most` in each window, counted in this process; `taking`: the call is counted,
 * too. Once 10,000 keys are counted, further ones are refused until the window ends, so that memory is bounded and no key gets
 * more. The `retryAfterMs` of a refusal is at most `retryMs`: by then the store may be back.
 */
export function createLocalLimit(
  most: number,
  windowMs: number,
  retryMs: number,
): (key: string, cost: number, taking: boolean) => Omit<Decision, 'reason'> {
  checkWhole(most, 'outage: { local }', 1)
  const counts = new Map<string, number>()
  let reset = 0
  return (key, cost, taking) => {
    const at = now()
    // The window has ended, or the clock was set back to before its start.
    if (at >= reset || at < reset - windowMs) {
      counts.clear()
      reset = at + windowMs
    }
    const count = counts.get(key) ?? (counts.size < MAX_IDS ? 0 : most)
    const success = count + cost <= most
    const taken = success && taking ? cost : 0
    if (taken > 0) counts.set(key, count + taken)
    const retryAfterMs = success ? 0 : Math.min(reset - at, retryMs)
    return { success, limit: most, remaining: most - count - taken, reset, retryAfterMs }
  }
}
