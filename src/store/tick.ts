import { HitherError } from '../errors.ts'
import type { Effect } from '../protocol/operation.ts'
import { now, setTimer } from '../runtime/clock.ts'
import { checkKey } from './checks.ts'
import type { Call, StoreTraits } from './store.ts'
import type { Command } from './transport.ts'

/** One caller's part of a tick. Its promise follows the first of: its reply, its abort, its deadline, `close`. */
export interface Unit {
  readonly keys: readonly string[]
  /** A command; for an operation what follows its script. */
  readonly args: Command['args']
  readonly effect: Effect
  /** Bytes on the wire, roughly. */
  readonly size: number
  readonly script: { readonly lua: string } | undefined
  readonly bytes: boolean
  readonly deadline: number
  readonly resolve: (reply: never) => void
  readonly reject: (error: unknown) => void
  /** Takes the listener off the caller's signal. */
  end?: () => void
  sent: boolean
  settled: boolean
  attempts: number
}

export interface Tick {
  /** Resolves as `flush` decides. Rejects when `call` aborts, at its deadline, or as `flush` decides. */
  add<T>(
    keys: Unit['keys'],
    args: Unit['args'],
    effect: Effect,
    size: number,
    call?: Call,
    script?: Unit['script'],
  ): Promise<T>
  /** Rejects what waits or is under way, and every later call, with `CLOSED`. */
  close(): void
}

/** Ends each unit of a tick whose time is up, for as long as it is not called off. */
export type Watch = (units: readonly Unit[]) => () => void

/**
 * One queue per store: calls made in one run of microtasks reach `flush` together, in call order. `flush` resolves
 * when it has nothing more to send; it never rejects.
 */
export function createTick(
  traits: StoreTraits,
  timeoutMs: number,
  flush: (units: readonly Unit[]) => Promise<unknown>,
  watch: Watch = watchOne,
): Tick {
  const open = new Set<Unit[]>()
  let queue: Unit[] = []
  let closed = false
  let at = 0

  const start = (): void => {
    const units = queue
    queue = []
    const cancel = watch(units)
    void flush(units).then(() => {
      cancel()
      open.delete(units)
    })
  }

  return {
    add: (keys, args, effect, size, call, script) =>
      new Promise((resolve, reject) => {
        for (const key of keys) checkKey(key, traits)
        const signal = call?.signal
        if (signal?.aborted) throw signal.reason
        // The clock is read once a tick, but for calls with a deadline of their own.
        if (!queue[0] || call?.deadline !== undefined) at = now()
        const deadline = call?.deadline ?? at + timeoutMs
        const unit: Unit = {
          keys,
          args,
          effect,
          size,
          script,
          bytes: call?.bytes === true,
          deadline,
          resolve,
          reject,
          sent: false,
          settled: false,
          attempts: 0,
        }
        if (closed || !(deadline > at)) throw ended(unit, closed ? 'CLOSED' : 'TIMEOUT')
        if (signal) {
          const abort = (): void => settle(unit, 'reject', signal.reason)
          unit.end = () => signal.removeEventListener('abort', abort)
          signal.addEventListener('abort', abort)
        }
        if (queue.push(unit) === 1) {
          open.add(queue)
          // Not `queueMicrotask`, which costs ten times as much on Node.
          void Promise.resolve().then().then(start)
        }
      }),
    close: () => {
      closed = true
      for (const units of open) for (const unit of units) settle(unit, 'reject', ended(unit, 'CLOSED'))
    },
  }
}

/** With a timer of its own: on Workers a timer dies with the request that set it. */
function watchOne(units: readonly Unit[]): () => void {
  let cancel: (() => void) | undefined
  const arm = (): void => {
    const next = expire(units)
    if (next < Number.POSITIVE_INFINITY) cancel = setTimer(arm, next - now())
  }
  arm()
  return () => cancel?.()
}

/** Ends the units whose time is up; answers the earliest deadline of the others. */
export function expire(units: readonly Unit[]): number {
  const at = now()
  let next = Number.POSITIVE_INFINITY
  for (const unit of units) {
    if (unit.settled) continue
    if (unit.deadline <= at) settle(unit, 'reject', ended(unit, 'TIMEOUT'))
    else if (unit.deadline < next) next = unit.deadline
  }
  return next
}

/** Ends a unit; of no effect on one that has ended. */
export function settle(unit: Unit, how: 'resolve' | 'reject', value: unknown): void {
  unit.settled = true
  unit.end?.()
  unit[how](value as never)
}

function ended({ sent, effect }: Unit, code: 'CLOSED' | 'TIMEOUT'): HitherError {
  return new HitherError(code, code === 'CLOSED' ? 'the store is closed' : 'no answer before the deadline', {
    retryable: code === 'TIMEOUT' && !(sent && effect === 'once'),
    maybeExecuted: sent && effect !== 'read',
  })
}
