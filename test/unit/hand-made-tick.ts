import { oneTimer } from '../../src/store/deadline-timer.ts'
import { createTick, type PendingCall, type Tick } from '../../src/store/tick.ts'

export interface HandMade {
  readonly tick: Tick
  readonly timers: ReadonlySet<{ readonly ms: number }>
  readonly flushed: readonly { readonly calls: readonly PendingCall[]; end(): void }[]
  fire(): void
  read(key: string, deadline?: number): Promise<unknown>
}

/** A tick whose one timer is fired by hand. */
export function handMade(): HandMade {
  const timers = new Set<{ fn: () => void; ms: number }>()
  const flushed: { calls: readonly PendingCall[]; end: () => void }[] = []
  const traits = { shared: true, ttlStepMs: 1, maxKeyBytes: 64, maxValueBytes: 64 } as const
  const tick = createTick(
    { ...traits, clock: 'server', consistency: 'strong' },
    60_000,
    (calls, end) => void flushed.push({ calls, end }),
    oneTimer((fn, ms) => {
      const timer = { fn, ms }
      timers.add(timer)
      return () => void timers.delete(timer)
    }),
  )
  const fire = (): void => {
    for (const timer of [...timers]) {
      timers.delete(timer)
      timer.fn()
    }
  }
  const read = (key: string, deadline?: number): Promise<unknown> =>
    tick.add(
      { keys: [key], args: ['GET', key], effect: 'read', size: 1 },
      deadline === undefined ? undefined : { deadline },
    )
  return { tick, timers, flushed, fire, read }
}
export const turn = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
export const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: { code: string }) => error.code,
  )
