import type { ErrorCode } from '../errors.ts'
import type { Duration } from '../protocol/duration.ts'
import type { AtomicStore } from '../store/store.ts'
import type { Algorithm } from './algorithm.ts'

/**
 * What decides when the store does not reply: `'open'` allows, `'closed'` refuses, `{ local: n }` allows each id `n` in each
 * window (the first window, of several limits) in this process. A store that loses its data in the outage forgets what it
 * counted.
 */
export type OutagePolicy = 'open' | 'closed' | { readonly local: number }

export interface RateLimiterOptions {
  /** The store that has the counts. No clock but that of the store is used for them. */
  readonly store: AtomicStore
  /** `fixedWindow(…)`, `slidingWindow(…)`, `slidingLog(…)`, `slidingBuckets(…)`, `tokenBucket(…)` or `gcra(…)`. */
  readonly algorithm: Algorithm
  /** There is no default: allowing and refusing are both wrong for somebody. */
  readonly outage: OutagePolicy
  /** Limiters of one namespace, algorithm and limits share their counts; any others count apart. @default 'limit' */
  readonly namespace?: string
  /** How long one decision may wait for the store before `outage` decides. @default 250 */
  readonly timeout?: Duration
  /**
   * Called for each decision that the store did not make, and when the store is no longer asked or is asked again. Its errors
   * are ignored.
   */
  readonly onEvent?: (event: RateLimitEvent) => void
}

/** What happened to a limiter's store. Carries no id. */
export type RateLimitEvent = { readonly namespace: string } & (
  | {
      /** A decision that the store did not make. */
      readonly type: 'degraded'
      readonly reason: 'unavailable' | 'timeout'
      /** The code of the error with which the command failed. */
      readonly code: ErrorCode
      /** What the outage policy decided. */
      readonly success: boolean
    }
  /**
   * `open: true`: one call at a time asks the store, and `outage` decides all others at once. `open: false`: the store replies
   * again.
   */
  | { readonly type: 'breaker'; readonly open: boolean }
)

export interface LimitOptions {
  /** How much the call takes: a whole number. 0 asks and takes nothing. @default 1 */
  readonly cost?: number
  /** Another limit for this call, such as a plan's: one number for each limit of the algorithm. The counts are shared. */
  readonly limit?: number | readonly number[]
  /** Aborting rejects with the signal's reason. The store may have counted the call. */
  readonly signal?: AbortSignal
}

export interface WaitOptions extends LimitOptions {
  /** How long to wait at most. @default '30s' */
  readonly timeout?: Duration
}

/**
 * What was decided. Of several limits, the numbers are of the one with the longest wait, or else of the one with the least
 * left.
 */
export interface Decision {
  /** Whether the call may go on. */
  readonly success: boolean
  /** The most that can be taken at once. */
  readonly limit: number
  /** What is left now; never negative. */
  readonly remaining: number
  /** When all of `limit` is free again if nothing more is taken, in epoch milliseconds by the clock that decided. */
  readonly reset: number
  /** Milliseconds until the same call is allowed if nothing more is taken. 0 on success; `Infinity` for a cost above the limit. */
  readonly retryAfterMs: number
  /** `limited`: by the algorithm. `blocked`: by `block`. `unavailable`, `timeout`: by the outage policy. */
  readonly reason: 'ok' | 'limited' | 'blocked' | 'unavailable' | 'timeout'
}

/**
 * Decides about ids. Each decision is one atomic step on one key of the store. A step that counts is never sent twice: a call
 * whose reply is lost is counted once or not at all. While the store replies, a call that is refused takes nothing.
 *
 * Every method rejects with `INVALID_ARGUMENT` or `INVALID_DURATION` before any I/O for an id that is no text or empty, and for
 * a cost, limit or time that makes no sense.
 */
export interface RateLimiter {
  /**
   * Takes `cost` for `id`, or refuses. Also resolves when the store does not reply: then `outage` decides, and `reason` says
   * so. A refusal is remembered in this process for up to a second, no longer than it is valid, and the store is not asked
   * again. Rejects with `CLOSED` after the store was closed, and with `UNSUPPORTED` from a server that cannot run the step.
   */
  limit(id: string, options?: LimitOptions): Promise<Decision>
  /** What `limit` would resolve to now. Takes nothing. */
  peek(id: string, options?: LimitOptions): Promise<Decision>
  /**
   * As `limit`, but tries again after each refusal, when its `retryAfterMs` has passed. A refused try takes nothing, so a wait
   * costs nobody anything. Resolves to the last refusal when the next try would come after `timeout`. A try may last beyond
   * `timeout`, by the time that the limiter gives the store. Waiters have no order.
   */
  waitFor(id: string, options?: WaitOptions): Promise<Decision>
  /** Forgets all that is known about `id`, also a block. Rejects when the store does not reply. */
  reset(id: string): Promise<void>
  /** Gives back up to `cost`, newest first; never more than was taken. Rejects when the store does not reply. */
  refund(id: string, cost?: number): Promise<void>
  /** Refuses every call of `id` until `time` from now, with reason `blocked`. Rejects when the store does not reply. */
  block(id: string, time: Duration): Promise<void>
}
