import type { Duration } from '../../protocol/duration.ts'
import type { HasEntries, HasTags } from '../handle.ts'

/** Keeps a promise running after the response: a Worker's `ctx.waitUntil`, Vercel's `waitUntil`. */
export type WaitUntil = (work: Promise<unknown>) => void

/** The options of a read, and below of writes, of a cache with the features `F`. */
export type ReadOptionsOf<F extends object> = F extends HasTags ? ReadOptions : CallOptions
export type AddOptionsOf<F extends object> = F extends HasTags
  ? AddOptions
  : F extends HasEntries
    ? Omit<AddOptions, 'tags'>
    : PlainAddOptions
export type SetOptionsOf<F extends object> = AddOptionsOf<F> & WriteOptions

/** How one call may end early. */
export interface CallOptions {
  /** Aborting rejects this call with the signal's reason. Other callers that share its load are not affected. */
  readonly signal?: AbortSignal | undefined
  /**
   * The instant, in epoch milliseconds, at which this call rejects with `TIMEOUT`.
   * @default none for a load, otherwise `storeTimeout`
   */
  readonly deadline?: number | undefined
}

/** Options of an explicit write, whose failure may be an event in place of a rejection. */
export interface WriteOptions extends CallOptions {
  /**
   * What the call does when the store is down. `event`: it emits the event `write-dropped` and resolves. A value that was set
   * is then served by this process alone, from its near tier, for the tier's `maxAge`. @default 'reject'
   */
  readonly onWriteFailure?: 'reject' | 'event'
}

/** Options of a write that the plain format has as well. */
export interface PlainAddOptions extends CallOptions {
  /** How long the value counts as fresh. @default the cache's own `ttl` */
  readonly ttl?: Duration
}
export interface PlainSetOptions extends PlainAddOptions, WriteOptions {}

/**
 * Versions of tags in one namespace, captured before data was read. An entry stored with them is absent if a tag was invalidated
 * since.
 */
export interface Captured {
  readonly tags: readonly string[]
}

export interface AddOptions extends PlainAddOptions {
  /** How much longer a stale value may be served when its refresh is slow or fails. @default the cache's own `grace` */
  readonly grace?: Duration
  /**
   * Names by which the entry can be invalidated, at most 64; or what `capture` returned before the value was read. An entry
   * with tags needs a `ttl`, and its `ttl` and `grace` together are 7 days at most.
   */
  readonly tags?: readonly string[] | Captured
}

export interface SetOptions extends AddOptions, WriteOptions {}

/** Options of a read. If it names the entry's tags, their versions are read in the same round trip. */
export interface ReadOptions extends CallOptions {
  readonly tags?: readonly string[]
}

/** What a request view adds to every call made through it. */
export interface ViewOptions extends CallOptions {
  /** Receives the work that continues after the response. @default the cache's own */
  readonly waitUntil?: WaitUntil | undefined
  /** Gives each caller its own copy, which it may modify. A near hit then costs a copy. @default the cache's own */
  readonly mutable?: boolean | undefined
}
