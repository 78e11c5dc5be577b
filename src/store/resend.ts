import { HitherError } from '../errors.ts'
import { jittered } from '../runtime/backoff.ts'
import { setTimer } from '../runtime/clock.ts'
import { type PendingCall, settle } from './tick.ts'

/** Most attempts of a call whose reply was lost. Their pauses add up to about a second, more than a reconnect takes. */
const MAX_ATTEMPTS = 6

export interface Resend {
  /** Settles calls that got no reply, except those that are to be sent again: it resolves to them after a pause. */
  settleOrKeep(calls: readonly PendingCall[], error: unknown): Promise<PendingCall[]>
  /** Ends all pauses: once the store is closed, nobody waits for them. */
  close(): void
}

/**
 * After a lost reply, reads, deletes and operations marked `repeat` are sent again, up to five times before their deadline,
 * with jittered back-off; no other call is. A patient call is sent again too if nothing ran because it shared its request with
 * one that is not. `toOutage` maps an error that is not a `HitherError` to the one that a call rejects with.
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
      // Nothing ran: one call of the request would not wait, so none did. The patient ones are sent again without it.
      const hurried = known?.code === 'OVERLOADED' && !isPatient(calls)
      const again = calls.filter((call) => {
        if (hurried && call.patient) return true
        const lost = known?.maybeExecuted || call.attempts > 0
        const mayRepeat = lost && call.effect !== 'once' && known?.code === 'STORE_UNAVAILABLE'
        if (mayRepeat && ++call.attempts < MAX_ATTEMPTS) {
          call.failure = error
          return true
        }
        if (!known) {
          settle(call, 'reject', toOutage(error))
          return false
        }
        // A read changes nothing, even if its reply was lost. Any other call may have run at an earlier attempt.
        const maybeExecuted = lost && call.effect !== 'read'
        const failure = known.code === 'TIMEOUT' && call.failure
        const isSame = known.maybeExecuted === maybeExecuted && !failure
        const options = { cause: failure || error, retryable: true, maybeExecuted }
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

/** Whether all of the calls wait when the endpoint asks for fewer requests. */
function isPatient(calls: readonly PendingCall[]): boolean {
  return calls.every(({ patient }) => patient)
}
