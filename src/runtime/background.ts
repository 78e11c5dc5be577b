import { budgetMs, waitUntil as supplied } from '#background'
import { HitherError } from '../errors.ts'
import { NEVER, now, sleep } from './clock.ts'

/** How long work may go on after an answer, in milliseconds; `NEVER` in a process that lasts. */
export const BACKGROUND_LIMIT_MS: number = budgetMs
/** Whether what a request has left pending may never settle: a wait for another request's promise needs a timer. */
export const REQUEST_SCOPED: boolean = budgetMs < NEVER

/** What to do about a `waitUntil` that has lost its object. */
export const BIND = 'pass waitUntil: (work) => ctx.waitUntil(work), or ctx itself'

/** Work that continues after an answer. */
export interface Background {
  /**
   * Has `work`, which must not reject, go on after the answer: by `waitUntil`, or else by what the runtime supplies at
   * this moment; a process that lasts needs neither. What they throw goes to `tell`. False: nothing keeps the work, so
   * that it is lost unless it is awaited.
   */
  add(
    work: Promise<unknown>,
    waitUntil: ((work: Promise<unknown>) => void) | undefined,
    tell: (error: unknown) => void,
    owner?: object,
  ): boolean
  /** Starts what belongs to `owner`: a `flush` that is called before its first await does not wait for it. */
  start<T>(owner: object, work: () => T): T
  /** No flush waits any longer for what belongs to `owner`. */
  leave(owner: object): void
  /** Resolves when nothing is left, what was added meanwhile included; what is past the budget counts as gone. */
  flush(): Promise<void>
}

export function createBackground(): Background {
  const pending = new Map<Promise<unknown>, { readonly since: number; readonly owner: object | undefined }>()
  /** Whose start is running. */
  let starting: object | undefined
  /** Owners that wait for the rest. Of two of them neither waits for the other. */
  const flushing = new Set<object>()
  const busy = (me: object | undefined): Promise<unknown>[] => {
    const left: Promise<unknown>[] = []
    for (const [work, { since, owner }] of pending) {
      // Past it its request has ended before it: it will never say so.
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

const FLUSH_POLL_MS = 10
const GUARD_MS = 1000
let guarding: { readonly atMs: number; readonly over: Promise<void> } | undefined

/**
 * Resolves a second from now: how long to wait for another request's work before asking the store how that stands. Calls
 * of one run of microtasks share a timer.
 */
export function guard(): Promise<void> {
  // What ends a request may end its microtasks with it.
  if (guarding?.atMs !== now()) {
    guarding = { atMs: now(), over: sleep(GUARD_MS) }
    queueMicrotask(() => {
      guarding = undefined
    })
  }
  return guarding.over
}

/** Resolves when `other` has settled; where its request may end without a word, after a second at the latest. */
export function settledOrTimeout(other: Promise<unknown>): Promise<unknown> {
  return REQUEST_SCOPED ? Promise.race([other.catch(() => {}), guard()]) : other
}
