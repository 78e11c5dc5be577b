import type { ErrorCode } from '../errors.ts'
import type { Duration } from '../protocol/duration.ts'
import type { AtomicStore } from '../store/store.ts'
import type { Algorithm } from './algorithm.ts'

/**
 * Who answers when the store does not: `'open'` allows, `'closed'` refuses, `{ local: n }` allows each id `n` per window
 * (the first, of several) in this process. A store that loses its data in the outage forgets what it counted.
 */
export type OutagePolicy = 'open' | 'closed' | { readonly local: number }

export interface RateLimiterOptions {
  /** Where the counts are. Its clock is the only one that counts. */
  readonly store: AtomicStore
  /** `fixedWindow(…)`, `slidingWindow(…)`, `slidingLog(…)`, `slidingBuckets(…)`, `tokenBucket(…)` or `gcra(…)`. */
  readonly algorithm: Algorithm
  /** There is no default: allowing and refusing are both wrong for somebody. */
  readonly outage: OutagePolicy
  /** Limiters of one namespace, algorithm and limits share their counts; any others count apart. @default 'limit' */
  readonly namespace?: string
  /** How long one decision may wait for the store before `outage` decides. @default 250 */
  readonly timeout?: Duration
  /** Told of each decision that the store did not make, and when it is asked no more or again. Its exceptions are contained. */
  readonly onEvent?: (event: RateLimitEvent) => void
}

/** What happened to a limiter's store. Carries no id. */
export type RateLimitEvent = { readonly namespace: string } & (
  | {
      /** A decision the store did not make. */
      readonly type: 'degraded'
      readonly reason: 'unavailable' | 'timeout'
      /** What became of the command. */
      readonly code: ErrorCode
      /** What the outage policy decided. */
      readonly success: boolean
    }
  /** The store is asked by one call at a time, `outage` decides all others at once; or it answers again. */
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

/** Of several limits it tells of one: that which lets the caller wait longest, or else has least left. */
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
 * Decisions on ids. Each is one atomic step on one key of the store, never sent twice: of calls whose answer is lost,
 * each is counted once or not at all. Over a store that answers, a call that is refused takes nothing.
 *
 * Every method rejects with `INVALID_ARGUMENT` or `INVALID_DURATION` before any I/O for an id that is no text or empty,
 * a cost, limit or time that makes no sense.
 */
export interface RateLimiter {
  /**
   * Takes `cost` for `id`, or refuses. Resolves also when the store does not answer: `outage` decides, `reason` says so.
   * A refusal is remembered in this process for up to a second, no longer than it stands, and spares the store the question.
   * Rejects with `CLOSED` after the store was closed, and with `UNSUPPORTED` from a server that cannot do it.
   */
  limit(id: string, options?: LimitOptions): Promise<Decision>
  /** What `limit` would answer now. Takes nothing. */
  peek(id: string, options?: LimitOptions): Promise<Decision>
  /**
   * As `limit`, again after each refusal, when the wait it names is over. What is refused takes nothing, so that a wait
   * costs nobody. Resolves to the last refusal once the next try would come after `timeout`; a try may take what the
   * limiter gives the store beyond it. Waiters have no order.
   */
  waitFor(id: string, options?: WaitOptions): Promise<Decision>
  /** Forgets all that is known of `id`, a block too. Rejects when the store does not answer. */
  reset(id: string): Promise<void>
  /** Gives back up to `cost`, newest first; never more than was taken. Rejects when the store does not answer. */
  refund(id: string, cost?: number): Promise<void>
  /** Refuses every call of `id` until `time` from now, with reason `blocked`. Rejects when the store does not answer. */
  block(id: string, time: Duration): Promise<void>
}
