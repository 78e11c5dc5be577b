import type { Store } from './store.ts'

/** Registered, so that the entry points of the package need not share this module. */
const CLIENT: unique symbol = /* @__PURE__ */ Symbol.for('hither.client')

/** Returns `store`, which keeps its text with `client`, as other stores may. A copy of the store is over the same client. */
export function overClient(store: Store, client: object): Store {
  return Object.assign(store, { [CLIENT]: client })
}

/** What the store keeps its text with; the store itself if it does not say. */
export function clientOf(store: Store & { readonly [CLIENT]?: object }): object {
  return store[CLIENT] ?? store
}
