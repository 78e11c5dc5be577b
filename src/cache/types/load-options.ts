import type { Duration } from '../../protocol/duration.ts'
import type { HasEntries, HasTags } from '../handle.ts'
import type { Schema } from '../schema.ts'
import type { AddOptions, PlainAddOptions } from './call-options.ts'

export type LoadOptionsOf<F extends object> = F extends HasTags
  ? GetOrSetOptions
  : F extends HasEntries
    ? Omit<GetOrSetOptions, 'tags'>
    : PlainLoadOptions

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

/** Options of a load that a cache may set for all of its calls; a call's own go before them. */
export interface LoadDefaults {
  /** Shortens each lifetime by a random part of up to this fraction, below 1. @default the cache's, or 0 */
  readonly jitter?: number | undefined
  /**
   * How long to wait for a load where there is a stale copy; then the copy is served and the load goes on. As a default of
   * the cache it is for the calls that have `grace`. @default the cache's, or as long as it takes
   */
  readonly softTimeout?: Duration | undefined
  /** How long a stale copy is served without another try, after a load has failed. @default the cache's, or 0 */
  readonly backoff?: Duration | undefined
  /** Refreshes ahead of time, such as `early()` or `atFraction(0.8)` of `hither/refresh`. @default the cache's, or none */
  readonly refresh?: Refresh | undefined
}

export interface GetOrSetOptions extends PlainLoadOptions, LoadDefaults, Omit<AddOptions, 'tags'> {
  readonly tags?: readonly string[]
  /** The lifetime of `null`. @default as any value's */
  readonly negativeTtl?: Duration
  /**
   * How long a load that failed is not tried again, here and in other processes: their callers get the stale copy, or
   * `LOAD_FAILED`, as long as they name this option, too. @default 0: who waited for the load loads at once
   */
  readonly shareFailure?: Duration
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
