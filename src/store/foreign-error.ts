import { HitherError } from '../errors.ts'

/** The error of a call whose store or transport failed with anything but a `HitherError`. The call may have run. */
export function foreign(cause: unknown): HitherError {
  return new HitherError('STORE_UNAVAILABLE', 'the store failed with an error that is none of hither, see cause', {
    cause,
    retryable: true,
    maybeExecuted: true,
  })
}
