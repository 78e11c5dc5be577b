import { HitherError } from '../errors.ts'
import type { Effect } from '../protocol/operation.ts'
import { now, setTimer } from '../runtime/clock.ts'
import type { Call } from './store.ts'
import type { Wire } from './transport.ts'

/** One caller's part of a batch. */
export interface Unit {
  readonly keys: readonly string[]
  /** `undefined`: a read of `keys[0]`, free to share an MGET with its neighbours. */
  readonly args: readonly (string | number | Uint8Array)[] | undefined
  /** Set for an operation: what stands in for EVAL's script. */
  readonly script: object | undefined
  readonly effect: Effect
  /** Bytes on the wire, roughly. */
  readonly size: number
  readonly bytes: boolean
  readonly deadline: number
  readonly resolve: (reply: Wire) => void
  readonly reject: (error: unknown) => void
  sent: boolean
  settled: boolean
  attempts: number
  batch: Batch | undefined
}

/** Units of one flush that share a timer. */
interface Batch {
  left: number
  cancel: () => void
}

export interface Tick {
  /** Resolves to the raw reply. Rejects when `call` aborts, at its deadline, or as `flush` decides. */
  add(unit: Pick<Unit, 'keys' | 'args' | 'script' | 'effect' | 'size'>, call: Call | undefined): Promise<Wire>
  /** Puts units that may run again back at the end of the queue. */
  again(units: readonly Unit[]): void
  /** Rejects what waits or is under way, and every later call, with `CLOSED`. */
  close(): void
}

/**
 * One queue per store: calls made in one run of microtasks reach `flush` together, in call order. A unit settles
 * once: by its reply, its abort, its deadline or `close`, whichever is first, and alone.
 */
export function createTick(timeoutMs: number, flush: (units: Unit[]) => void): Tick {
  let queue: Unit[] = []
  const open = new Set<Unit>()
  let closed = false

  const start = (): void => {
    const units = queue.filter((unit) => !unit.settled)
    queue = []
    const fresh = units.filter((unit) => !unit.batch)
    if (fresh.length > 0) watch(fresh, { left: fresh.length, cancel: () => {} })
    if (units.length > 0) flush(units)
  }
  const push = (unit: Unit): void => {
    if (queue.push(unit) === 1) queueMicrotask(() => queueMicrotask(start))
  }
  // A timer a batch, never one for all: on Workers a timer dies with the request that set it.
  const watch = (units: readonly Unit[], batch: Batch): void => {
    let next = Number.POSITIVE_INFINITY
    for (const unit of units) {
      unit.batch = batch
      if (!unit.settled) next = Math.min(next, unit.deadline)
    }
    if (next < Number.POSITIVE_INFINITY) {
      batch.cancel = setTimer(() => {
        const at = now()
        for (const unit of units) if (unit.deadline <= at) unit.reject(lateError(unit))
        watch(units, batch)
      }, next - now())
    }
  }

  return {
    add: (part, call) =>
      new Promise((resolve, reject) => {
        const signal = call?.signal
        if (signal?.aborted) return reject(signal.reason)
        if (closed) return reject(new HitherError('CLOSED', 'the store is closed'))
        const onAbort = signal && ((): void => unit.reject(signal.reason))
        const done = (): boolean => {
          if (unit.settled) return false
          unit.settled = true
          open.delete(unit)
          if (onAbort) signal.removeEventListener('abort', onAbort)
          if (unit.batch && --unit.batch.left === 0) unit.batch.cancel()
          return true
        }
        const unit: Unit = {
          ...part,
          bytes: call?.bytes === true,
          deadline: call?.deadline ?? now() + timeoutMs,
          resolve: (reply) => done() && resolve(reply),
          reject: (error) => done() && reject(error),
          sent: false,
          settled: false,
          attempts: 0,
          batch: undefined,
        }
        if (!(unit.deadline > now())) return reject(lateError(unit))
        open.add(unit)
        if (onAbort) signal.addEventListener('abort', onAbort, { once: true })
        push(unit)
      }),
    again: (units) => {
      for (const unit of units) if (!unit.settled) push(unit)
    },
    close: () => {
      closed = true
      for (const unit of open) {
        unit.reject(new HitherError('CLOSED', 'the store was closed', { maybeExecuted: mayHaveRun(unit) }))
      }
    },
  }
}

function mayHaveRun(unit: Unit): boolean {
  return unit.sent && unit.effect !== 'read'
}

function lateError(unit: Unit): HitherError {
  return new HitherError('TIMEOUT', 'no answer from the store before the deadline', {
    retryable: !unit.sent || unit.effect !== 'once',
    maybeExecuted: mayHaveRun(unit),
  })
}
