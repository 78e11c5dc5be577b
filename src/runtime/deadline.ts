import { HitherError } from '../errors.ts'
import { onAbort } from './abort.ts'
import { NEVER, now, setDeadline } from './clock.ts'

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

/** Settles as `work` does, or earlier as `checkLimit` says. The work itself goes on. Leaves no listener and no timer. */
export function within<T>(work: Promise<T>, limit: Limit): Promise<T> {
  const { signals, deadline } = limit
  if (deadline === NEVER && signals.length === 0) return work
  return new Promise((resolve, reject) => {
    let cancel: (() => void) | undefined
    let ended = false
    let forgets: readonly (() => void)[] = []
    const end = (): void => {
      ended = true
      cancel?.()
      for (const forget of forgets) forget()
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
      if (!ended && deadline < NEVER) cancel = setDeadline(arm, deadline - now())
    }
    arm()
    if (!ended) forgets = signals.map((signal) => onAbort(signal, check))
    work.then(end, end)
    work.then(resolve, reject)
  })
}
