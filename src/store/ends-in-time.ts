import type { AtomicStore, Store } from './store.ts'

const OWN: unique symbol = Symbol()

interface Marked extends Partial<AtomicStore> {
  /** The store as it was marked. */
  readonly [OWN]?: AtomicStore
}

/**
 * Marks a store that settles each call by its deadline and rejects with a `HitherError` or the reason of an abort: a cache then
 * sets no timer for its calls. Returns the store.
 */
export function endsInTime<S extends AtomicStore>(store: S): S {
  return Object.assign(store, { [OWN]: { ...store } })
}

/** Whether the store is marked and still has the methods it was marked with: a test may have replaced one with a double. */
export function hasMark(store: Store & Marked): boolean {
  const own = store[OWN]
  return !!own && store.get === own.get && store.set === own.set && store.delete === own.delete && store.run === own.run
}
