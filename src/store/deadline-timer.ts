import { firedAt, now, setDeadline } from '../runtime/clock.ts'
import { expire, type Watch } from './tick.ts'

/** Calls `fn` once after `ms` milliseconds; the returned function cancels it. */
export type Timer = (fn: () => void, ms: number) => () => void

/** Watches all ticks of a store with one `timer`, which outlives the request that set it and keeps no process alive. */
export function oneTimer(timer: Timer): Watch {
  return (open) => {
    let due = Number.POSITIVE_INFINITY
    let cancel = (): void => {}
    const arm = (next: number, nowMs = now()): void => {
      if (next >= due) return
      cancel()
      due = next
      const end = (): void => {
        due = Number.POSITIVE_INFINITY
        const at = firedAt(next)
        arm(expire(open(), at), at)
      }
      cancel = setDeadline(end, next - nowMs, 0, timer)
    }
    return (calls) => {
      for (const { deadline } of calls) arm(deadline)
      return undefined
    }
  }
}
