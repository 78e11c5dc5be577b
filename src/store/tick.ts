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
  readonly effect: Effect
  /** Bytes on the wire, roughly. */
  readonly size: number
  /** Set for an operation: what stands in for EVAL's script. */
  readonly script: object | undefined
  readonly bytes: boolean
  readonly deadline: number
  resolve(reply: Wire | undefined): void
  reject(error: unknown): void
  sent: boolean
  settled: boolean
  attempts: number
  batch: Batch | undefined
}

/** Units of one flush. */
interface Batch {
  readonly units: readonly Unit[]
  left: number
  /** Its place in the list of those that are open. */
  place: number
  cancel: () => void
}

/** Calls `fn` once after `ms` milliseconds; the returned function cancels it. */
export type Timer = (fn: () => void, ms: number) => () => void

export interface Tick {
  /** Resolves as `flush` decides. Rejects when `call` aborts, at its deadline, or as `flush` decides. */
  add(
    keys: Unit['keys'],
    args: Unit['args'],
    effect: Effect,
    size: number,
    call: Call | undefined,
    script?: object,
  ): Promise<Wire | undefined>
  /** Puts units that may run again back at the end of the queue. */
  again(units: readonly Unit[]): void
  /** Rejects what waits or is under way, and every later call, with `CLOSED`. */
  close(): void
}

const RESOLVED: Promise<void> = Promise.resolve()
const nothing = (): void => {}

/**
 * One queue per store: calls made in one run of microtasks reach `flush` together, in call order. A unit settles
 * once: by its reply, its abort, its deadline or `close`, whichever is first, and alone. With `lasting`, a timer that
 * outlives the request that set it and keeps no process alive, one of it watches all batches; else each has its own.
 */
export function createTick(timeoutMs: number, flush: (units: readonly Unit[]) => void, lasting?: Timer): Tick {
  let queue: Unit[] = []
  const open: Batch[] = []
  let closed = false

  const start = (): void => {
    let units = queue
    queue = []
    let fresh = units
    for (const { settled, batch } of units) {
      if (!settled && !batch) continue
      units = units.filter((unit) => !unit.settled)
      fresh = units.filter((unit) => !unit.batch)
      break
    }
    if (fresh.length > 0) watch(fresh)
    if (units.length > 0) flush(units)
  }
  // A promise's `then`, since `queueMicrotask` costs ten times as much on Node.
  const soon = (): void => void RESOLVED.then(start)
  const push = (unit: Unit): void => {
    if (queue.push(unit) === 1) void RESOLVED.then(soon)
  }

  let due = Number.POSITIVE_INFINITY
  let cancelDue = nothing
  const watch = (units: readonly Unit[]): void => {
    const batch: Batch = { units, left: units.length, place: open.length, cancel: nothing }
    for (const unit of units) unit.batch = batch
    open.push(batch)
    arm(batch, firstDeadline(units))
  }
  const arm = (batch: Batch, next: number): void => {
    if (!lasting) {
      // On Workers a timer dies with the request that set it.
      if (next < Number.POSITIVE_INFINITY) batch.cancel = setTimer(() => sweep([batch]), next - now())
    } else if (next < due) {
      cancelDue()
      due = next
      cancelDue = lasting(() => {
        due = Number.POSITIVE_INFINITY
        sweep([...open])
      }, next - now())
    }
  }
  const sweep = (batches: readonly Batch[]): void => {
    const at = now()
    for (const batch of batches) {
      for (const unit of batch.units) if (unit.deadline <= at) unit.reject(lateError(unit))
      if (batch.left > 0) arm(batch, firstDeadline(batch.units))
    }
  }
  const settle = (unit: Unit): boolean => {
    if (unit.settled) return false
    unit.settled = true
    const { batch } = unit
    if (batch && --batch.left === 0) {
      // The last of the list takes its place; a set would cost a batch of one more than all the rest here.
      const last = open.pop() as Batch
      if (last !== batch) {
        last.place = batch.place
        open[batch.place] = last
      }
      batch.cancel()
    }
    return true
  }

  return {
    add: (keys, args, effect, size, call, script) =>
      new Promise((resolve, reject) => {
        const signal = call?.signal
        if (signal?.aborted) return reject(signal.reason)
        if (closed) return reject(new HitherError('CLOSED', 'the store is closed'))
        const unit: Unit = {
          keys,
          args,
          effect,
          size,
          script,
          bytes: call?.bytes === true,
          deadline: call?.deadline ?? now() + timeoutMs,
          resolve(reply) {
            if (settle(unit)) resolve(reply)
          },
          reject(error) {
            if (settle(unit)) reject(error)
          },
          sent: false,
          settled: false,
          attempts: 0,
          batch: undefined,
        }
        if (call?.deadline !== undefined && !(call.deadline > now())) return reject(lateError(unit))
        if (signal) listen(unit, signal)
        push(unit)
      }),
    again: (units) => {
      for (const unit of units) if (!unit.settled) push(unit)
    },
    close: () => {
      closed = true
      const error = (unit: Unit): HitherError =>
        new HitherError('CLOSED', 'the store was closed', { maybeExecuted: mayHaveRun(unit) })
      for (const { units } of [...open]) for (const unit of units) unit.reject(error(unit))
      for (const unit of queue) unit.reject(error(unit))
      cancelDue()
    },
  }
}

/** Rejects `unit` when `signal` aborts first. */
function listen(unit: Unit, signal: AbortSignal): void {
  const { resolve, reject } = unit
  const onAbort = (): void => unit.reject(signal.reason)
  const end = (): void => signal.removeEventListener('abort', onAbort)
  unit.resolve = (reply) => {
    end()
    resolve(reply)
  }
  unit.reject = (error) => {
    end()
    reject(error)
  }
  signal.addEventListener('abort', onAbort, { once: true })
}

function firstDeadline(units: readonly Unit[]): number {
  let first = Number.POSITIVE_INFINITY
  for (const unit of units) if (!unit.settled && unit.deadline < first) first = unit.deadline
  return first
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
