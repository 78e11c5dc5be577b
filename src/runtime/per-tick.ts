import { REQUEST_SCOPED } from './background.ts'
import { now } from './clock.ts'

/**
 * A run of microtasks that takes longer than this, in ms, was ended from outside, by a limit of its request, and has left its
 * values behind.
 */
export const TICK_LIMIT_MS = 500

/** Values that are shared within one run of microtasks, and forgotten at its end. */
export interface PerTick<V> {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
}

const RESOLVED = Promise.resolve()

/**
 * Calls `run` in the next microtask. Not `queueMicrotask`, which costs ten times as much on Node, and which the fake timers of
 * Jest hold up.
 */
export function soon(run: () => void): void {
  void RESOLVED.then(run)
}

export function perTick<V>(): PerTick<V> {
  let isHolding = false
  /** The first value has no Map, so that a lone call creates none. */
  let first: { readonly key: string; readonly value: V } | undefined
  // A new Map each time. When a Map is cleared, V8 links its old table, with everything in it, to the new one. Once one of
  // these tables is in the old generation, no young collection frees the tables that came after it.
  let others: Map<string, V> | undefined
  const forget = (): void => {
    isHolding = false
    first = others = undefined
  }
  let sinceMs = 0
  return {
    get(key) {
      if (!isHolding) return undefined
      if (REQUEST_SCOPED && now() - sinceMs > TICK_LIMIT_MS) forget()
      return first?.key === key ? first.value : others?.get(key)
    },
    set(key, value) {
      if (!isHolding) {
        isHolding = true
        if (REQUEST_SCOPED) sinceMs = now()
        soon(forget)
      }
      if (first ? first.key === key : !others) first = { key, value }
      else {
        others ??= new Map()
        others.set(key, value)
      }
    },
    delete(key) {
      if (first?.key === key) first = undefined
      else others?.delete(key)
    },
  }
}
