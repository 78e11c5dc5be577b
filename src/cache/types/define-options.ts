import type { Results } from '../handle.ts'
import type { Schema } from '../schema.ts'
import type { CallOptions, WriteOptions } from './call-options.ts'
import type { GetOrSetOptions, LoadContext } from './load-options.ts'
import type { Given } from './results.ts'

/** `A`, but TypeScript does not infer `A` from it: a `key` function may take fewer arguments than the wrapped function. */
type Exactly<A extends readonly unknown[]> = A extends readonly unknown[] ? A : never

export interface WrapOptions<A extends readonly unknown[]> {
  /** The name of the function in its keys. `fn.name` does not serve: a minifier may give every function the same letter. */
  readonly name: string
  /** The part of a call's key after the name. @default the arguments without trailing signals, which must then be plain data */
  readonly key?: (...args: Exactly<A>) => string
}

/** One kind of entries: how its parameters make a key, and how an entry is loaded. */
export interface DefineOptions<P, T> extends Omit<GetOrSetOptions, 'tags' | 'schema' | 'bypass' | 'forceFresh'> {
  /** The name of the kind in its keys. */
  readonly name: string
  /** Checks the values that are loaded, set and read, and gives them their type. */
  readonly schema?: Schema<T>
  /** The part of an entry's key after the name. @default the parameters, which must then be plain data */
  readonly key?: (params: P) => string
  /** Loads one value, as the loader of `getOrSet` does. */
  readonly load: (params: P, context: LoadContext) => unknown
  /**
   * Loads many at once: a value for each of `params`, in their order; undefined: there is none. An array of another length fails
   * the load with `INVALID_ARGUMENT`. @default each by `load`
   */
  readonly loadMany?: (
    params: readonly P[],
    context: { readonly signal: AbortSignal },
  ) => readonly unknown[] | Promise<readonly unknown[]>
  /** Names by which the entries can be invalidated, at most 64 each: a list, or a function that returns those of one entry. @default none */
  readonly tags?: readonly string[] | ((params: P) => readonly string[])
}

/** The loaders of a kind without a schema, which give its values their type. */
export interface KindLoaders<P, T> {
  readonly load: (params: P, context: LoadContext) => T | Promise<T>
  readonly loadMany?: (
    params: readonly P[],
    context: { readonly signal: AbortSignal },
  ) => readonly (T | undefined)[] | Promise<readonly (T | undefined)[]>
}

/** Typed access to the entries of one kind: methods of the cache that take parameters in place of a key. */
export interface Definition<P, T, R extends Results = 'mutable'> {
  /** As `getOrSet`. */
  get(params: P, options?: CallOptions & Pick<GetOrSetOptions, 'forceFresh' | 'bypass'>): Promise<Given<T, R>>
  /**
   * Resolves to the values in the order of `list`. Works as `getOrSetMany` if there is a `loadMany` and the tags do not depend
   * on parameters; otherwise as `get` for each.
   */
  getMany(list: readonly P[], options?: CallOptions): Promise<(Given<T, R> | undefined)[]>
  /** As `set`. Rejects with `INVALID_VALUE` for a value that the schema refuses. */
  set(params: P, value: T, options?: WriteOptions): Promise<void>
  /** As `delete`. Resolves to whether there was an entry. */
  delete(params: P, options?: WriteOptions): Promise<boolean>
  /** As `expire`: the next `get` loads, and falls back on the stale value during `grace`. To end many, give them a tag. */
  invalidate(params: P, options?: WriteOptions): Promise<boolean>
}
