import { HitherError } from '../../src/errors.ts'
import type { Effect } from '../../src/protocol/operation.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import type { Written } from './encoder.ts'
import type { Reply } from './replies.ts'
import type { WireKey } from './wire.ts'

/** A key and where it lies. */
export interface Place extends WireKey {
  /** The server's place among the servers. */
  readonly server: number
  /** By which it was placed; undefined where it stays on its server. */
  readonly ringKey: string | undefined
  /** The whole key, of one that is stored under its digest; else empty. */
  readonly hashedKey: string
}

/** What is asked of a key. */
export interface Command<T> extends Written {
  /** `repeat` and `read` are sent again where a reply was lost. */
  readonly effect: Effect
  /** Of a reply that is no error, during this call only; throws what rejects the request. */
  read(reply: Reply, place: Place): T
}

/** The way to a server. */
export interface Route {
  /** The connection, opened where there is none; throws while the next attempt is not due. */
  pick(): { add(request: Request): void }
  isClosed(): boolean
}

/** One command on its way, which its connection, its retries and its promise share. */
export interface Request {
  readonly place: Place
  readonly command: Command<unknown>
  readonly limits: CallLimits
  readonly link: Route
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** The number by which its reply names it. */
  opaque: number
  attempts: number
  /** Whether it was written on this connection. */
  isSent: boolean
  /** It changes something and was written, on this connection or an earlier one. */
  mayHaveRun: boolean
  /** Its caller has been answered; a reply that comes later still takes its place. */
  isOver: boolean
  cancelTimer: (() => void) | undefined
  /** Takes the listener off the caller's signal. */
  forget: (() => void) | undefined
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
