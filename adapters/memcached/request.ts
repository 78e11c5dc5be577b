import { HitherError } from '../../src/errors.ts'
import type { Effect } from '../../src/protocol/operation.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import type { Written } from './encoder.ts'
import type { Reply } from './replies.ts'
import type { WireKey } from './wire.ts'

/** A key and where it is stored. */
export interface Place extends WireKey {
  /** Index of the server among the servers. */
  readonly server: number
  /** The key by which the server was chosen; undefined for a call that is for this server only. */
  readonly ringKey: string | undefined
  /** The whole key where it is stored under its digest; else empty. */
  readonly hashedKey: string
}

/** A command for a key. */
export interface Command<T> extends Written {
  /** `repeat` and `read` are sent again when a reply was lost. */
  readonly effect: Effect
  /** Reads the result from a reply without error, which is valid during this call only. What it throws rejects the request. */
  read(reply: Reply, place: Place): T
}

/** How to reach a server. */
export interface Route {
  /** Returns the connection, and opens one if there is none. Throws while the next attempt is not due. */
  pick(): { add(request: Request): void }
  isClosed(): boolean
}

/** A command on its way: shared by its connection, its retries and its promise. */
export interface Request {
  readonly place: Place
  readonly command: Command<unknown>
  readonly limits: CallLimits
  readonly link: Route
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** The number by which the reply names the request. */
  opaque: number
  attempts: number
  /** Whether it was written on the current connection. */
  isSent: boolean
  /** Whether it changes something and was written, on this connection or an earlier one. */
  mayHaveRun: boolean
  /** Whether it is settled, or waits to be sent again. A reply that arrives later still takes its place in the order. */
  isOver: boolean
  cancelTimer: (() => void) | undefined
  /** Removes the listener from the caller's signal. */
  forget: (() => void) | undefined
}

/** Returns the error, with `maybeExecuted` if the request may have run although no reply came. */
export function lost({ mayHaveRun }: Request, error: HitherError): HitherError {
  if (!mayHaveRun) return error
  const { code, message, cause } = error
  return new HitherError(code, message, { cause, maybeExecuted: true })
}

export const outOfStep = (): HitherError =>
  new HitherError('BAD_REPLY', 'memcached answered otherwise than asked: is it version 1.6 or later?')

export const unauthorized = (): HitherError =>
  new HitherError('UNAUTHORIZED', 'memcached wants a user and a password that it knows: name them in the url')

export const tooManyClients = (): HitherError =>
  unavailable('too many clients: start it with a larger -c, or open fewer connections')

export function unavailable(what: string, cause?: unknown): HitherError {
  return new HitherError('STORE_UNAVAILABLE', `memcached: ${what}`, { cause, retryable: true })
}

export function timedOut(maybeExecuted: boolean): HitherError {
  return new HitherError('TIMEOUT', 'no answer before the deadline', { retryable: !maybeExecuted, maybeExecuted })
}
