import { HitherError, isHitherError } from '../errors.ts'
import { setDeadline } from '../runtime/clock.ts'
import { perTick } from '../runtime/per-tick.ts'

/**
 * Settles every call of a store, whatever the store does. A store ends its own calls at their deadline and rejects with a
 * `HitherError`; one that does neither, such as a double in a test, must not hang its callers or pass for a loader's error.
 * A call that is not awaited has no timer: it may hang.
 */
export type LastResort = <T>(call: () => Promise<T>, signal?: AbortSignal, isAwaited?: boolean) => Promise<T>

/** How much longer a store is given to end its call itself, in milliseconds: it knows whether the call may have run. */
export const LATE_MS = 100

/** The calls of one run of microtasks, which share one timer. */
interface Batch {
  readonly waiting: Set<(error: Error) => void>
  readonly cancel: () => void
}

/** For calls that are given `timeoutMs` milliseconds. */
export function createLastResort(timeoutMs: number): LastResort {
  const batches = perTick<Batch>()
  const batchOfTick = (): Batch => {
    let batch = batches.get('')
    if (!batch) {
      const waiting: Batch['waiting'] = new Set()
      const expire = (): void => {
        for (const reject of [...waiting]) reject(late())
      }
      batch = { waiting, cancel: setDeadline(expire, timeoutMs + LATE_MS) }
      batches.set('', batch)
    }
    return batch
  }
  return (call, signal, isAwaited = true) =>
    new Promise((resolve, reject) => {
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
        call().then((value) => {
          end()
          resolve(value)
        }, fail)
      } catch (error) {
        fail(error)
      }
    })
}

function late(): HitherError {
  return new HitherError('TIMEOUT', 'the store did not end the call at its deadline', {
    retryable: true,
    maybeExecuted: true,
  })
}

function foreign(cause: unknown): HitherError {
  return new HitherError('STORE_UNAVAILABLE', 'the store failed with an error that is none of hither, see cause', {
    cause,
    retryable: true,
    maybeExecuted: true,
  })
}
