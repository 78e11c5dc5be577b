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
import type { DefineOptions, Definition, WrapOptions } from './define-options.ts'
import type { CacheEntry, CacheStats } from './events.ts'
import type { GetOrSetOptions, LoadContext, Loader, ManyLoader, PlainLoadOptions } from './load-options.ts'
import type { Given } from './results.ts'

/**
 * A cache of entries that other programs read and write as well. Two invariants hold within one process only: that a
 * deleted value does not come back from a load under way, and that one load runs per key.
 */
export interface PlainCache<out R extends Results = 'mutable'> extends AnyCache<R> {
  /** Resolves to `undefined` when absent or stale. Rejects when the store does not answer: an outage is no miss. */
  get<T = unknown>(key: string, options?: CallOptions): Promise<Given<T, R> | undefined>
  /** What `get` finds for each key; keys that are absent are absent from the map. One round trip, at most 10,000 keys. */
  getMany<T = unknown>(keys: readonly string[], options?: CallOptions): Promise<Map<string, Given<T, R>>>
  /**
   * The fresh value, or what `loader` answers, stored on the way. One load per key: callers that come while it runs
   * share it. Resolves to the decoded form on a miss as well as on a hit. When the store is away the loader answers.
   * The loader's own error passes through untouched and is not cached.
   */
  getOrSet<T>(key: string, loader: Loader<T>, options?: PlainLoadOptions): Promise<Given<T, R>>
  /** Rejects `INVALID_VALUE` for undefined, `UNENCODABLE` for what the codec cannot keep, and when the store did not take it. */
  set(key: string, value: unknown, options?: PlainSetOptions): Promise<void>
  /** As `set` for each pair, in order; rejects when one was not taken, though others may have been. At most 10,000. */
  setMany(entries: Iterable<readonly [key: string, value: unknown]>, options?: PlainSetOptions): Promise<void>
  /** Stores where nothing fresh is. Resolves to whether it did. Atomic. */
  add(key: string, value: unknown, options?: PlainAddOptions): Promise<boolean>
  has(key: string, options?: CallOptions): Promise<boolean>
  /** Milliseconds the value stays fresh; `Infinity` without an end, undefined when absent. By the store's clock. */
  ttl(key: string, options?: CallOptions): Promise<number | undefined>
  /** Gives a fresh value a new lifetime from now (`options.ttl`, or the cache's own). Resolves to whether there was one. */
  touch(key: string, options?: PlainAddOptions): Promise<boolean>
  /** Resolves to the value and deletes it, atomically: of several callers one gets it. */
  take<T = unknown>(key: string, options?: CallOptions): Promise<Given<T, R> | undefined>
  /**
   * Deletes the value and its stale copy. No load that began before can put its value back, or answer a caller that
   * comes later. Resolves to how many keys the store held.
   */
  delete(keys: string | readonly string[], options?: WriteOptions): Promise<number>
  /**
   * Adds a whole number to a counter, which starts at 0 with the given lifetime and keeps it. Resolves to the sum.
   * Rejects `WRONG_TYPE` when the key holds anything else, `OVERFLOW` beyond 2^53 - 1. Atomic, never run twice.
   */
  increment(key: string, by?: number, options?: PlainAddOptions): Promise<number>
  /** `increment` by the negative. */
  decrement(key: string, by?: number, options?: PlainAddOptions): Promise<number>
  /** `fn` with its results cached by name and arguments. */
  wrap<A extends readonly unknown[], T, S = unknown>(
    fn: (this: S, ...args: A) => T | Promise<T>,
    options: WrapOptions<A> & PlainLoadOptions,
  ): (this: S, ...args: A) => Promise<Given<T, R>>
  /** What the near tier holds fresh, without waiting and without asking the store; undefined for anything else. */
  peek<T = unknown>(key: string): Given<T, R> | undefined
  /** Value, status and age of one entry; the stale copy as well. */
  getEntry<T = unknown>(key: string, options?: CallOptions): Promise<CacheEntry<T, R>>
  /** A view whose calls end with a request and leave what continues to its `waitUntil`. No new connection or map. */
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

/** A cache in one namespace of a store: `Cache`, or `Cache<'frozen'>` where a near tier shares what it gives out. */
export interface Cache<out R extends Results = 'mutable'> extends PlainCache<R> {
  readonly [VIEW]: AnyCache<R, HasTags>[typeof VIEW]
  get<T = unknown>(key: string, options?: ReadOptions): Promise<Given<T, R> | undefined>
  getMany<T = unknown>(keys: readonly string[], options?: ReadOptions): Promise<Map<string, Given<T, R>>>
  getEntry<T = unknown>(key: string, options?: ReadOptions): Promise<CacheEntry<T, R>>
  has(key: string, options?: ReadOptions): Promise<boolean>
  take<T = unknown>(key: string, options?: ReadOptions): Promise<Given<T, R> | undefined>
  /**
   * `getOrSet` for many keys by one run of the loader, which is asked for the missing ones only. Keys it leaves out, or
   * answers undefined for, are absent from the map. At most 10,000.
   */
  getOrSetMany<T>(
    keys: readonly string[],
    loader: ManyLoader<T>,
    options?: GetOrSetOptions,
  ): Promise<Map<string, Given<T, R>>>
  /**
   * Makes the value stale at once: absent to `get`, served by `getOrSet` only while its refresh fails. Without grace it
   * is deleted. No load that began before can put its value back. Resolves to whether a copy is kept.
   */
  expire(key: string, options?: WriteOptions): Promise<boolean>
  /**
   * Ends every entry that bears one of the tags, whatever their number, by one command a tag. No load that began before
   * can bring one back. `keepStale`: they become stale instead.
   */
  invalidateTags(tags: readonly string[], options?: WriteOptions & { readonly keepStale?: boolean }): Promise<void>
  /** Ends every entry of this namespace, and of no other, by one command. */
  clear(options?: WriteOptions): Promise<void>
  /** Takes the tags' versions, to `set` later what is read from now on. */
  capture(tags: readonly string[], options?: CallOptions): Promise<Captured>
  /** As in the plain format; a value in grace is served when the loader fails. */
  getOrSet<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<Given<T, R>>
  set(key: string, value: unknown, options?: SetOptions): Promise<void>
  setMany(entries: Iterable<readonly [key: string, value: unknown]>, options?: SetOptions): Promise<void>
  add(key: string, value: unknown, options?: AddOptions): Promise<boolean>
  touch(key: string, options?: AddOptions): Promise<boolean>
  wrap<A extends readonly unknown[], T, S = unknown>(
    fn: (this: S, ...args: A) => T | Promise<T>,
    options: WrapOptions<A> & GetOrSetOptions,
  ): (this: S, ...args: A) => Promise<Given<T, R>>
  /** One kind of entries, named, typed by its schema or its loader. */
  define<P, T>(options: DefineOptions<P, T> & { readonly schema: Schema<T> }): Definition<P, T, R>
  define<P, T>(
    options: DefineOptions<P, T> & { readonly load: (params: P, context: LoadContext) => T | Promise<T> },
  ): Definition<P, T, R>
  with(options: ViewOptions & { readonly mutable?: undefined }): this
  with(options: ViewOptions & { readonly mutable: true }): Cache
  with(options: ViewOptions): Cache<'frozen'>
  /** A view of the namespace `<this>.<name>`: no new connection, listener or map. */
  namespace(name: string): Cache<R>
}
