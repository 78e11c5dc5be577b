import type { StoreRejectedError } from '../errors.ts'
import { ownOf } from '../protocol/arguments.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { type Limit, within } from '../runtime/deadline.ts'
import { LATE_MS } from '../store/last-resort.ts'
import { isOutage } from '../store/outage.ts'
import type { Call, View } from './model.ts'
import { commandCall, onAnswer, recordOutage, runStep } from './store-calls.ts'
import type { WriteOptions } from './types.ts'

/**
 * The store's reply to one call. A failure of the store is counted and reported. At the deadline the store ends its call
 * itself, since it knows whether the call may have run. If it does not, the wait ends `LATE_MS` later.
 */
export function answerOf<T>(
  { core, emit }: View,
  answer: Promise<T>,
  { signals, deadline }: Limit,
  onValue: (value: T) => void = () => onAnswer(core),
): Promise<T> {
  const counted = answer.then(
    (value) => {
      onValue(value)
      return value
    },
    (error: unknown) => {
      recordOutage(core, error, emit)
      throw error
    },
  )
  return within(counted, { signals, deadline: deadline + LATE_MS })
}

/** Where a caller's step runs, and when the caller stops waiting. */
export type StepTarget = Pick<Call, 'view' | 'storedKey' | 'limit'>

/** Runs one step on a stored key for a caller. A key of another Redis type is absent, and to `increment` it is no counter. */
export function answerStep(
  { view, storedKey, limit }: StepTarget,
  operation: Operation<readonly Arg[], Reply>,
  args: readonly Arg[],
): Promise<Reply> {
  const { core } = view
  const step = runStep(core, { operation, key: storedKey, args }, commandCall(core, limit))
  const reply = step.catch((error: Partial<StoreRejectedError>) => {
    if (error?.reply !== 'WRONGTYPE') throw error
    return args[0] === 'increment' ? 'WRONG_TYPE' : null
  })
  return answerOf(view, reply, limit)
}

/** Reports the failure of a write as an event, where its caller asked for that. Returns whether it did. */
export function reportAsEvent({ emit }: View, options: WriteOptions | undefined, error: unknown): boolean {
  if (ownOf(options).onWriteFailure !== 'event' || !isOutage(error)) return false
  emit({ type: 'write-dropped', code: error.code })
  return true
}

/** The result of an explicit write, or `instead` if its failure is reported as an event. */
export async function orReportAsEvent<T>(
  view: View,
  options: WriteOptions | undefined,
  answer: Promise<T>,
  instead: T,
): Promise<T> {
  try {
    return await answer
  } catch (error) {
    if (!reportAsEvent(view, options, error)) throw error
    return instead
  }
}
