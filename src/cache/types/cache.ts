/// <reference lib="esnext.disposable" preserve="true" />
import type { AnyCache, HasTags, Results, VIEW } from '../handle.ts'
import type { Schema } from '../schema.ts'
import type {
  AddOptions,
  CallOptions,
  Captured,
  PlainAddOptions,
  PlainSetOptions,
  ReadOptions,
  SetOptions,
  ViewOptions,
  WriteOptions,
} from './call-options.ts'
import type { DefineOptions, Definition, KindLoaders, WrapOptions } from './define-options.ts'
import type { CacheEntry, CacheStats } from './events.ts'
import type { GetOrSetOptions, Loaded, Loader, ManyLoader, PlainLoadOptions } from './load-options.ts'
import type { Given } from './results.ts'

/**
 * A cache of entries that other programs read and write as well. Two invariants hold within one process only: a running load
 * does not store a deleted value again, and one load runs per key.
 */
export interface PlainCache<out R extends Results = 'mutable'> extends AnyCache<R> {
  /** Resolves to `undefined` when the value is absent or stale. Rejects when the store is down: an outage is not a miss. */
  get<T = unknown>(key: string, options?: CallOptions): Promise<Given<T, R> | undefined>
  /** `get` for each key. Keys without a fresh value are absent from the map. One round trip, at most 10,000 keys. */
  getMany<T = unknown>(keys: readonly string[], options?: CallOptions): Promise<Map<string, Given<T, R>>>
  /**
   * The fresh value. If there is none, runs `loader`, stores its value and resolves to that. One load runs per key, and
   * callers that arrive meanwhile share it. On a miss, too, the result is the value as decoded from its stored form. When the
   * store is down, resolves to the loader's value. The loader's own error reaches its callers unchanged and is not cached.
   */
  getOrSet<T, S = unknown>(
    key: string,
    loader: Loader<T>,
    options?: PlainLoadOptions<S>,
  ): Promise<Given<Loaded<T, S>, R>>
  /**
   * Stores a value in place of any that is there. Rejects with `INVALID_VALUE` for undefined, with `UNENCODABLE` for a value
   * that the codec cannot encode, and when the store did not store it.
   */
  set(key: string, value: unknown, options?: PlainSetOptions): Promise<void>
  /** `set` for each pair, in order. Rejects when one was not stored, though others may have been. At most 10,000 pairs. */
  setMany(entries: Iterable<readonly [key: string, value: unknown]>, options?: PlainSetOptions): Promise<void>
  /** Stores a value unless there is a fresh one. Resolves to whether it was stored. Atomic. */
  add(key: string, value: unknown, options?: PlainAddOptions): Promise<boolean>
  has(key: string, options?: CallOptions): Promise<boolean>
  /** For how many milliseconds the value stays fresh, by the store's clock. `Infinity`: no end. Undefined: none is fresh. */
  ttl(key: string, options?: CallOptions): Promise<number | undefined>
  /** Gives a fresh value a new lifetime from now (`ttl`, or the cache's own). Resolves to whether there was a fresh value. */
  touch(key: string, options?: PlainAddOptions): Promise<boolean>
  /** Deletes the fresh value and resolves to it, atomically: only one of several callers gets it. */
  take<T = unknown>(key: string, options?: CallOptions): Promise<Given<T, R> | undefined>
  /**
   * Deletes the value and its stale copy. A load that began earlier can neither store its value nor return it to a caller that
   * arrives later. Resolves to how many of the keys the store held.
   */
  delete(keys: string | readonly string[], options?: WriteOptions): Promise<number>
  /**
   * Adds a whole number to a counter. A new counter starts at 0 with the given lifetime, which later calls do not change.
   * Resolves to the sum. Rejects with `WRONG_TYPE` when the key holds anything else, and with `OVERFLOW` beyond 2^53 - 1.
   * Atomic, never run twice.
   */
  increment(key: string, by?: number, options?: PlainAddOptions): Promise<number>
  /** `increment` by `-by`. */
  decrement(key: string, by?: number, options?: PlainAddOptions): Promise<number>
  /** Returns `fn` with its results cached by name and arguments. */
  wrap<A extends readonly unknown[], T, This = unknown, S = unknown>(
    fn: (this: This, ...args: A) => T | Promise<T>,
    options: WrapOptions<A> & PlainLoadOptions<S>,
  ): (this: This, ...args: A) => Promise<Given<Loaded<T, S>, R>>
  /** The fresh value in the near tier, at once and without a read of the store. Undefined: there is none. */
  peek<T = unknown>(key: string): Given<T, R> | undefined
  /** The value, status and age of one entry, which may be stale. */
  getEntry<T = unknown>(key: string, options?: CallOptions): Promise<CacheEntry<T, R>>
  /**
   * A view for one request: its calls end with the request, and work that continues after the response goes to its
   * `waitUntil`. No new connection or map.
   */
  with(options: ViewOptions & { readonly mutable?: undefined }): this
  with(options: ViewOptions & { readonly mutable: true }): PlainCache
  with(options: ViewOptions): PlainCache<'frozen'>
  stats(): CacheStats
  /** Resolves when no background work is left. Never rejects: failures are events. */
  flush(): Promise<void>
  /** Waits for background work, then closes the store. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A cache in one namespace of a store: `Cache`, or `Cache<'frozen'>` if a near tier shares its values among callers. */
export interface Cache<out R extends Results = 'mutable'> extends PlainCache<R> {
  readonly [VIEW]: AnyCache<R, HasTags>[typeof VIEW]
  get<T = unknown>(key: string, options?: ReadOptions): Promise<Given<T, R> | undefined>
  getMany<T = unknown>(keys: readonly string[], options?: ReadOptions): Promise<Map<string, Given<T, R>>>
  getEntry<T = unknown>(key: string, options?: ReadOptions): Promise<CacheEntry<T, R>>
  has(key: string, options?: ReadOptions): Promise<boolean>
  take<T = unknown>(key: string, options?: ReadOptions): Promise<Given<T, R> | undefined>
  /**
   * `getOrSet` for many keys. One run of the loader gets the missing keys only. Keys that it leaves out, or returns undefined
   * for, are absent from the map. At most 10,000 keys.
   */
  getOrSetMany<T, S = unknown>(
    keys: readonly string[],
    loader: ManyLoader<T>,
    options?: GetOrSetOptions<S>,
  ): Promise<Map<string, Given<Loaded<T, S>, R>>>
  /**
   * Makes the value stale at once. It does not set a lifetime as Redis's EXPIRE does; `touch` does that. To `get` a stale
   * value is absent, and `getOrSet` serves it only when its refresh is slow or fails. Without grace the value is deleted. No
   * load that began earlier can store its value. Resolves to whether a stale copy is kept.
   */
  expire(key: string, options?: WriteOptions): Promise<boolean>
  /**
   * Ends every entry that has one of the tags, with at most one command for each tag, however many entries there are. No load
   * that began earlier can make one valid again. `keepStale`: the entries become stale instead.
   */
  invalidateTags(tags: readonly string[], options?: WriteOptions & { readonly keepStale?: boolean }): Promise<void>
  /** Ends every entry of this namespace, and of no other, with one command. */
  clear(options?: WriteOptions): Promise<void>
  /** Captures the current versions of the tags, for a later `set` of data that is read from now on. */
  capture(tags: readonly string[], options?: CallOptions): Promise<Captured>
  /** As in the plain format. When the loader is slow or fails, a value in grace is served. */
  getOrSet<T, S = unknown>(
    key: string,
    loader: Loader<T>,
    options?: GetOrSetOptions<S>,
  ): Promise<Given<Loaded<T, S>, R>>
  set(key: string, value: unknown, options?: SetOptions): Promise<void>
  setMany(entries: Iterable<readonly [key: string, value: unknown]>, options?: SetOptions): Promise<void>
  add(key: string, value: unknown, options?: AddOptions): Promise<boolean>
  touch(key: string, options?: Omit<AddOptions, 'tags'>): Promise<boolean>
  wrap<A extends readonly unknown[], T, This = unknown, S = unknown>(
    fn: (this: This, ...args: A) => T | Promise<T>,
    options: WrapOptions<A> & GetOrSetOptions<S>,
  ): (this: This, ...args: A) => Promise<Given<Loaded<T, S>, R>>
  /** Defines a named kind of entries, typed by its schema or its loader. */
  define<P, T>(options: DefineOptions<P, T> & { readonly schema: Schema<T> }): Definition<P, T, R>
  define<P, T>(options: DefineOptions<P, T> & KindLoaders<P, T>): Definition<P, T, R>
  with(options: ViewOptions & { readonly mutable?: undefined }): this
  with(options: ViewOptions & { readonly mutable: true }): Cache
  with(options: ViewOptions): Cache<'frozen'>
  /** A view of the namespace `<this>.<name>`: no new connection, listener or map. */
  namespace(name: string): Cache<R>
}
