import { HitherError } from '../errors.ts'
import { onAbort } from './abort.ts'
import { NEVER, now, STALL_GRACE_MS, setDeadline, setQuietTimer, setTimer } from './clock.ts'

/** When a caller stops waiting. */
export interface Limit {
  readonly signals: readonly AbortSignal[]
  /** Epoch milliseconds; `NEVER`: no end. */
  readonly deadline: number
}

export const NO_LIMIT: Limit = { signals: [], deadline: NEVER }

/** Throws the reason of a signal that has aborted, or `TIMEOUT` past the deadline. */
export function checkLimit(limit: Limit): void {
  checkSignals(limit)
  if (!(limit.deadline > now())) throw passed()
}

/** Throws the reason of a signal that has aborted. */
export function checkSignals({ signals }: Pick<Limit, 'signals'>): void {
  for (const signal of signals) if (signal.aborted) throw signal.reason
}

export function passed(): HitherError {
  return new HitherError('TIMEOUT', 'the deadline of the call passed', { retryable: true })
}

/**
 * The timers of waits. The functions in `quieten` let their timers keep no process alive; later timers keep none alive from the
 * start where `areQuiet` is true.
 */
export interface QuietTimers {
  areQuiet: boolean
  readonly quieten: Set<() => void>
}

/**
 * Settles as `work` does, or rejects earlier as `checkLimit` throws. The work itself continues. Leaves no listener and no
 * timer. `timers` takes note of its timer.
 */
export function within<T>(work: Promise<T>, limit: Limit, timers?: QuietTimers): Promise<T> {
  const { signals, deadline } = limit
  if (deadline === NEVER && signals.length === 0) return work
  return new Promise((resolve, reject) => {
    work.then(resolve, reject)
    checkLimit(limit)
    const callOff = onLimit(limit, passed, reject, { timers })
    work.then(callOff, callOff)
  })
}

/**
 * Calls `leave` once when the limit is reached: with the reason of the signal that aborted, or at the deadline with what `timedOut`
 * returns. `graceMs` is that of `setDeadline`, and `timers` takes note of the timer. The returned function cancels the wait and
 * leaves no listener and no timer.
 */
export function onLimit(
  { signals, deadline }: Limit,
  timedOut: () => unknown,
  leave: (reason: unknown) => void,
  { graceMs = STALL_GRACE_MS, timers }: { readonly graceMs?: number; readonly timers?: QuietTimers | undefined } = {},
): () => void {
  let cancel: (() => void) | undefined
  const callOff = (): void => {
    cancel?.()
    timers?.quieten.delete(quieten)
    for (const forget of forgets) forget()
  }
  const end = (reason: unknown): void => {
    callOff()
    leave(reason)
  }
  const arm = (): void => {
    // A timer may fire before the clock has reached the deadline, and lasts for 25 days at most.
    const fire = (): void => (deadline > now() ? arm() : end(timedOut()))
    cancel = setDeadline(fire, deadline - now(), graceMs, timers?.areQuiet ? setQuietTimer : setTimer)
  }
  const quieten = (): void => {
    cancel?.()
    arm()
  }
  const forgets = signals.map((signal) => onAbort(signal, () => end(signal.reason)))
  if (deadline < NEVER) {
    arm()
    timers?.quieten.add(quieten)
  }
  return callOff
}

/** The limit of a call with these options. */
export function limitOf(
  call: { readonly signal?: AbortSignal | undefined; readonly deadline?: number } | undefined,
): Limit {
  return { signals: call?.signal ? [call.signal] : [], deadline: call?.deadline ?? NEVER }
}
