import { HitherError, isHitherError } from '../errors.ts'
import { type Breaker, createBreaker } from '../runtime/breaker.ts'
import { now } from '../runtime/clock.ts'

/** Raised by the caller's own input, or by what no wait mends. */
const OWN_FAULT = /^(INVALID|VALUE|BATCH|UNENC|CLOSED|UNSUPPORTED)/
/** A probe that has not ended by then has ended with its request. */
const PROBE_MARGIN_MS = 1000

/** Whether the error says that the store did not do what it was asked, through no fault of the caller. */
export function isOutage(error: unknown): error is HitherError {
  return isHitherError(error) && !OWN_FAULT.test(error.code)
}

/** Runs a call on these keys, or refuses it with `STORE_UNAVAILABLE` where what answers for them does not, lately. */
export type StoreBreaker = <T>(
  keys: readonly string[],
  call: (nowMs: number) => Promise<T>,
  nowMs?: number,
) => Promise<T>

/** More nodes than any Cluster has. */
const MAX_PARTS = 10_000

/** A breaker before each part of a store, whose calls are given `timeoutMs` milliseconds. */
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
  if (!part) {
    const whole = make()
    return (_keys, call, nowMs) => whole(call, nowMs)
  }
  const parts = new Map<string, Breaker>()
  return (keys, call, nowMs) => {
    const [name, other] = new Set(keys.map(part))
    // Of a call on several parts it is not known which has failed.
    if (name === undefined || other !== undefined) return call(nowMs ?? now())
    let own = parts.get(name)
    if (!own) {
      if (parts.size >= MAX_PARTS) parts.clear()
      own = make()
      parts.set(name, own)
    }
    return own(call, nowMs)
  }
}
