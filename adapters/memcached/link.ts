import type { HitherError } from '../../src/errors.ts'
import { now } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import { type Connection, openConnection, type Settings } from './connection.ts'

/** The connection to one server. */
export interface Link {
  /** The connection for a call made now, opened where there is none; throws while the next attempt is not due. */
  pick(at: number): Connection
  /** Whether the last attempt failed, and the next is not due. */
  isDown(at: number): boolean
  readonly isClosed: boolean
  /** Ends the connection; no other is opened, and `pick` throws this error. */
  close(error: HitherError): void
}

/** Longest wait between two attempts, in milliseconds: a server that is back is used again within half a second. */
const MAX_BACKOFF_MS = 400

/** Milliseconds to wait after so many failures in a row: doubling, and by half a matter of chance so that clients spread. */
export function backoff(failures: number): number {
  return Math.ceil((0.5 + random() / 2) * Math.min(50 * 2 ** failures, MAX_BACKOFF_MS))
}

/** One that nobody used for `idleMs` is replaced first, since nothing tells when the other side forgot it. */
export function createLink(settings: Settings, idleMs: number): Link {
  let current: Connection | undefined
  let failures = 0
  let retryAt = 0
  let fault: HitherError | undefined
  let closed: HitherError | undefined
  return {
    pick(at) {
      if (closed) throw closed
      if (current?.state === 'ready' && current.isIdle && at - current.heardAt > idleMs) {
        current.end(fault as HitherError)
        current = undefined
      }
      if (current && current.state !== 'ended') return current
      if (at < retryAt && fault) throw fault
      const opened: Connection = openConnection(settings, (error, hasOpened) => {
        if (current === opened) current = undefined
        // Who is not let in is not let in a moment later.
        const isGood = hasOpened && error.code !== 'UNAUTHORIZED'
        failures = isGood ? 0 : failures + 1
        fault = error
        retryAt = isGood ? 0 : now() + backoff(failures)
      })
      current = opened
      return opened
    },
    isDown: (at) => at < retryAt,
    get isClosed() {
      return closed !== undefined
    },
    close(error) {
      closed ??= error
      current?.end(error)
    },
  }
}
