/** How a cache types its results: as they are, or read only, where a near tier shares them. */
export type Results = 'mutable' | 'frozen'

/** Under this a cache carries what the functions of `hither/functions` work over. */
export const VIEW: unique symbol = Symbol('view')

/** Of a cache of entries of its own form: grace, namespaces, expiry. */
export interface HasEntries {
  readonly entries: true
}
/** Of a cache with tags. */
export interface HasTags extends HasEntries {
  readonly tags: true
}

/** Any cache, whatever methods it has. `R`: how it types its results. `F`: what it can do beside plain values. */
export interface AnyCache<out R extends Results = Results, out F extends object = object> {
  readonly [VIEW]: { readonly results?: R; readonly features?: F }
}
