import { HitherError, isHitherError } from '../errors.ts'
import { type Breaker, createBreaker } from '../runtime/breaker.ts'
import { now } from '../runtime/clock.ts'

/** Codes of errors that the caller's own input causes, or that waiting does not mend. */
const OWN_FAULT = /^(INVALID|VALUE|BATCH|UNENC|CLOSED|UNSUPPORTED)/
/** A probe that takes this much longer than a call may, in milliseconds, has ended together with its request. */
const PROBE_MARGIN_MS = 1000

/** Whether the error says that the store did not do what it was asked, through no fault of the caller. */
export function isOutage(error: unknown): error is HitherError {
  return isHitherError(error) && !OWN_FAULT.test(error.code)
}

/** Runs a call on these keys, or rejects with `STORE_UNAVAILABLE` if the part that serves them has failed lately. */
export type StoreBreaker = <T>(keys: readonly string[], call: (nowMs: number) => Promise<T>) => Promise<T>

/** Most breakers that are kept: more than a Cluster has nodes. */
const MAX_PARTS = 10_000

/** Puts a breaker before each part of a store. `timeoutMs`: how long a call of the store may take, in milliseconds. */
export function createStoreBreaker(
  part: ((key: string) => string) | undefined,
  timeoutMs: number,
  onChange: (open: boolean) => void,
): StoreBreaker {
  const make = (): Breaker =>
    createBreaker({
      judge(error, afterMs) {
        const { code = '' } = isHitherError(error) ? error : {}
        if (/^(STORE_UN|OVERL|BAD_)/.test(code)) return 'failed'
        // After less time, the caller's own deadline was short, which says nothing about the store.
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
  if (!part) {
    const whole = make()
    return (_keys, call) => whole(call)
  }
  const parts = new Map<string, Breaker>()
  return (keys, call) => {
    const [name, other] = new Set(keys.map(part))
    // If a call on several parts fails, nobody knows which part did: no breaker may count it.
    if (name === undefined || other !== undefined) return call(now())
    let own = parts.get(name)
    if (!own) {
      if (parts.size >= MAX_PARTS) parts.clear()
      own = make()
      parts.set(name, own)
    }
    return own(call)
  }
}
