import { REQUEST_SCOPED } from './background.ts'
import { now } from './clock.ts'

/** A run of microtasks that takes longer has been ended from outside, by a limit of its request, and has left what it held. */
export const MOMENT_MS = 500

/** What one run of microtasks shares: it is forgotten with it. */
export interface PerTick<V> {
  get(key: string): V | undefined
  set(key: string, value: V): void
  delete(key: string): void
}

const RESOLVED = Promise.resolve()

export function perTick<V>(): PerTick<V> {
  const held = new Map<string, V>()
  const clear = (): void => held.clear()
  let sinceMs = 0
  return {
    get(key) {
      if (REQUEST_SCOPED && held.size > 0 && now() - sinceMs > MOMENT_MS) held.clear()
      return held.get(key)
    },
    set(key, value) {
      if (held.size === 0) {
        if (REQUEST_SCOPED) sinceMs = now()
        // Not `queueMicrotask`, which costs ten times as much on Node.
        void RESOLVED.then(clear)
      }
      held.set(key, value)
    },
    delete: (key) => void held.delete(key),
  }
}
