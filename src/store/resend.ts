import { HitherError } from '../errors.ts'
import { jittered } from '../runtime/backoff.ts'
import { setTimer } from '../runtime/clock.ts'
import { type PendingCall, settle } from './tick.ts'

/** Of a call whose reply was lost: about a second, longer than a client takes to connect again. */
const MAX_ATTEMPTS = 6

export interface Resend {
  /** Settles calls that were not answered, but for those it resolves to after a pause: they are to be sent again. */
  settleOrKeep(calls: readonly PendingCall[], error: unknown): Promise<PendingCall[]>
  /** Ends the pauses, which nobody waits for once the store is closed. */
  close(): void
}

/**
 * What is sent again is decided by its effect alone: after a lost reply, reads, deletes and operations marked `repeat`,
 * up to five times before their deadline, with jittered back-off; nothing else. `toOutage`: what a call rejects with for an
 * error that is none of hither.
 */
export function createResend(onResend: () => void, toOutage: (error: unknown) => unknown = itself): Resend {
  const pauses = new Set<() => void>()
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        cancel()
        pauses.delete(end)
        resolve()
      }
      const cancel = setTimer(end, ms)
      pauses.add(end)
    })
  return {
    async settleOrKeep(calls, error) {
      const known = error instanceof HitherError ? error : undefined
      // Nothing ran, and those who would have waited were not asked: another call of their request would not.
      const hurried = known?.code === 'OVERLOADED' && !isPatient(calls)
      const again = calls.filter((call) => {
        if (hurried && call.patient) return true
        const lost = known?.maybeExecuted || call.attempts > 0
        const mayRepeat = lost && call.effect !== 'once' && known?.code === 'STORE_UNAVAILABLE'
        if (mayRepeat && ++call.attempts < MAX_ATTEMPTS) return true
        if (!known) {
          settle(call, 'reject', toOutage(error))
          return false
        }
        // A read changed nothing, whatever was lost; anything else may have run at an earlier attempt.
        const maybeExecuted = lost && call.effect !== 'read'
        const isSame = known.maybeExecuted === maybeExecuted
        const options = { cause: error, retryable: true, maybeExecuted }
        settle(call, 'reject', isSame ? error : new HitherError(known.code, known.message, options))
        return false
      })
      if (again[0]) {
        onResend()
        await pause(jittered(20 * 2 ** again[0].attempts))
      }
      return again
    },
    close() {
      for (const end of pauses) end()
    },
  }
}

const itself = (error: unknown): unknown => error

/** Whether all of them wait where the endpoint asks for fewer requests. */
function isPatient(calls: readonly PendingCall[]): boolean {
  return calls.every(({ patient }) => patient)
}
