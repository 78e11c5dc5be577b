import type { Duration } from '../../protocol/duration.ts'
import type { HasEntries, HasTags } from '../handle.ts'
import type { Schema } from '../schema.ts'
import type { AddOptions, PlainAddOptions } from './call-options.ts'

export type LoadOptionsOf<F extends object, S = unknown> = F extends HasTags
  ? GetOrSetOptions<S>
  : F extends HasEntries
    ? Omit<GetOrSetOptions<S>, 'tags'>
    : PlainLoadOptions<S>

/**
 * The type of a loaded value: `S`, the output of the call's schema, or `T`, that of the loader, if `S` is unknown. TypeScript does
 * not infer `S` from it: the type that a caller expects is not that of a schema.
 */
export type Loaded<T, S> = unknown extends S ? T : [S][S extends unknown ? 0 : never]

/** The argument of a loader. */
export interface LoadContext {
  /** The key as the caller gave it. */
  readonly key: string
  /** Aborts at `hardTimeout`, and when every caller has left and nothing will use the value. Pass it on. */
  readonly signal: AbortSignal
  /** The stored copy that this load is to replace, as the call's schema returns it, and its age in milliseconds. Undefined: none. */
  readonly previous: { readonly value: unknown; readonly age: number } | undefined
  /** True for an early refresh, which no caller waits for. */
  readonly background: boolean
  /** Replaces the lifetime of the returned value. If `ttl` is a number not above 0, the value is returned and not stored. */
  setTtl(ttl: Duration, grace?: Duration): void
  /**
   * Adds tags. The version of a tag that the call did not name was not captured before the load. The value is stored only if
   * this process knew every such version before the load began. Otherwise it goes to the callers and is not stored, and the
   * next load captures those versions first.
   */
  setTags(tags: readonly string[]): void
  /**
   * `return notModified()`: keeps the previous value with its tags, fresh for another lifetime. Throws `INVALID_ARGUMENT` if
   * there is no previous value.
   */
  notModified(): never
  /** `return skip(value)`: the value goes to the callers and is not stored. */
  skip<V>(value: V): V
  /** Fails the load: callers get the stale copy if there is one, else this error. */
  fail(reason?: unknown): never
}

export type Loader<T> = (context: LoadContext) => T | Promise<T>

/** Returns the values of the keys as a Map, or what has its methods, or as an object by key. A key that it leaves out is absent. */
export type ManyLoader<T> = (
  keys: readonly string[],
  context: { readonly signal: AbortSignal },
) => ManyResult<T> | Promise<ManyResult<T>>
export type ManyResult<T> = ReadonlyMap<string, T> | Readonly<Record<string, T>>

/**
 * Returns whether a fresh entry is to be refreshed while it is served. Instants are epoch milliseconds by the same clock;
 * `loadMs` is how long the loader took.
 */
export type Refresh = (entry: {
  readonly writtenMs: number
  readonly loadMs: number
  readonly freshUntilMs: number
  readonly nowMs: number
}) => boolean

/** `S`: the output of the schema, which is the type of the result. */
export interface PlainLoadOptions<S = unknown> extends PlainAddOptions {
  /** How long the loader may run; then its signal aborts and its callers get `TIMEOUT`. @default the cache's own `hardTimeout` */
  readonly hardTimeout?: Duration
  /** How long what this call reads stays in the near tier, if shorter than its `maxAge`; 0: not at all. @default `maxAge` */
  readonly nearTtl?: Duration
  /** When all callers of the load have left, it continues, within `hardTimeout`, and its value is stored. @default false */
  readonly finish?: boolean
  /**
   * A Standard Schema, such as of Zod, Valibot or ArkType. A loaded value that does not pass it fails the load with
   * `INVALID_VALUE`. A stored value that does not pass it is a miss, with the event `decode-failed`. The result is its output.
   */
  readonly schema?: Schema<S>
  /** Converts a stored value that the schema refuses, such as one of an older form, into one that it may accept. */
  readonly migrate?: (value: unknown) => unknown
}

/** Options of a load that a cache may set for all of its calls. Those of a call take precedence. */
export interface LoadDefaults {
  /** Shortens each lifetime by a random part of up to this fraction, below 1. @default the cache's, or 0 */
  readonly jitter?: number | undefined
  /**
   * How long a caller waits for a load if there is a stale copy. Then the copy is served and the load continues. As a default
   * of the cache it applies to the calls that have `grace`. @default the cache's, or as long as it takes
   */
  readonly softTimeout?: Duration | undefined
  /** How long after a failed load the stale copy is served without another load. @default the cache's, or 0 */
  readonly backoff?: Duration | undefined
  /** Refreshes ahead of time, such as `early()` or `atFraction(0.8)` of `hither/refresh`. @default the cache's, or none */
  readonly refresh?: Refresh | undefined
}

export interface GetOrSetOptions<S = unknown> extends PlainLoadOptions<S>, LoadDefaults, Omit<AddOptions, 'tags'> {
  /**
   * Names by which the entry can be invalidated, at most 64. An entry with tags needs a `ttl`, and its `ttl` and `grace` together
   * are 7 days at most. A value whose tag is invalidated while it loads is not stored. @default none
   */
  readonly tags?: readonly string[]
  /** The lifetime of `null`. @default that of any value */
  readonly negativeTtl?: Duration
  /**
   * How long a failed load is not tried again, in this process and in others. Meanwhile callers that name this option, too,
   * get the stale copy or `LOAD_FAILED`. @default 0: callers that waited for the load load at once
   */
  readonly shareFailure?: Duration
  /** Loads and stores even if there is a fresh value. */
  readonly forceFresh?: boolean
  /** Loads, and neither reads nor stores. */
  readonly bypass?: boolean
  /**
   * What a caller gets when its own deadline passes and there is no stale copy. `fail`: `TIMEOUT`. `load`: the value of a
   * second load, which is not stored. The callers of the first load whose deadline has passed share it. @default 'fail'
   */
  readonly onDeadline?: 'fail' | 'load'
}
