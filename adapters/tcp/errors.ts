import { HitherError } from '../../src/errors.ts'
import { connectHint } from '../../src/store/connect-hint.ts'
import { ReplyError } from '../../src/store/transport.ts'

export function fault(code: 'STORE_UNAVAILABLE' | 'BAD_REPLY', message: string, cause?: unknown): HitherError {
  const retryable = code === 'STORE_UNAVAILABLE'
  return new HitherError(code, message, { retryable, ...(cause === undefined ? {} : { cause }) })
}

export function tooLarge(bytes: number): ReplyError {
  return new ReplyError(`TOOLARGE the replies of one call are more than ${bytes} bytes together: the rest was not kept`)
}

/** No connection was made. */
export function unreached(what: string, reason: string, cause?: unknown): HitherError {
  const mend = /WRONG_VERSION_NUMBER|PACKET_LENGTH/.test(reason)
    ? 'is it TLS? redis:// is for a server without'
    : (connectHint(reason) ?? 'check that the server runs and host and port are right')
  return fault('STORE_UNAVAILABLE', `${what} (${reason}): ${mend}`, cause)
}

/** The server replied to the greeting with an error. Its text is not shown: it may have an argument. */
export function refused({ word, message }: ReplyError, cause?: unknown): HitherError {
  if (/^(NOAUTH|WRONGPASS)$/.test(word) || /^ERR (invalid password|.*AUTH)/.test(message))
    return new HitherError('UNAUTHORIZED', 'the server refused the credentials: check user name and password', {
      cause,
    })
  const why = /^ERR max number of clients/.test(message)
    ? 'too many clients: raise its maxclients, or open fewer connections'
    : word
  return fault('STORE_UNAVAILABLE', `the server refused the connection: ${why}`, cause)
}

export function closed(): HitherError {
  return new HitherError('CLOSED', 'the transport is closed')
}

export function timedOut(sent: boolean): HitherError {
  const message = sent ? 'no reply before the deadline' : 'no connection before the deadline'
  return new HitherError('TIMEOUT', message, { retryable: true, maybeExecuted: sent })
}

/** The same error, with `maybeExecuted` set to whether the call was sent. */
export function ofCall(error: HitherError, sent: boolean): HitherError {
  const { code, message, retryable, cause } = error
  if (error.maybeExecuted === sent) return error
  return new HitherError(code, message, { retryable, maybeExecuted: sent, ...(cause === undefined ? {} : { cause }) })
}
