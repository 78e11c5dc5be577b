import type { Duration } from '../protocol/duration.ts'
import type { AtomicStore } from '../store/store.ts'

export interface LocksOptions {
  /** The store that keeps the locks. Only its clock decides when others may take a lease that has ended. */
  readonly store: AtomicStore
  /** Locks of one namespace and name exclude one another; the same name in two namespaces is two locks. @default 'lock' */
  readonly namespace?: string
  /** How long a lease lasts unless it is renewed. Others wait so long after a holder has died. @default '30s' */
  readonly ttl?: Duration
  /**
   * How many replicas must confirm a lease before it counts (`WAIT`). A try or a renewal that fewer confirm has failed.
   * Needs a store over TCP to one server: any other throws `UNSUPPORTED`. @default 0
   */
  readonly minReplicas?: number
  /** Average pause between two tries of a waiting caller. Each pause is random, from half to one and a half of this. @default '50ms' */
  readonly poll?: Duration
}

export interface AcquireOptions {
  /** How long to keep trying, from now. @default 0: one try */
  readonly wait?: Duration
  /** Aborting it rejects `acquire` with the signal's reason. It has no effect on a lock that was acquired. */
  readonly signal?: AbortSignal
  /** @default `ttl` of `createLocks` */
  readonly ttl?: Duration
  /** Renews the lease every third of `ttl` until `release`. If false, it ends after `ttl` unless `extend` is called. @default true */
  readonly renew?: boolean
}

/**
 * A lease that this process holds. It is *lost* when its time has passed without a renewal, when two renewals in a row
 * have failed, or when the store replies that the lease no longer exists. A lost lock never becomes held again.
 *
 * On a runtime where timers end with their request, the lock belongs to that request: a lock that the request has not released
 * ends with its lease.
 */
export interface Lock {
  /**
   * The fencing token: a safe integer, greater than that of every earlier holder of this name, also after a failover.
   * A resource that refuses every token below the highest it has seen is safe from a late holder.
   */
  readonly token: number
  /**
   * Aborts with `LOCK_LOST` when the lock is lost. Reading `aborted`, `reason` or `throwIfAborted()` compares the deadline
   * with the clock, so that code which has blocked all timers sees the loss too. A release does not abort it.
   */
  readonly signal: AbortSignal
  /** Throws `LOCK_LOST` when the lock is lost or released. Sends nothing. */
  assertHeld(): void
  /**
   * Makes the lease last at least `ttl` from now; never shortens it. `ttl` defaults to the lock's own. Resolves to false when
   * the lock was lost or released. Rejects when the store does not reply, or when too few replicas confirm: the lock is then
   * still held until its deadline.
   */
  extend(ttl?: Duration): Promise<boolean>
  /**
   * Releases the lease. Resolves to false when this lock no longer had the lease, and for a second call. Never touches the lease
   * of another holder. Rejects when the store does not reply: the lease then ends by itself. After a loss it does not reject.
   */
  release(): Promise<boolean>
  /** As `release`, but never rejects, so that it hides no error of the `await using` block. */
  [Symbol.asyncDispose](): Promise<void>
}

/** The result of `run`. A lock that somebody else holds is a result, not an error. */
export type RunResult<T> = { readonly acquired: true; readonly value: T } | { readonly acquired: false }

/** Something that one caller, or a limited number of callers, may hold at a time. */
export interface Lockable {
  /**
   * Resolves to `undefined` when it is still taken at the end of `wait`. Any of the waiting callers may be next. While others
   * wait, a new caller does not get it at its first try.
   *
   * Rejects when the store does not reply (`STORE_UNAVAILABLE`, `TIMEOUT`), with the signal's reason when it aborts, and
   * with `INVALID_DURATION` before any I/O. If a call that rejects may have taken the lease, it releases it in the background.
   */
  acquire(options?: AcquireOptions): Promise<Lock | undefined>
  /**
   * Runs `work` while it holds the lock, and releases the lock when `work` has ended. Rejects as `acquire` does, and with what
   * `work` throws. A release that fails does not change the result. Losing the lock meanwhile does not reject either: `work`
   * sees the loss in `lock.signal` or `lock.assertHeld()`.
   */
  run<T>(work: (lock: Lock) => T | PromiseLike<T>, options?: AcquireOptions): Promise<RunResult<T>>
}

export interface Locks {
  /** As `Lockable.acquire`, for one holder of `name` at a time. */
  acquire(name: string, options?: AcquireOptions): Promise<Lock | undefined>
  /** As `Lockable.run`, for one holder of `name` at a time. */
  run<T>(name: string, work: (lock: Lock) => T | PromiseLike<T>, options?: AcquireOptions): Promise<RunResult<T>>
  /**
   * Up to `permits` holders at a time: a whole number from 1 to 1000. If callers of one name give different numbers, the lowest
   * number among the holders and the new caller counts.
   */
  semaphore(name: string, options: { readonly permits: number }): Lockable
  /**
   * Many readers (up to 1000), or one writer. While a writer waits, no further readers join those that read. When nobody holds
   * it, any of the waiting callers may be next. A reader cannot become a writer: it would wait for itself.
   */
  readWrite(name: string): { readonly read: Lockable; readonly write: Lockable }
}
