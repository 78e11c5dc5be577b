import { now } from '../runtime/clock.ts'
import type { Decision } from './types.ts'

/**
 * Who was refused a moment ago, so that a flood of one id does not become a flood of the store. Only refuses, and only what
 * the store would refuse: no longer than the refusal stands, nor than a second, in which another process may have reset
 * the id. Bounded, the oldest out first.
 */
export interface Refusals {
  find(key: string, cost: number, limits: readonly number[]): Decision | undefined
  /** `sentMs`: a moment before the store decided. `epoch`: as it was then. */
  keep(key: string, cost: number, limits: readonly number[], decision: Decision, sentMs: number, epoch: number): void
  forget(key: string): void
  /** How often something was forgotten. */
  epoch(): number
}

interface Refusal {
  readonly cost: number
  readonly limits: string
  readonly decision: Decision
  readonly sentMs: number
}

const MAX_KEPT = 10_000
const MAX_MS = 1000

export function createRefusals(): Refusals {
  const kept = new Map<string, Refusal>()
  let forgotten = 0
  return {
    find(key, cost, limits) {
      const found = kept.get(key)
      if (!found) return undefined
      const { decision, sentMs } = found
      const passedMs = now() - sentMs
      const retryAfterMs = decision.retryAfterMs - passedMs
      // Less than 0: the clock went back.
      if (!(passedMs >= 0 && passedMs < MAX_MS && retryAfterMs > 0)) kept.delete(key)
      else if (cost === found.cost && limits.join() === found.limits) return { ...decision, retryAfterMs }
      return undefined
    },
    keep(key, cost, limits, decision, sentMs, epoch) {
      if (epoch !== forgotten) return
      kept.delete(key)
      if (kept.size >= MAX_KEPT) kept.delete(kept.keys().next().value as string)
      kept.set(key, { cost, limits: limits.join(), decision, sentMs })
    },
    forget(key) {
      forgotten++
      kept.delete(key)
    },
    epoch: () => forgotten,
  }
}
