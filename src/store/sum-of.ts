import { HitherError } from '../errors.ts'

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
  if (reason?.maybeExecuted !== false || !hasRun) throw reason
  throw new HitherError(reason.code, reason.message, {
    cause: reason,
    retryable: reason.retryable,
    maybeExecuted: true,
  })
}
