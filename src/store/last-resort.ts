import { HitherError, isHitherError } from '../errors.ts'
import { REQUEST_SCOPED } from '../runtime/background.ts'
import { setDeadline } from '../runtime/clock.ts'
import { perTick } from '../runtime/per-tick.ts'
import { hasMark } from './ends-in-time.ts'
import { foreign } from './foreign-error.ts'
import type { Store } from './store.ts'

/**
 * Settles every call of a store, whatever the store does. A store ends its own calls at their deadline and rejects with a
 * `HitherError`. One that does neither, such as a double in a test, must not hang its callers, and its error must not pass for
 * a loader's.
 * A call that is not awaited has no timer: it may hang.
 */
export type LastResort = <T>(call: (nowMs: number) => Promise<T>, nowMs: number, how: CallScope) => Promise<T>

/** What may end a call, and whether its caller waits. */
export interface CallScope {
  readonly signal?: AbortSignal | undefined
  /** A caller may wait for it. @default true */
  readonly isAwaited?: boolean
}

/** How much longer a store has to end its call itself, in milliseconds: only the store knows whether the call may have run. */
export const LATE_MS = 100

/** The calls of one run of microtasks, which share one timer. */
interface Batch {
  readonly waiting: Set<(error: Error) => void>
  readonly cancel: () => void
}

/** `timeoutMs`: how long a call of `store` may take, in milliseconds. */
export function createLastResort(store: Store, timeoutMs: number): LastResort {
  const batches = perTick<Batch>()
  const batchOfTick = (): Batch => {
    let batch = batches.get('')
    if (!batch) {
      const waiting: Batch['waiting'] = new Set()
      const expire = (): void => {
        for (const reject of [...waiting]) reject(timedOut())
      }
      batch = { waiting, cancel: setDeadline(expire, timeoutMs + LATE_MS) }
      batches.set('', batch)
    }
    return batch
  }
  return (call, nowMs, { signal, isAwaited = true }) => {
    if (!REQUEST_SCOPED && hasMark(store)) return call(nowMs)
    return new Promise((resolve, reject) => {
      const batch = isAwaited ? batchOfTick() : undefined
      batch?.waiting.add(reject)
      const end = (): void => {
        // Once the batch is empty nothing may join it: its timer is gone.
        if (!batch?.waiting.delete(reject) || batch.waiting.size > 0) return
        batch.cancel()
        if (batches.get('') === batch) batches.delete('')
      }
      const fail = (error: unknown): void => {
        end()
        reject(isHitherError(error) || signal?.aborted ? error : foreign(error))
      }
      try {
        call(nowMs).then((value) => {
          end()
          resolve(value)
        }, fail)
      } catch (error) {
        fail(error)
      }
    })
  }
}

function timedOut(): HitherError {
  return new HitherError('TIMEOUT', 'the store did not end the call at its deadline', {
    retryable: true,
    maybeExecuted: true,
  })
}
