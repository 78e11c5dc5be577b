import type { Duration } from '../protocol/duration.ts'
import type { AtomicStore } from '../store/store.ts'

export interface LocksOptions {
  /** Where the locks are. Its clock is the only one that ends a lease for others. */
  readonly store: AtomicStore
  /** Locks of one namespace and name exclude one another; the same name in two namespaces is two locks. @default 'lock' */
  readonly namespace?: string
  /** How long a lease lasts unless it is renewed: how long others wait after a holder has died. @default '30s' */
  readonly ttl?: Duration
  /**
   * How many replicas must confirm a lease before it counts (`WAIT`); fewer is a failed `acquire`, and a failed renewal.
   * Needs a store over TCP to one server: any other throws `UNSUPPORTED`. @default 0
   */
  readonly minReplicas?: number
  /** Average pause between two tries of one waiting caller, from half to one and a half of it at random. @default '50ms' */
  readonly poll?: Duration
}

export interface AcquireOptions {
  /** How long to try, from now. @default 0: one try */
  readonly wait?: Duration
  /** Aborting rejects `acquire` with the signal's reason. It does nothing to a lock that was acquired. */
  readonly signal?: AbortSignal
  /** @default `ttl` of `createLocks` */
  readonly ttl?: Duration
  /** Renew the lease at each third of it until `release`. False: it ends after `ttl`, unless `extend` is called. @default true */
  readonly renew?: boolean
}

/**
 * A lease that this process holds. It is *lost* when its time has passed without a renewal, when two renewals in a row
 * have failed, or when the store says that it is not there any more. A lost lock never becomes held again.
 *
 * On a runtime where a timer ends with its request the lock belongs to that request: what it has not released ends after
 * the lease.
 */
export interface Lock {
  /**
   * The fencing token: a safe integer, greater than that of every earlier holder of this name, also after a failover.
   * A resource that refuses a lower token than the highest it has seen is safe from a holder that is late.
   */
  readonly token: number
  /**
   * Aborts with `LOCK_LOST` when the lock is lost. Reading `aborted`, `reason` or `throwIfAborted()` compares the deadline
   * with the clock, so that code which has blocked all timers sees the loss too. Releasing aborts nothing.
   */
  readonly signal: AbortSignal
  /** Throws `LOCK_LOST` when the lock is lost or released. Sends nothing. */
  assertHeld(): void
  /**
   * Makes the lease last `ttl` from now, or as long as it does already; its default is the lock's own. False when the
   * lock was lost or released. Rejects when the store does not answer, or too few replicas do: the lock is then still
   * held until its deadline.
   */
  extend(ttl?: Duration): Promise<boolean>
  /**
   * Gives the lease back. False when it was no longer this lock's, and for a second call; another's lease is never
   * touched. Rejects when the store does not answer: the lease then ends by itself. After a loss it does not reject.
   */
  release(): Promise<boolean>
  /** As `release`, and never rejects, so that it hides no error of the block. */
  [Symbol.asyncDispose](): Promise<void>
}

/** What became of `run`: a lock that is taken is a result and no error. */
export type RunResult<T> = { readonly acquired: true; readonly value: T } | { readonly acquired: false }

/** Something that callers hold: one at a time, or so many. */
export interface Lockable {
  /**
   * Resolves to `undefined` when it is taken, also at the end of `wait`. Of those who wait any may be next, and nobody who
   * comes later is before all of them.
   *
   * Rejects when the store does not answer (`STORE_UNAVAILABLE`, `TIMEOUT`), with the signal's reason when it aborts, and
   * with `INVALID_DURATION` before any I/O. A lease that such a call may have taken is given back in the background.
   */
  acquire(options?: AcquireOptions): Promise<Lock | undefined>
  /**
   * Runs `work` while it holds the lock, and releases it when `work` has ended. Rejects as `acquire` does, and with what
   * `work` throws; a release that fails changes neither. That the lock was lost meanwhile does not reject: `work` learns
   * it by `lock.signal` or `lock.assertHeld()`.
   */
  run<T>(work: (lock: Lock) => T | PromiseLike<T>, options?: AcquireOptions): Promise<RunResult<T>>
}

export interface Locks {
  /** As `Lockable.acquire`, for one holder of `name` at a time. */
  acquire(name: string, options?: AcquireOptions): Promise<Lock | undefined>
  /** As `Lockable.run`, for one holder of `name` at a time. */
  run<T>(name: string, work: (lock: Lock) => T | PromiseLike<T>, options?: AcquireOptions): Promise<RunResult<T>>
  /**
   * Up to `permits` holders at a time: a whole number from 1 to 1000. Where callers of one name differ, the fewest permits
   * among those who hold and the one who asks count.
   */
  semaphore(name: string, options: { readonly permits: number }): Lockable
  /**
   * Many readers (up to 1000), or one writer. A writer that waits keeps further readers from joining those that read; once
   * nobody holds, any of those who wait may be next. A reader cannot become a writer: it would wait for itself.
   */
  readWrite(name: string): { readonly read: Lockable; readonly write: Lockable }
}
