import { REQUEST_SCOPED } from './background.ts'
import { now } from './clock.ts'

/** A run of microtasks that takes longer has been ended from outside, by a limit of its request, and has left what it held. */
export const TICK_LIMIT_MS = 500

/** Values that one run of microtasks shares: they are forgotten with it. */
export interface PerTick<V> {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
}

const RESOLVED = Promise.resolve()

/** Calls `run` in the next microtask. Not `queueMicrotask`, which costs ten times as much on Node. */
export function soon(run: () => void): void {
  void RESOLVED.then(run)
}

export function perTick<V>(): PerTick<V> {
  let isHolding = false
  /** What a lone call asks for has no Map. */
  let first: { readonly key: string; readonly value: V } | undefined
  // Made anew each time. A Map that is cleared goes on in a new table, to which V8 links the old one with all that it held: once
  // one of these tables is old, no young collection frees what came after it.
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
