import { now } from '../runtime/clock.ts'
import type { Decision } from './types.ts'

/**
 * Remembers who was refused a moment ago, so that a flood of calls for one id does not become a flood of the store. It only
 * refuses, and only calls that the store would refuse: until the refusal ends, and for a second at most, in which another
 * process may have reset the id. Bounded: the oldest refusal is dropped first.
 */
export interface Refusals {
  find(asked: Asked): Decision | undefined
  /** `sentMs`: a moment before the store decided. `epoch`: the epoch at that moment. */
  keep(asked: Asked, decision: Decision, sentMs: number, epoch: number): void
  forget(key: string): void
  /** How often `forget` was called so far. */
  epoch(): number
}

/** What is asked of the store. */
export interface Asked {
  readonly key: string
  readonly cost: number
  readonly limits: readonly number[]
}

interface Refusal {
  readonly cost: number
  readonly limits: string
  readonly decision: Decision
  readonly sentMs: number
}

const MAX_KEPT = 10_000
/** Most refusals of one key, each for another cost or other limits. */
const MAX_EACH = 8
const MAX_MS = 1000

export function createRefusals(): Refusals {
  const kept = new Map<string, Refusal[]>()
  /** By key, the epoch in which it was last forgotten. A refusal that was asked for before that is not kept. */
  const forgotten = new Map<string, number>()
  let forgettings = 0
  /** The epoch of the last key that was dropped from `forgotten`. */
  let floor = 0
  const put = <T>(map: Map<string, T>, key: string, value: T): T | undefined => {
    map.delete(key)
    const [oldest] = map.size >= MAX_KEPT ? map : []
    if (oldest) map.delete(oldest[0])
    map.set(key, value)
    return oldest?.[1]
  }
  return {
    find({ key, cost, limits }) {
      const all = kept.get(key)
      if (!all) return undefined
      const plan = limits.join()
      const found = all.find((each) => each.cost === cost && each.limits === plan)
      if (!found) return undefined
      const { decision, sentMs } = found
      const passedMs = now() - sentMs
      const retryAfterMs = decision.retryAfterMs - passedMs
      // Less than 0: the clock was set back.
      if (passedMs >= 0 && passedMs < MAX_MS && retryAfterMs > 0) return { ...decision, retryAfterMs }
      kept.delete(key)
      return undefined
    },
    keep({ key, cost, limits }, decision, sentMs, epoch) {
      if ((forgotten.get(key) ?? floor) > epoch) return
      const plan = limits.join()
      const others = (kept.get(key) ?? []).filter((each) => each.cost !== cost || each.limits !== plan)
      put(kept, key, [{ cost, limits: plan, decision, sentMs }, ...others.slice(0, MAX_EACH - 1)])
    },
    forget(key) {
      kept.delete(key)
      floor = put(forgotten, key, ++forgettings) ?? floor
    },
    epoch: () => forgettings,
  }
}
