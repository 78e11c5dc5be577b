import { HitherError } from '../errors.ts'

/** What a call rejects with whose store, or transport, failed with an error of another kind: it may have run. */
export function foreign(cause: unknown): HitherError {
  return new HitherError('STORE_UNAVAILABLE', 'the store failed with an error that is none of hither, see cause', {
    cause,
    retryable: true,
    maybeExecuted: true,
  })
}
