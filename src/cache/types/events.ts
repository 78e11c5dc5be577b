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

/**
 * What happened, without values and full keys. `namespace` says where; `name` is that of the `wrap` or `define`; `keyHash` is
 * what `eventKeys` makes of the key, in events about one key.
 */
export type CacheEvent = { readonly namespace: string; readonly name?: string; readonly keyHash?: string } & (
  | { readonly type: 'hit' | 'miss' | 'stale' | 'invalidate' | 'decode-failed' }
  | { readonly type: 'load'; readonly durationMs: number; readonly ok: boolean }
  /** A load ended after its key was deleted or set: its callers got the value, the store did not. */
  | { readonly type: 'fill-refused' }
  /** A load's value that could not be stored. */
  | { readonly type: 'write-dropped'; readonly code: ErrorCode }
  | { readonly type: 'store-error'; readonly code: ErrorCode }
  /** Work that continued after an answer failed. `cause` is the error itself, which may quote data. */
  | { readonly type: 'background-error'; readonly code: ErrorCode | undefined; readonly cause: unknown }
  /** The store is asked by one call at a time, all others fail at once; or it answers again. */
  | { readonly type: 'breaker'; readonly open: boolean }
  /**
   * Once for each cache: an entry was stored without a `ttl`. Nothing ends it but a delete; after a `clear` it is unreadable
   * and keeps its memory until its key is read again.
   */
  | { readonly type: 'no-lifetime' }
  /** Once for each cache: a `ttl` is a number below 1,000, so less than a second. `message` names the literal for seconds. */
  | { readonly type: 'short-ttl'; readonly message: string }
  /** Messages of other processes may have been missed: the near tier was emptied. */
  | { readonly type: 'feed-gap' }
)
