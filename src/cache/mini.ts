import { invalid } from '../protocol/arguments.ts'
import type { Codec } from '../protocol/codec.ts'
import { close, openView, viewOfNamespace, viewWith } from './faces.ts'
import { type AnyCache, type HasEntries, type HasTags, type Results, VIEW } from './handle.ts'
import type { View } from './model.ts'
import { scriptedFormat } from './parts/format-entry.ts'
import { noTags } from './parts/no-tags.ts'
import { plainValues } from './parts/plain-values.ts'
import type { TagsPart } from './parts/tags.ts'
import { get, getMany, getOrSet } from './read.ts'
import type {
  CacheOptions,
  Given,
  Loaded,
  Loader,
  LoadOptionsOf,
  PlainCacheOptions,
  ReadOptionsOf,
  SetOptionsOf,
  ViewOptions,
  WriteOptions,
} from './types.ts'
import type { ValueForm } from './value-form.ts'
import { delete as remove, set } from './write.ts'

export type { AnyCache, HasEntries, HasTags } from './handle.ts'
export { type TagsPart, tags } from './parts/tags.ts'
export { type ValueForm, values } from './parts/values.ts'

export interface MiniCacheOptions extends CacheOptions {
  /**
   * How values are stored: `values()` keeps Date, BigInt, Map, Set, bytes and what else JSON lacks, as `hither` does. Without
   * it, storing such a value rejects with `UNENCODABLE`, and reading one that another cache has stored is a miss, with the
   * event `decode-failed`. @default plain JSON
   */
  readonly codec?: Codec | ValueForm
  /** Adds tags to the cache: `tags()`. Without it an entry that has tags counts as absent. @default none */
  readonly tags?: TagsPart
}

/**
 * The cache of `hither` with few methods; the functions of `hither/functions` take it as an argument and do the rest. It keeps
 * the same promises, and shares its entries with any other cache of its namespace. `F`: its features.
 */
export interface MiniCache<out R extends Results = 'mutable', out F extends object = HasEntries>
  extends AnyCache<R, F> {
  /** Resolves to `undefined` when the value is absent or stale. Rejects when the store is down: an outage is not a miss. */
  get<T = unknown>(key: string, options?: ReadOptionsOf<F>): Promise<Given<T, R> | undefined>
  /** `get` for each key. Keys without a fresh value are absent from the map. One round trip, at most 10,000 keys. */
  getMany<T = unknown>(keys: readonly string[], options?: ReadOptionsOf<F>): Promise<Map<string, Given<T, R>>>
  /**
   * The fresh value. If there is none, runs `loader`, stores its value and resolves to that. One load runs per key, and
   * callers that arrive meanwhile share it. When the store is down, resolves to the loader's value. The loader's own error
   * reaches its callers unchanged and is not cached.
   */
  getOrSet<T, S = unknown>(
    key: string,
    loader: Loader<T>,
    options?: LoadOptionsOf<F, S>,
  ): Promise<Given<Loaded<T, S>, R>>
  /**
   * Stores a value in place of any that is there. Rejects with `INVALID_VALUE` for undefined, with `UNENCODABLE` for a value
   * that the codec cannot encode, and when the store did not store it.
   */
  set(key: string, value: unknown, options?: SetOptionsOf<F>): Promise<void>
  /**
   * Deletes the value and its stale copy. A load that began earlier can neither store its value nor return it to a caller that
   * arrives later. Resolves to how many of the keys the store held.
   */
  delete(keys: string | readonly string[], options?: WriteOptions): Promise<number>
  /**
   * A view for one request: its calls end with the request, and work that continues after the response goes to its
   * `waitUntil`. No new connection or map.
   */
  with(options: ViewOptions & { readonly mutable?: undefined }): this
  with(options: ViewOptions & { readonly mutable: true }): MiniCache<'mutable', F>
  with(options: ViewOptions): MiniCache<'frozen', F>
  /** A view of the namespace `<this>.<name>`: no new connection, listener or map. Throws in the plain format. */
  namespace(name: string): MiniCache<R, F>
  /** Resolves when no background work is left. Never rejects: failures are events. */
  flush(): Promise<void>
  /** Waits for background work, then closes the store. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** Options with which no two callers get the same object: there is no near tier, or each caller gets a copy. */
type Copied = { readonly near?: never } | { readonly mutable: true }
type WithTags = MiniCacheOptions & { readonly tags: TagsPart }

/**
 * A small cache over a store. Its results are `T`, or `Frozen<T>` with a near tier and without `mutable: true`. Throws at
 * once for invalid options: `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_KEY` (a namespace).
 */
export function createCache(options: PlainCacheOptions & Copied): MiniCache<'mutable', object>
export function createCache(options: WithTags & Copied): MiniCache<'mutable', HasTags>
export function createCache(options: MiniCacheOptions & Copied): MiniCache
export function createCache(options: PlainCacheOptions): MiniCache<'frozen', object>
export function createCache(options: WithTags): MiniCache<'frozen', HasTags>
export function createCache(options: MiniCacheOptions): MiniCache<'frozen'>
export function createCache(options: PlainCacheOptions | (MiniCacheOptions & object)): MiniCache<'frozen', object>
export function createCache(options: MiniCacheOptions | PlainCacheOptions): MiniCache<never, never> {
  const { tags = noTags, ...rest } = (options ?? {}) as MiniCacheOptions
  if (typeof tags?.check !== 'function') throw invalid('tags is tags() of hither/mini')
  return faceOf(openView(rest, { tags, format: scriptedFormat, values: plainValues })) as MiniCache<never, never>
}

function faceOf(view: View): MiniCache<'frozen', HasTags> {
  return {
    [VIEW]: view as AnyCache<'frozen', HasTags>[typeof VIEW],
    get: (key, options) => get(view, key, options),
    getMany: (keys, options) => getMany(view, keys, options),
    getOrSet: (key, loader, options) => getOrSet(view, key, loader, options),
    set: (key, value, options) => set(view, key, value, options),
    delete: (keys, options) => remove(view, keys, options),
    with: (options: ViewOptions): MiniCache<never, never> => faceOf(viewWith(view, options)) as MiniCache<never, never>,
    namespace: (name) => faceOf(viewOfNamespace(view, name)),
    flush: view.core.background.flush,
    close: () => close(view),
    [Symbol.asyncDispose]: () => close(view),
  }
}
