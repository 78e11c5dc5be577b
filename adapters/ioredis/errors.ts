import { HitherError } from '../../src/errors.ts'
import { connectHint } from '../../src/store/connect-hint.ts'
import { ReplyError } from '../../src/store/transport.ts'

/** Messages of ioredis for a command that it did not write. */
export const UNSENT: RegExp = /isn't (writeable|ready)|Connection in subscriber mode|monitoring mode/

export function isReply(error: unknown): error is Error {
  return (error as Error | undefined)?.name === 'ReplyError'
}

export function timedOut(sent: boolean): HitherError {
  return new HitherError('TIMEOUT', sent ? 'no reply before the deadline' : 'no connection before the deadline', {
    retryable: true,
    maybeExecuted: sent,
  })
}

export function sentInPart(error: unknown): unknown {
  if (!(error instanceof HitherError) || error.maybeExecuted) return error
  const { code, message, retryable } = error
  return new HitherError(code, message, { cause: error, retryable, maybeExecuted: true })
}

const NO_TLS = 'is it TLS? redis:// is for a server without'
const NAMES =
  '; a certificate that names hosts needs tls.servername, or of a Cluster dnsLookup: (address, done) => done(null, address)'

/** The error of a command that got no reply. `cause` is left out if ioredis has attached the command and its arguments. */
export function lost(error: unknown, sent: boolean, status: string, secure = false): HitherError {
  const text = error instanceof Error ? error.message : ''
  const maybeExecuted = sent && !UNSENT.test(text)
  const cause = error instanceof Error && !('command' in error) ? { cause: error } : {}
  if (text === 'Command timed out') {
    return new HitherError('TIMEOUT', "no reply within the client's commandTimeout", { retryable: true, maybeExecuted })
  }
  if (isReply(error)) {
    if (/^(NOAUTH|WRONGPASS|NOPERM|ERR (invalid password|.*AUTH))/.test(text)) {
      return new HitherError('UNAUTHORIZED', 'the server refused the credentials: check user name and password')
    }
    return new HitherError('STORE_UNAVAILABLE', `the server refused the connection: ${new ReplyError(text).word}`)
  }
  if (/protocol error|unknown RESP|reply type/i.test(text)) {
    return new HitherError('BAD_REPLY', 'what answers there does not speak the Redis protocol: check host and port', {
      ...cause,
      maybeExecuted,
    })
  }
  const code = (error as { code?: unknown } | undefined)?.code
  const reason = typeof code === 'string' ? code : `client status: ${status}`
  const isPlainText = /WRONG_VERSION_NUMBER|PACKET_LENGTH/.test(reason)
  const hint = secure || reason === 'ERR_TLS_CERT_ALTNAME_INVALID' ? NAMES : ''
  const mend = isPlainText
    ? NO_TLS
    : `${connectHint(reason) ?? 'check that the server runs and host and port are right'}${hint}`
  return new HitherError(
    'STORE_UNAVAILABLE',
    maybeExecuted ? `the connection ended before the reply (${reason})` : `not connected (${reason}): ${mend}`,
    { ...cause, retryable: status !== 'end', maybeExecuted },
  )
}
