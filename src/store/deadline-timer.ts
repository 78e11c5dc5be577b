import { firedAt, now, setDeadline } from '../runtime/clock.ts'
import { expire, type Watch } from './tick.ts'

/** Calls `fn` once after `ms` milliseconds; the returned function cancels it. */
export type Timer = (fn: () => void, ms: number) => () => void

/** A clock that goes back by more than this was set, in milliseconds. */
const SET_BACK_MS = 1000

/** Watches all ticks of a store with one `timer`, which outlives the request that set it and keeps no process alive. */
export function oneTimer(timer: Timer): Watch {
  return (open) => {
    let due = Number.POSITIVE_INFINITY
    let cancel = (): void => {}
    /** When the clock was read last. */
    let seenMs = Number.NEGATIVE_INFINITY
    const arm = (next: number, nowMs: number): void => {
      if (next >= due) return
      cancel()
      due = next
      const end = (): void => {
        due = Number.POSITIVE_INFINITY
        const at = firedAt(next)
        seenMs = at
        arm(expire(open(), at), at)
      }
      cancel = setDeadline(end, next - nowMs, 0, timer)
    }
    return (calls) => {
      const at = now()
      const backMs = seenMs - at
      seenMs = at
      if (backMs > SET_BACK_MS) {
        // The deadlines of the calls under way are by the clock as it was before.
        for (const call of open()) if (!calls.includes(call)) call.deadline -= backMs
        cancel()
        due = Number.POSITIVE_INFINITY
        arm(expire(open(), at), at)
      }
      for (const { deadline } of calls) arm(deadline, at)
      return undefined
    }
  }
}
