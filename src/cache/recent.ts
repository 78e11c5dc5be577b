import { now } from '../runtime/clock.ts'

/** A bounded memory of recent values, at most 10,000: the oldest is dropped first. */
export interface Recent<T> {
  /** Undefined when unknown or past its time, or when the clock was set back since. */
  get(key: string): T | undefined
  set(key: string, value: T, forMs: number): void
  delete(key: string): void
}

const MAX_KEPT = 10_000

export function createRecent<T>(): Recent<T> {
  const kept = new Map<string, { readonly value: T; readonly sinceMs: number; readonly untilMs: number }>()
  return {
    get(key) {
      const known = kept.get(key)
      const at = now()
      if (known && known.sinceMs <= at && known.untilMs > at) return known.value
      kept.delete(key)
      return undefined
    },
    set(key, value, forMs) {
      const sinceMs = now()
      const untilMs = sinceMs + forMs
      const known = kept.get(key)
      // Many callers may set the same at the same instant: the first has done it.
      if (known?.untilMs === untilMs && known.value === value) return
      kept.delete(key)
      if (kept.size >= MAX_KEPT) kept.delete(kept.keys().next().value as string)
      kept.set(key, { value, sinceMs, untilMs })
    },
    delete: (key) => void kept.delete(key),
  }
}
