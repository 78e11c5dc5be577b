import { now } from './clock.ts'
import { perTick } from './per-tick.ts'

/**
 * Runs a call, unless what it asks does not answer lately: then the calls of one run of microtasks at a time probe, since
 * they may travel together, and the others fail at once. `nowMs`: where the caller has just read the clock.
 */
export type Breaker = <T>(call: (nowMs: number) => Promise<T>, nowMs?: number) => Promise<T>

/** What an error says of whom was asked; `unknown`: nothing, such as a caller's own abort. */
export type Meaning = 'failed' | 'answered' | 'unknown'

export interface BreakerOptions {
  /** `afterMs`: milliseconds since the call. */
  judge(error: unknown, afterMs: number): Meaning
  /** The error of a call that is not made. */
  refusal(): Error
  onChange(open: boolean): void
  /** How long a probe may take, in milliseconds: past it another may begin. */
  readonly patienceMs: number
}

const MOST_FAILURES = 5
const WITHIN_MS = 1000

/**
 * Opens at 5 failures in a row within a second; those that arrive in one run of microtasks, as of the calls of one batch,
 * are one. Where one part of what is asked answers, such as a node of a Cluster, it stays closed. While it is open one probe at a time goes through, and the first call that is answered closes it.
 */
export function createBreaker({ judge, refusal, onChange, patienceMs }: BreakerOptions): Breaker {
  let failures: readonly number[] = []
  /** Holds `counted` once this run of microtasks has had its failure, and `probe` while it is the probe's. */
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
  return (call, sentMs = now()) => {
    if (open) return probeOrRefuse(call)
    const answer = ask(call, sentMs)
    // Beside the caller, who is not to wait a turn more for it.
    answer.then(answered, (error: unknown) => {
      const meaning = judge(error, now() - sentMs)
      if (meaning === 'failed') countFailure()
      else if (meaning === 'answered') answered()
    })
    return answer
  }
}

/** Rejects for what a call throws at once, so that nobody who waits for another is left. */
function ask<T>(call: (nowMs: number) => Promise<T>, nowMs: number): Promise<T> {
  try {
    return call(nowMs)
  } catch (error) {
    return Promise.reject(error)
  }
}
