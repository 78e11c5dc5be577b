import { HitherError } from '../errors.ts'
import { onAbort } from './abort.ts'
import { NEVER, now, setDeadline, setQuietTimer, setTimer } from './clock.ts'

/** When a caller stops waiting. */
export interface Limit {
  readonly signals: readonly AbortSignal[]
  /** Epoch milliseconds; `NEVER`: no end. */
  readonly deadline: number
}

export const NO_LIMIT: Limit = { signals: [], deadline: NEVER }

/** Throws the reason of a signal that has aborted, or `TIMEOUT` past the deadline. */
export function checkLimit({ signals, deadline }: Limit): void {
  for (const signal of signals) if (signal.aborted) throw signal.reason
  if (!(deadline > now())) throw new HitherError('TIMEOUT', 'the deadline of the call passed', { retryable: true })
}

/** Timers of waits, which `quieten` keeps from keeping a process alive; those that come later are so from the start. */
export interface QuietTimers {
  areQuiet: boolean
  readonly quieten: Set<() => void>
}

/**
 * Settles as `work` does, or earlier as `checkLimit` says. The work itself goes on. Leaves no listener and no timer. Its timer
 * is one of `timers`.
 */
export function within<T>(work: Promise<T>, limit: Limit, timers?: QuietTimers): Promise<T> {
  const { signals, deadline } = limit
  if (deadline === NEVER && signals.length === 0) return work
  return new Promise((resolve, reject) => {
    let cancel: (() => void) | undefined
    let ended = false
    let forgets: readonly (() => void)[] = []
    const end = (): void => {
      ended = true
      cancel?.()
      timers?.quieten.delete(quieten)
      for (const forget of forgets) forget()
    }
    const quieten = (): void => {
      cancel?.()
      arm()
    }
    const check = (): void => {
      try {
        checkLimit(limit)
      } catch (error) {
        end()
        reject(error)
      }
    }
    // A timer may fire before the clock says so, and reaches 25 days at most.
    const arm = (): void => {
      check()
      const timer = timers?.areQuiet ? setQuietTimer : setTimer
      if (!ended && deadline < NEVER) cancel = setDeadline(arm, deadline - now(), undefined, timer)
    }
    arm()
    if (!ended) forgets = signals.map((signal) => onAbort(signal, check))
    if (!ended && cancel) timers?.quieten.add(quieten)
    work.then(end, end)
    work.then(resolve, reject)
  })
}
