/** How a cache types its results: as they are, or read-only if a near tier shares them among callers. */
export type Results = 'mutable' | 'frozen'

/** The property of a cache that holds its view, which the functions of `hither/functions` work on. */
export const VIEW: unique symbol = Symbol('view')

/** Feature of a cache whose entries have the cache's own form: grace, namespaces, expiry. */
export interface HasEntries {
  readonly entries: true
}
/** Feature of a cache with tags. */
export interface HasTags extends HasEntries {
  readonly tags: true
}

/** Any cache, whatever methods it has. `R`: how it types its results. `F`: its features beyond plain values. */
export interface AnyCache<out R extends Results = Results, out F extends object = object> {
  readonly [VIEW]: { readonly results?: R; readonly features?: F }
}
