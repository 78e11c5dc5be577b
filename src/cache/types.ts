/// <reference lib="esnext.disposable" preserve="true" />
import type { ErrorCode } from '../errors.ts'
import type { NearStats } from '../near/local-tier.ts'
import type { NearTier } from '../near/near-tier.ts'
import type { Codec } from '../protocol/codec.ts'
import type { Duration } from '../protocol/duration.ts'
import type { AtomicStore, Store } from '../store/store.ts'
import type { AnyCache, HasEntries, HasTags, Results, VIEW } from './handle.ts'
import type { PlainFormat } from './parts/format-plain.ts'
import type { Schema } from './schema.ts'

export type { AnyCache, HasEntries, HasTags, Results } from './handle.ts'

/** What comes back as it is: it cannot change, or its type has no form to be read only. A branded text is text, too. */
type Unchanged =
  | string
  | number
  | bigint
  | boolean
  | symbol
  | null
  | undefined
  | Date
  | RegExp
  | Uint8Array
  | ((...args: never[]) => unknown)

/**
 * `T` to be read, not written, since others may hold the same value. `Levels` counts tuples within tuples: the third
 * comes back as it is, so that a type which holds itself in a tuple has an end.
 */
export type Frozen<T, Levels extends 0[] = []> = T extends Unchanged
  ? T
  : T extends Map<infer K, infer V>
    ? ReadonlyMap<Frozen<K>, Frozen<V>>
    : T extends Set<infer V>
      ? ReadonlySet<Frozen<V>>
      : T extends readonly (infer V)[]
        ? V[] extends T
          ? readonly Frozen<V>[]
          : Levels['length'] extends 3
            ? T
            : { readonly [K in keyof T]: Frozen<T[K], [...Levels, 0]> }
        : T extends object
          ? { readonly [K in keyof T]: Frozen<T[K]> }
          : T

/** `T` as a cache with these results types it. */
export type Given<T, R extends Results> = R extends 'frozen' ? Frozen<T> : T

/** Keeps a promise going after the answer: a Worker's `ctx.waitUntil`, Vercel's `waitUntil`. */
export type WaitUntil = (work: Promise<unknown>) => void

/** The options of a read, and of writes, of a cache that can do `F`. */
export type ReadOptionsOf<F extends object> = F extends HasTags ? ReadOptions : CallOptions
export type AddOptionsOf<F extends object> = F extends HasTags
  ? AddOptions
  : F extends HasEntries
    ? Omit<AddOptions, 'tags'>
    : PlainAddOptions
export type SetOptionsOf<F extends object> = AddOptionsOf<F> & WriteOptions
export type LoadOptionsOf<F extends object> = F extends HasTags
  ? GetOrSetOptions
  : F extends HasEntries
    ? Omit<GetOrSetOptions, 'tags'>
    : PlainLoadOptions

/** How one call may end early. */
export interface CallOptions {
  /** Aborting rejects this call with the signal's reason. Other callers that share its load are not affected. */
  readonly signal?: AbortSignal | undefined
  /** The instant, in epoch milliseconds, at which this call rejects with `TIMEOUT`. @default none for a load, `storeTimeout` else */
  readonly deadline?: number | undefined
}

/** An explicit write that answers nothing but that it arrived. */
export interface WriteOptions extends CallOptions {
  /**
   * When the store is away: `reject`, or tell it by the event `write-dropped` and resolve. A value that was set is then
   * given out by this process alone, from the near tier, for `maxAge`. @default 'reject'
   */
  readonly onWriteFailure?: 'reject' | 'event'
}

/** A write that the plain format has, too. */
export interface PlainAddOptions extends CallOptions {
  /** How long the value counts as fresh. @default the cache's own `ttl` */
  readonly ttl?: Duration
}
export interface PlainSetOptions extends PlainAddOptions, WriteOptions {}

/** Versions of tags, taken before their data was read: what is stored with them is gone if one of them was invalidated since. */
export interface Captured {
  readonly tags: readonly string[]
}

export interface AddOptions extends PlainAddOptions {
  /** How much longer a stale value may be served when its refresh is slow or fails. @default the cache's own `grace` */
  readonly grace?: Duration
  /**
   * Names to invalidate the entry by: at most 64. Needs a `ttl`, and `ttl` and `grace` of 7 days together at the most.
   * Or what `capture` answered before the value was read.
   */
  readonly tags?: readonly string[] | Captured
}

export interface SetOptions extends AddOptions, WriteOptions {}

/** A read that names the entry's tags, so that their versions come along in the same round trip. */
export interface ReadOptions extends CallOptions {
  readonly tags?: readonly string[]
}

/** What a loader is given. */
export interface LoadContext {
  /** The key as the caller gave it. */
  readonly key: string
  /** Aborts at `hardTimeout`, and when every caller has left and nothing will use the value. Pass it on. */
  readonly signal: AbortSignal
  /** The stale copy that this load is to replace, if there is one. Its age in milliseconds. */
  readonly previous: { readonly value: unknown; readonly age: number } | undefined
  /** Whether no caller waits: an early refresh. */
  readonly background: boolean
  /** Replaces the lifetime of the value about to be answered. A number that is not above 0: answers it and stores nothing. */
  setTtl(ttl: Duration, grace?: Duration): void
  /**
   * Adds tags. Those that the call did not name are not captured before the load: the value answers its callers and is
   * stored only if each was known before the load began; else the next load captures them first.
   */
  setTags(tags: readonly string[]): void
  /**
   * `return notModified()`: the previous value, fresh for another lifetime, with its tags. Throws `INVALID_ARGUMENT`
   * without one.
   */
  notModified(): never
  /** `return skip(value)`: answers the callers and stores nothing. */
  skip<V>(value: V): V
  /** Fails the load: callers get the stale copy if there is one, else this error. */
  fail(reason?: unknown): never
}

export type Loader<T> = (context: LoadContext) => T | Promise<T>

/** Answers the keys it was asked for by a Map, or an object by key. What it leaves out is absent. */
export type ManyLoader<T> = (
  keys: readonly string[],
  context: { readonly signal: AbortSignal },
) => ManyResult<T> | Promise<ManyResult<T>>
export type ManyResult<T> = ReadonlyMap<string, T> | Readonly<Record<string, T>>

/** Whether a fresh entry shall be refreshed already, while it is served. */
export type Refresh = (entry: {
  readonly writtenMs: number
  readonly loadMs: number
  readonly freshUntilMs: number
  readonly nowMs: number
}) => boolean

export interface PlainLoadOptions extends PlainAddOptions {
  /** How long the loader may run; then its signal aborts and its callers get `TIMEOUT`. @default the cache's own `hardTimeout` */
  readonly hardTimeout?: Duration
  /** How long what this call reads is kept near, if for less than the tier's `maxAge`; 0: not at all. @default `maxAge` */
  readonly nearTtl?: Duration
  /** A load whose callers have all left goes on, within `hardTimeout`, and its value is stored. @default false */
  readonly finish?: boolean
  /**
   * A Standard Schema, as of Zod, Valibot or ArkType. What a loader answers must pass it, or the load fails with
   * `INVALID_VALUE`; what is stored and does not is a miss, and the event `decode-failed`.
   */
  readonly schema?: Schema
  /** Makes of a stored value that the schema refuses one that it may accept, such as of an older form. */
  readonly migrate?: (value: unknown) => unknown
}

export interface GetOrSetOptions extends PlainLoadOptions, Omit<AddOptions, 'tags'> {
  readonly tags?: readonly string[]
  /** Shortens each lifetime by a random part of up to this fraction, below 1. @default 0 */
  readonly jitter?: number
  /** How long to wait for a load where there is a stale copy; then the copy is served and the load goes on. @default as long as it takes */
  readonly softTimeout?: Duration
  /** The lifetime of `null`. @default as any value's */
  readonly negativeTtl?: Duration
  /** How long a stale copy is served without another try, after a load has failed. @default 0 */
  readonly backoff?: Duration
  /**
   * How long a load that failed is not tried again, here and in other processes: their callers get the stale copy, or
   * `LOAD_FAILED`, as long as they name this option, too. @default 0: who waited for the load loads at once
   */
  readonly shareFailure?: Duration
  /** Refreshes ahead of time, such as `early()` or `atFraction(0.8)` of `hither/refresh`. @default none */
  readonly refresh?: Refresh
  /** Loads and stores although the value is fresh. */
  readonly forceFresh?: boolean
  /** Loads, and neither reads nor stores. */
  readonly bypass?: boolean
  /**
   * What a caller gets at its own deadline without a stale copy: `TIMEOUT`, or what a second load answers, which all who
   * waited for the first share, and which is not stored. @default 'fail'
   */
  readonly onDeadline?: 'fail' | 'load'
}

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

/** What a request view adds to every call made through it. */
export interface ViewOptions extends CallOptions {
  /** Where work goes that continues after the answer. @default the cache's own */
  readonly waitUntil?: WaitUntil | undefined
  /** Gives each caller a copy of its own, which it may change; a near hit then costs a copy. @default the cache's own */
  readonly mutable?: boolean | undefined
}

export interface CacheEntry<T, R extends Results = 'mutable'> {
  readonly key: string
  /** `stale`: past its `ttl`, kept for `grace`. */
  readonly status: 'fresh' | 'stale' | 'absent'
  /** Undefined when absent. */
  readonly value: Given<T, R> | undefined
  /** Milliseconds since it was stored, by this machine's clock against the store's. 0 when absent, and in the plain format. */
  readonly age: number
  /** Milliseconds it stays fresh; `Infinity` without an end, 0 when stale or absent. */
  readonly ttl: number
  /** How long its loader took, in milliseconds; 0 for a value that was set. */
  readonly loadTime: number
  readonly tags: readonly string[]
  /** Which tier answered; `unconfirmed`: the near one, with what the store has not taken. Undefined when absent. */
  readonly source: 'near' | 'unconfirmed' | 'store' | undefined
}

/** Counts since the cache was made; views count into their cache. */
export interface CacheStats {
  readonly hits: number
  readonly misses: number
  /** Stale values given out. */
  readonly stale: number
  readonly loads: number
  /** Loads that rejected or ran into `hardTimeout`. */
  readonly loadErrors: number
  /** Callers that were answered by a load another caller began. */
  readonly joined: number
  /** Loads under way. */
  readonly inFlight: number
  /** Calls that the store failed. */
  readonly storeErrors: number
  /** Of the near tier, where there is one. */
  readonly near?: NearStats
}

/** What happened, without values and full keys. `namespace` says where. */
export type CacheEvent = { readonly namespace: string } & (
  | { readonly type: 'hit' | 'miss' | 'stale' | 'invalidate' | 'decode-failed' }
  | { readonly type: 'load'; readonly durationMs: number; readonly ok: boolean }
  /** A load ended after its key was deleted or set: its callers got the value, the store did not. */
  | { readonly type: 'fill-refused' }
  /** A load's value that could not be stored. */
  | { readonly type: 'write-dropped'; readonly code: ErrorCode }
  | { readonly type: 'store-error'; readonly code: ErrorCode }
  | { readonly type: 'background-error'; readonly code: ErrorCode | undefined }
  /** The store is asked by one call at a time, all others fail at once; or it answers again. */
  | { readonly type: 'breaker'; readonly open: boolean }
  /**
   * Once for each cache: an entry was stored without a `ttl`. Nothing ends it but a delete; after a `clear` it is unreadable
   * and keeps its memory until its key is read again.
   */
  | { readonly type: 'no-lifetime' }
  /** Messages of other processes may have been missed: the near tier was emptied. */
  | { readonly type: 'feed-gap' }
)

interface CommonOptions {
  /**
   * Where entries live. Required: no cache is in memory by accident. Over a `Store` that runs no operations, such as
   * Workers' KV, two promises hold within one process only: one load per key, and that a deleted value does not come back.
   */
  readonly store: Store
  /** Keeps decoded values in this process, in front of the store: `nearTier()` of `hither/near`. @default none */
  readonly near?: NearTier
  /**
   * How long a value counts as fresh where a call does not say. Without one entries have no end, and the memory of what
   * `clear` has ended is freed only as it is read: the event `no-lifetime` says so once. @default until it is deleted
   */
  readonly ttl?: Duration
  /** How long the store may take for one command. @default '1s' */
  readonly storeTimeout?: Duration
  /** How long a loader may run. @default '30s' */
  readonly hardTimeout?: Duration
  /** Told what happens, synchronously. What a listener throws, or rejects with, is ignored. */
  readonly onEvent?: (event: CacheEvent) => void
  /** Where work goes that continues after the answer; a request view's goes before it. @default what the runtime supplies for the request; on Node the process itself, see `flush` */
  readonly waitUntil?: WaitUntil
  /**
   * Gives each caller a copy of its own where there is a near tier; without one a hit is a copy in any case. Else what is
   * kept near is shared and frozen, and the results of a cache with a near tier are typed `Frozen<T>`. @default false
   */
  readonly mutable?: boolean
}

export interface CacheOptions extends CommonOptions {
  /** Letters, digits, `_` and `-`. Keys are `<namespace>:<key>`. @default 'hither' */
  readonly namespace?: string
  /**
   * Shortens a key that the store would refuse for its length, such as text a user has typed: `hashed()` of `hither/keys`.
   * What it returns must be the same each time, and differ for different keys. @default such a call rejects with `INVALID_KEY`
   */
  readonly longKeys?: ((key: string) => string) | undefined
  /** How much longer a stale value may be served when its refresh fails, where a call does not say. @default 0 */
  readonly grace?: Duration
  /** Turns values into text and back. @default JSON that keeps Date, BigInt, Map, Set, bytes, NaN, and undefined in lists */
  readonly codec?: Codec
  readonly format?: undefined
}

/** Entries shared with other programs: the key as given, JSON text as the value, the lifetime kept by the server. */
export interface PlainCacheOptions extends CommonOptions {
  /** `plain()` of `hither/plain`. */
  readonly format: PlainFormat
  readonly store: AtomicStore
}

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
