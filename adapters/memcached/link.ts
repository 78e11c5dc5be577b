import type { HitherError } from '../../src/errors.ts'
import { elapsedMs, now } from '../../src/runtime/clock.ts'
import { backoff } from './calls.ts'
import { type Connection, openConnection, type Settings } from './connection.ts'
import { type Route, unavailable } from './request.ts'

/** The connection to one server. */
export interface Link extends Route {
  /** Whether the last attempt to connect failed and the next is not due yet. */
  isDown(): boolean
  /** Ends the connection. No other is opened, and `pick` throws `error`. */
  close(error: HitherError): void
}

/** A connection unused for `idleMs` is replaced before it is used: nothing reports that the other side has dropped it. */
export function createLink(settings: Settings, idleMs: number): Link {
  let current: Connection | undefined
  let failures = 0
  /** By `elapsedMs`, a clock that is never set. */
  let retryAt = 0
  let fault: HitherError | undefined
  let closed: HitherError | undefined
  return {
    pick() {
      if (closed) throw closed
      if (current?.isIdle() && now() - current.heardAt > idleMs && current.state === 'ready') {
        current.end(unavailable('the connection was not used for long'))
        current = undefined
      }
      if (current && current.state !== 'ended') return current
      if (fault && elapsedMs() < retryAt) throw fault
      const opened: Connection = openConnection(settings, (error, hasOpened) => {
        if (current === opened) current = undefined
        // A refused login is a failure too: the next attempt a moment later would be refused as well.
        const isGood = hasOpened && error.code !== 'UNAUTHORIZED'
        failures = isGood ? 0 : failures + 1
        fault = error
        retryAt = isGood ? 0 : elapsedMs() + backoff(failures)
      })
      current = opened
      return opened
    },
    isDown: () => elapsedMs() < retryAt,
    isClosed: () => closed !== undefined,
    close(error) {
      closed ??= error
      current?.end(error)
    },
  }
}
