import type { NatsConnection } from '@nats-io/nats-core'
import { now, setDeadline, setQuietTimer } from '../../src/runtime/clock.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { flushed, unauthorized } from './requests.ts'

interface Listener {
  readonly onMessage: (message: string) => void
  readonly onGap: (() => void) | undefined
  /** When the server must have the subscription at the latest. */
  readonly limits: CallLimits
}

/** Subscriptions of one store. */
export interface Subscriptions {
  /**
   * Resolves once the server has the subscription; rejects with `UNAUTHORIZED`, `STORE_UNAVAILABLE` or `TIMEOUT`. `onGap` is
   * called when messages may be missing: the connection ended, was reopened, was too slow to read, or has had no reply to a PING
   * for a second.
   */
  add(connection: NatsConnection, subject: string, listener: Listener): Promise<() => Promise<void>>
  close(): void
}

/** Interval of the PINGs on a connection with subscriptions, in milliseconds, and how long the server may be silent. */
const PING_MS = 500
const SILENT_MS = 1500

export function createSubscriptions(): Subscriptions {
  const gaps = new Set<() => void>()
  /** For each connection, the function that ends its PINGs. */
  const pings = new Map<NatsConnection, () => void>()
  const endPings = (): void => {
    for (const end of pings.values()) end()
    pings.clear()
  }
  const startPings = (connection: NatsConnection): void => {
    if (pings.has(connection)) return
    let sentMs: number | undefined
    const pong = (): void => {
      sentMs = undefined
    }
    const ping = (): void => {
      if (gaps.size === 0 || connection.isClosed()) return void pings.delete(connection)
      if (sentMs === undefined) {
        sentMs = now()
        connection.flush().then(pong, pong)
      } else if (now() - sentMs >= SILENT_MS - PING_MS) {
        for (const gap of gaps) gap()
      }
      pings.set(connection, setDeadline(ping, PING_MS, undefined, setQuietTimer))
    }
    ping()
  }
  const ends = new Set<() => void>()
  const watched = new WeakSet<NatsConnection>()
  const watch = async (connection: NatsConnection): Promise<void> => {
    watched.add(connection)
    for await (const { type } of connection.status()) {
      if (/^(disconnect|reconnect|slowConsumer)$/.test(type)) for (const gap of gaps) gap()
    }
    for (const gap of gaps) gap()
  }
  return {
    async add(connection, subject, { onMessage, onGap, limits }) {
      if (!watched.has(connection)) void watch(connection)
      let refused: unknown
      const subscription = connection.subscribe(subject, {
        callback(error, message) {
          if (error) refused = error
          else onMessage(message.string())
        },
      })
      const gap = (): void => onGap?.()
      gaps.add(gap)
      const end = (): void => {
        gaps.delete(gap)
        ends.delete(end)
        if (!connection.isClosed()) subscription.unsubscribe()
      }
      ends.add(end)
      startPings(connection)
      try {
        await flushed(connection, limits, false)
        if (refused) throw unauthorized(refused)
      } catch (error) {
        end()
        throw error
      }
      return async () => end()
    },
    close() {
      endPings()
      for (const end of [...ends]) end()
    },
  }
}
