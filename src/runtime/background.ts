import { budgetMs, waitUntil as supplied } from '#background'
import { HitherError } from '../errors.ts'
import { NEVER, now, sleep } from './clock.ts'

/** How long work may continue after the response, in milliseconds; `NEVER` in a long-lived process. */
export const BACKGROUND_LIMIT_MS: number = budgetMs
/**
 * Whether the promises of a request may never settle once it has ended, as on Workers. To wait for another request's promise
 * then needs a timer.
 */
export const REQUEST_SCOPED: boolean = budgetMs < NEVER

/** What to do about a `waitUntil` that was passed without its object. */
export const BIND = 'pass waitUntil: (work) => ctx.waitUntil(work), or ctx itself'

/** Work that continues after the response. */
export interface Background {
  /**
   * Keeps `work`, which must not reject, alive after the response: by `waitUntil`, or else by what the runtime supplies at this
   * moment; a long-lived process needs neither. An error that they throw is passed to `tell`. Returns false where nothing keeps
   * the work alive, so that it is lost unless it is awaited. `owner`: for `start` and `leave`.
   */
  add(
    work: Promise<unknown>,
    waitUntil: ((work: Promise<unknown>) => void) | undefined,
    tell: (error: unknown) => void,
    owner?: object,
  ): boolean
  /** Runs `work` for `owner`. A `flush` that `work` calls before its first await does not wait for what belongs to `owner`. */
  start<T>(owner: object, work: () => T): T
  /** Lets no flush wait any longer for what belongs to `owner`. */
  leave(owner: object): void
  /**
   * Resolves when no work is left, including work that was added meanwhile. Work that is older than `BACKGROUND_LIMIT_MS`
   * counts as ended.
   */
  flush(): Promise<void>
}

export function createBackground(): Background {
  const pending = new Map<Promise<unknown>, { readonly since: number; readonly owner: object | undefined }>()
  /** The owner whose `start` is running. */
  let starting: object | undefined
  /** Owners that wait in a flush. Two of them do not wait for each other. */
  const flushing = new Set<object>()
  const busy = (me: object | undefined): Promise<unknown>[] => {
    const left: Promise<unknown>[] = []
    for (const [work, { since, owner }] of pending) {
      // Past the limit, the request of this work has ended first, so its promise will never settle.
      if (since + BACKGROUND_LIMIT_MS <= now()) pending.delete(work)
      else if (!(me && owner && flushing.has(owner))) left.push(work)
    }
    return left
  }
  return {
    add(work, waitUntil, tell, owner) {
      const tracked = work.finally(() => pending.delete(tracked))
      if (REQUEST_SCOPED) busy(undefined)
      pending.set(tracked, { since: now(), owner })
      try {
        const keep = waitUntil ?? supplied()
        keep?.(tracked)
        if (keep) return true
      } catch (cause) {
        tell(new HitherError('INVALID_ARGUMENT', `waitUntil threw: ${BIND}`, { cause }))
      }
      return !REQUEST_SCOPED
    },
    start(owner, work) {
      const outer = starting
      starting = owner
      try {
        return work()
      } finally {
        starting = outer
      }
    },
    leave(owner) {
      for (const [work, each] of pending) if (each.owner === owner) pending.delete(work)
    },
    async flush() {
      const me = starting
      if (me) flushing.add(me)
      try {
        for (let left = busy(me); left.length > 0; left = busy(me))
          await (REQUEST_SCOPED || me ? sleep(FLUSH_POLL_MS) : Promise.all(left))
      } finally {
        if (me) flushing.delete(me)
      }
    },
  }
}

/**
 * Keeps `work`, which must not reject, alive after the response where the runtime may end the request before it settles. Other
 * requests may wait for it.
 */
export function keepForOthers(work: Promise<unknown>): void {
  if (!REQUEST_SCOPED) return
  try {
    supplied()?.(work)
  } catch {
    // There is no request here, so none can end.
  }
}

const FLUSH_POLL_MS = 10
const GUARD_MS = 1000
let guarding: { readonly atMs: number; readonly over: Promise<void> } | undefined

/**
 * Resolves a second from now. A caller waits that long for another request's work before it asks the store about it. Calls of
 * one run of microtasks share a timer.
 */
export function guard(): Promise<void> {
  // The microtask below may never run where the runtime ends the request, so the time is compared as well.
  if (guarding?.atMs !== now()) {
    guarding = { atMs: now(), over: sleep(GUARD_MS) }
    queueMicrotask(() => {
      guarding = undefined
    })
  }
  return guarding.over
}

/** Waits for `other` to settle; for a second at most where its request may end without settling it. */
export function settledOrTimeout(other: Promise<unknown>): Promise<unknown> {
  return REQUEST_SCOPED ? Promise.race([other.catch(() => {}), guard()]) : other
}
