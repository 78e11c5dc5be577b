import type { HitherError } from '../../src/errors.ts'
import { reconnectDelay } from '../../src/runtime/backoff.ts'
import { elapsedMs } from '../../src/runtime/clock.ts'
import { openConnection } from './connection.ts'
import { closed } from './errors.ts'
import type { Settings } from './settings.ts'
import type { Connection } from './wiring.ts'

export interface Link {
  /** The connection for a call made now. Throws while the next attempt is not due, and once the link is closed. */
  pick(at: number): Connection
  /** Whether its connection is open. */
  isReady(): boolean
  /** `heardAt` of its connection, in epoch milliseconds; 0 while none is open. */
  heardAt(): number
  /** Waits up to a second for the replies to commands under way, then ends the connection. */
  close(): Promise<void>
}

const GRACE_MS = 1000

/**
 * A connection that the first call opens. After it has ended, the next call opens another. Calls wait for an attempt under way,
 * and reject at once between two attempts. A connection that was unused for `idleMs` is replaced before its next use, since
 * nothing shows whether the other side has dropped it.
 */
export function createLink(settings: Settings, idleMs: number): Link {
  let current: Connection | undefined
  let failures = 0
  /** By `elapsedMs`, a clock that is never set. */
  let retryAt = 0
  let fault: HitherError | undefined
  let over = false

  const open = (): Connection => {
    const connection = openConnection(settings, {
      onEnd(error, opened) {
        if (current === connection) current = undefined
        failures = opened ? 0 : failures + 1
        fault = error
        retryAt = opened ? 0 : elapsedMs() + reconnectDelay(failures)
      },
    })
    return connection
  }
  return {
    pick(at) {
      if (over) throw closed()
      if (current?.state() === 'ready' && current.isIdle() && at - current.heardAt() > idleMs) void current.leave(0)
      const state = current?.state()
      if (current && (state === 'ready' || state === 'opening')) return current
      if (fault && elapsedMs() < retryAt) throw fault
      current = open()
      return current
    },
    isReady: () => current?.state() === 'ready',
    heardAt: () => (current?.state() === 'ready' ? current.heardAt() : 0),
    async close() {
      over = true
      await current?.leave(GRACE_MS)
    },
  }
}
