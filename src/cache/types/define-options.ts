import type { Results } from '../handle.ts'
import type { Schema } from '../schema.ts'
import type { CallOptions, WriteOptions } from './call-options.ts'
import type { GetOrSetOptions, LoadContext } from './load-options.ts'
import type { Given } from './results.ts'

/** `A`, without being a place to infer it from: a `key` may use fewer arguments than its function. */
type Exactly<A extends readonly unknown[]> = A extends readonly unknown[] ? A : never

export interface WrapOptions<A extends readonly unknown[]> {
  /** Names the function in its keys: a minifier makes every `fn.name` the same letter. */
  readonly name: string
  /** The key of a call, after the name. @default the arguments, which must then be plain data (a signal is no part of it) */
  readonly key?: (...args: Exactly<A>) => string
}

/** One kind of entries: how its parameters make a key, and how it is loaded. */
export interface DefineOptions<P, T> extends Omit<GetOrSetOptions, 'tags' | 'schema' | 'bypass' | 'forceFresh'> {
  /** Names the kind in its keys. */
  readonly name: string
  /** Checks what is loaded, set and read, and gives the type of the values. */
  readonly schema?: Schema<T>
  /** The key of an entry, after the name. @default the parameters, which must then be plain data */
  readonly key?: (params: P) => string
  readonly load: (params: P, context: LoadContext) => unknown
  /** Loads many at once, in the order of what it is asked for; undefined where there is none. @default one by one */
  readonly loadMany?: (
    params: readonly P[],
    context: { readonly signal: AbortSignal },
  ) => readonly unknown[] | Promise<readonly unknown[]>
  readonly tags?: readonly string[] | ((params: P) => readonly string[])
}

/** A typed front door to the entries of one kind: each method is the cache's, by parameters in place of a key. */
export interface Definition<P, T, R extends Results = 'mutable'> {
  /** As `getOrSet`. */
  get(params: P, options?: CallOptions & Pick<GetOrSetOptions, 'forceFresh' | 'bypass'>): Promise<Given<T, R>>
  /** In the order of `list`. As `getOrSetMany` where there is a `loadMany` and tags do not depend on parameters. */
  getMany(list: readonly P[], options?: CallOptions): Promise<(Given<T, R> | undefined)[]>
  /** As `set`; rejects `INVALID_VALUE` for what the schema refuses. */
  set(params: P, value: T, options?: WriteOptions): Promise<void>
  /** As `delete`. Resolves to whether there was one. */
  delete(params: P, options?: WriteOptions): Promise<boolean>
  /** As `expire`: the next `get` loads, and falls back on the stale value while `grace` lasts. To end many, give them a tag. */
  invalidate(params: P, options?: WriteOptions): Promise<boolean>
}
