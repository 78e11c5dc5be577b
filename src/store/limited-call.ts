import { HitherError } from '../errors.ts'
import { checkSignal } from '../protocol/arguments.ts'
import { now } from '../runtime/clock.ts'
import { checkLimit, type Limit, limitOf, onLimit } from '../runtime/deadline.ts'
import { createKeyQueue } from '../runtime/key-queue.ts'
import type { Call } from './call.ts'

/** What the error of a call says if its client fails or is too slow. */
export interface CallKind {
  readonly writes: boolean
  /** Whether it may be sent again after it may have run. */
  readonly retryable: boolean
  /** Message of the `STORE_UNAVAILABLE` error if the client rejects. */
  readonly message: string
}

/**
 * Runs a call of a client that supports neither deadline nor signal. Rejects at the limit, while the client's call goes on. If
 * the limit has passed already, rejects as `checkLimit` does, without a call.
 */
export function limitedCall<T>(limit: Limit, kind: CallKind, work: () => Promise<T>): Promise<T> {
  const { writes, retryable, message } = kind
  const timedOut = (): HitherError =>
    new HitherError('TIMEOUT', 'no answer before the deadline', { retryable, maybeExecuted: writes })
  return new Promise((resolve, reject) => {
    checkLimit(limit)
    const callOff = onLimit(limit, timedOut, reject)
    work()
      .then(resolve, (cause: unknown) =>
        reject(new HitherError('STORE_UNAVAILABLE', message, { cause, retryable, maybeExecuted: writes })),
      )
      .finally(callOff)
  })
}

/** Calls of a store, in call order on each key. */
export interface Calls {
  /**
   * Runs `work` after earlier slow calls on these keys have ended. `slow`: it takes more than one command, so that later
   * calls on the keys wait for it. After `close`, rejects with `CLOSED` and does not run `work`.
   */
  run<T>(keys: readonly string[], call: Call | undefined, slow: boolean, work: (limit: Limit) => Promise<T>): Promise<T>
  close(): void
}

/** `timeoutMs`: the deadline of a call that names none, in milliseconds from the call. */
export function createCalls(timeoutMs: number): Calls {
  const queue = createKeyQueue()
  let closed = false
  return {
    async run(keys, call, slow, work) {
      checkSignal(call?.signal)
      if (closed) throw new HitherError('CLOSED', 'the store is closed')
      const limit = { ...limitOf(call), deadline: call?.deadline ?? now() + timeoutMs }
      return queue.run(keys, slow, limit, () => work(limit))
    },
    close() {
      closed = true
    },
  }
}
