import type { Duration } from '../../protocol/duration.ts'
import type { HasEntries, HasTags } from '../handle.ts'

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

/** What a request view adds to every call made through it. */
export interface ViewOptions extends CallOptions {
  /** Where work goes that continues after the answer. @default the cache's own */
  readonly waitUntil?: WaitUntil | undefined
  /** Gives each caller a copy of its own, which it may change; a near hit then costs a copy. @default the cache's own */
  readonly mutable?: boolean | undefined
}
