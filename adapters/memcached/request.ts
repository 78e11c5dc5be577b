import { HitherError } from '../../src/errors.ts'
import type { Reply } from './replies.ts'

/** One command and what becomes of its reply. */
export interface Request {
  readonly head: string
  /** A value that is no text, which follows; the end of its line is written after it. */
  readonly body: Uint8Array | undefined
  /** What its reply ends with; empty: any line is its reply. */
  readonly tail: string
  readonly deadline: number
  /** Whether it changes something. */
  readonly writes: boolean
  readonly owner: Owner
  /** Whether it was written on this connection. */
  isSent: boolean
  /** It changes something and was written, on this connection or an earlier one. */
  mayHaveRun: boolean
  /** Its caller has been answered; a reply that comes later still takes its place. */
  isOver: boolean
}

/** Called once for each request, unless `isOver`. */
export interface Owner {
  /** What the reply points to is valid during the call only. */
  onReply(request: Request, reply: Reply): void
  onError(request: Request, error: unknown): void
}

export function fail(request: Request, error: unknown): void {
  if (request.isOver) return
  request.isOver = true
  request.owner.onError(request, error)
}

/** The error, which says whether the request may have run although no reply came. */
export function lost({ mayHaveRun }: Request, error: HitherError): HitherError {
  if (!mayHaveRun) return error
  const { code, message, cause } = error
  return new HitherError(code, message, { cause, maybeExecuted: true })
}

export const outOfStep = (): HitherError =>
  new HitherError('BAD_REPLY', 'memcached answered otherwise than asked: is it version 1.6 or later?')

export const unauthorized = (): HitherError =>
  new HitherError('UNAUTHORIZED', 'memcached wants a user and a password that it knows: name them in the url')

export function unavailable(what: string, cause?: unknown): HitherError {
  return new HitherError('STORE_UNAVAILABLE', `memcached: ${what}`, { cause, retryable: true })
}

export function late(maybeExecuted: boolean): HitherError {
  return new HitherError('TIMEOUT', 'no answer before the deadline', { retryable: !maybeExecuted, maybeExecuted })
}
