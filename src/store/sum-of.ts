import { HitherError, StoreRejectedError } from '../errors.ts'

/** The same error, of a call of which another part may have run. */
export function partlyRun(error: HitherError): HitherError {
  const { code, message, retryable, maybeExecuted } = error
  if (maybeExecuted !== false) return error
  const options = { cause: error, retryable, maybeExecuted: true }
  return error instanceof StoreRejectedError
    ? Object.assign(new StoreRejectedError(error.command, error.reply, options), { code, message })
    : new HitherError(code, message, options)
}

/**
 * Resolves to the sum of what the parts of a write resolve to. If one fails, rejects with its error once all have ended, with
 * `maybeExecuted` if another one has run or may have.
 */
export async function sumOf(parts: readonly Promise<number>[]): Promise<number> {
  const ended = await Promise.allSettled(parts)
  const failed = ended.find((part) => part.status === 'rejected')
  if (!failed) return ended.reduce((sum, part) => sum + Number((part as { readonly value: number }).value), 0)
  const { reason } = failed
  const hasRun = ended.some((part) => part.status === 'fulfilled' || part.reason?.maybeExecuted)
  throw hasRun && reason ? partlyRun(reason) : reason
}
