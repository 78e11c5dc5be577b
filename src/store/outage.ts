import { HitherError, isHitherError } from '../errors.ts'
import { type Breaker, createBreaker } from '../runtime/breaker.ts'

/** Raised by the caller's own input, or by what no wait mends. */
const OWN_FAULT = /^(INVALID|VALUE|BATCH|UNENC|CLOSED|UNSUPPORTED)/
/** A probe that has not ended by then has ended with its request. */
const PROBE_MARGIN_MS = 1000

/** Whether the error says that the store did not do what it was asked, through no fault of the caller. */
export function isOutage(error: unknown): error is HitherError {
  return isHitherError(error) && !OWN_FAULT.test(error.code)
}

/** A breaker before a store whose calls are given `timeoutMs` milliseconds. Refuses with `STORE_UNAVAILABLE`. */
export function createStoreBreaker(timeoutMs: number, onChange: (open: boolean) => void): Breaker {
  return createBreaker({
    judge(error, afterMs) {
      const { code = '' } = isHitherError(error) ? error : {}
      if (/^(STORE_UN|OVERL|BAD_)/.test(code)) return 'failed'
      // A caller may have had less patience than the store is given.
      if (code === 'TIMEOUT' && afterMs >= timeoutMs * 0.9) return 'failed'
      return /^(STORE_REJ|UNAUTH|WRONG|OVERF)/.test(code) ? 'answered' : 'unknown'
    },
    refusal: () =>
      new HitherError(
        'STORE_UNAVAILABLE',
        'the store did not answer lately: one call at a time asks whether it is back',
        { retryable: true },
      ),
    onChange,
    patienceMs: timeoutMs + PROBE_MARGIN_MS,
  })
}
