import type { ErrorCode } from '../../errors.ts'
import type { NearStats } from '../../near/local-tier.ts'
import type { Results } from '../handle.ts'
import type { Given } from './results.ts'

export interface CacheEntry<T, R extends Results = 'mutable'> {
  readonly key: string
  /** `stale`: past its `ttl`, kept for `grace`. */
  readonly status: 'fresh' | 'stale' | 'absent'
  /** Undefined when absent. */
  readonly value: Given<T, R> | undefined
  /** Milliseconds since the entry was stored, by the store's clock as estimated here. 0 when absent, and in the plain format. */
  readonly age: number
  /** For how many milliseconds the value stays fresh; `Infinity`: no end. 0 when stale or absent. */
  readonly ttl: number
  /** How long its loader took, in milliseconds; 0 for a value that was set. */
  readonly loadTime: number
  readonly tags: readonly string[]
  /** The tier that had the value. `unconfirmed`: the near tier, with a value that the store lacks. Undefined when absent. */
  readonly source: 'near' | 'unconfirmed' | 'store' | undefined
}

/** Counts since the cache was made. Calls through a view count for its cache. */
export interface CacheStats {
  /** Reads that found a fresh value. Each read of a key counts once, as a hit or as a miss. */
  readonly hits: number
  /** Reads that found none, also where they then got the value of another caller's load. */
  readonly misses: number
  /** Stale values served. */
  readonly stale: number
  readonly loads: number
  /** Loads that failed, ran into `hardTimeout`, or were aborted because every caller had left. */
  readonly loadErrors: number
  /** Callers that shared a load which another caller had begun. */
  readonly joined: number
  /** Running loads that a later caller may share. */
  readonly inFlight: number
  /** Calls that failed at the store, through no fault of the caller. */
  readonly storeErrors: number
  /** The counts of the near tier, if there is one. */
  readonly near?: NearStats
}

/**
 * Something that happened in a cache. An event contains no value and no full key. `name` is that of the `wrap` or `define`.
 * Events about one key have `keyHash`, which `eventKeys` makes from the key.
 */
export type CacheEvent = { readonly namespace: string; readonly name?: string; readonly keyHash?: string } & (
  | { readonly type: 'hit' | 'miss' | 'stale' | 'invalidate' | 'decode-failed' }
  | { readonly type: 'load'; readonly durationMs: number; readonly ok: boolean }
  /**
   * A loaded value went to its callers and was not stored: its key was deleted or written during the load, or the loader
   * named a tag whose version was not captured before.
   */
  | { readonly type: 'fill-refused' }
  /** A loaded value, or a write with `onWriteFailure: 'event'`, could not be stored. */
  | { readonly type: 'write-dropped'; readonly code: ErrorCode }
  | { readonly type: 'store-error'; readonly code: ErrorCode }
  /** Work that continued after a response failed. `cause` is the error itself, which may quote data. */
  | { readonly type: 'background-error'; readonly code: ErrorCode | undefined; readonly cause: unknown }
  /** `open: true`: one call at a time tries the store, all others fail at once. `open: false`: the store replies again. */
  | { readonly type: 'breaker'; readonly open: boolean }
  /**
   * Once for each cache: an entry was stored without a `ttl`. It stays until it is deleted. After a `clear` it counts as
   * absent, but its memory is freed only once its key is read again.
   */
  | { readonly type: 'no-lifetime' }
  /** Once for each cache: a `ttl` is a number below 1,000, so less than a second. `message` names the literal for seconds. */
  | { readonly type: 'short-ttl'; readonly message: string }
  /** Messages of other processes may have been missed, so the near tier was emptied. */
  | { readonly type: 'feed-gap' }
)
