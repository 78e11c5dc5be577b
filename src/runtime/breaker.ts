import { now } from './clock.ts'
import { perTick } from './per-tick.ts'

/**
 * Runs a call, unless the server has not replied lately: then the calls of one run of microtasks at a time are a probe, since
 * they may be sent together, and all others fail at once.
 */
export type Breaker = <T>(call: (nowMs: number) => Promise<T>) => Promise<T>

/** What an error says about the server that was asked; `unknown`: nothing, such as a caller's own abort. */
export type Meaning = 'failed' | 'answered' | 'unknown'

export interface BreakerOptions {
  /** `afterMs`: milliseconds since the call. */
  judge(error: unknown, afterMs: number): Meaning
  /** The error of a call that is not made. */
  refusal(): Error
  onChange(open: boolean): void
  /** How long a probe may take, in milliseconds; after that another may begin. */
  readonly patienceMs: number
}

const MOST_FAILURES = 5
const WITHIN_MS = 1000

/**
 * Opens after 5 failures in a row within a second. Failures that arrive in one run of microtasks, such as those of one batch,
 * count as one. It stays closed while any part of the server replies, such as one node of a Cluster. While it is open, one
 * probe at a time is sent, and the first reply closes it.
 */
export function createBreaker({ judge, refusal, onChange, patienceMs }: BreakerOptions): Breaker {
  let failures: readonly number[] = []
  /** `counted`: a failure of this run of microtasks was counted. `probe`: the calls of this run are the probe. */
  const thisTick = perTick<true>()
  let open = false
  /** When the probe began; undefined: there is none. */
  let probingMs: number | undefined

  const countFailure = (): void => {
    if (open || thisTick.get('counted')) return
    thisTick.set('counted', true)
    const at = now()
    failures = [...failures.filter((earlier) => Math.abs(at - earlier) < WITHIN_MS), at]
    if (failures.length < MOST_FAILURES) return
    failures = []
    open = true
    onChange(true)
  }
  const close = (): void => {
    open = false
    onChange(false)
  }
  const answered = (): void => {
    if (failures.length > 0) failures = []
    if (open) close()
  }
  const probe = async <T>(call: (nowMs: number) => Promise<T>): Promise<T> => {
    const sentMs = now()
    const end = (meaning: Meaning): void => {
      probingMs = undefined
      if (meaning === 'answered' && open) close()
    }
    if (!thisTick.get('probe')) {
      probingMs = sentMs
      thisTick.set('probe', true)
    }
    try {
      const answer = await call(sentMs)
      end('answered')
      return answer
    } catch (error) {
      end(judge(error, now() - sentMs))
      throw error
    }
  }
  const probeOrRefuse = async <T>(call: (nowMs: number) => Promise<T>): Promise<T> => {
    if (!thisTick.get('probe') && probingMs !== undefined && Math.abs(now() - probingMs) < patienceMs) throw refusal()
    return await probe(call)
  }
  return (call) => {
    if (open) return probeOrRefuse(call)
    const sentMs = now()
    const answer = ask(call, sentMs)
    // Not in the caller's own chain, so that the caller does not wait a microtask longer.
    answer.then(answered, (error: unknown) => {
      const meaning = judge(error, now() - sentMs)
      if (meaning === 'failed') countFailure()
      else if (meaning === 'answered') answered()
    })
    return answer
  }
}

/** Turns an error that a call throws at once into a rejection, so that it is handled like any other failure. */
function ask<T>(call: (nowMs: number) => Promise<T>, nowMs: number): Promise<T> {
  try {
    return call(nowMs)
  } catch (error) {
    return Promise.reject(error)
  }
}
