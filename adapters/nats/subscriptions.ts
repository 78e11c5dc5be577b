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

/** A subscription that has not ended. */
interface Active {
  readonly gap: () => void
  /** Subscribes over a connection, unless it has. */
  attach(connection: NatsConnection): void
  end(): void
}

/** Subscriptions of one store. */
export interface Subscriptions {
  /**
   * Resolves once the server has the subscription; rejects with `UNAUTHORIZED`, `STORE_UNAVAILABLE` or `TIMEOUT`. `onGap` is
   * called when messages may be missing: the connection ended, was reopened or replaced, was too slow to read, or has had no
   * reply to a PING for a second.
   */
  add(connection: NatsConnection, subject: string, listener: Listener): Promise<() => Promise<void>>
  close(): void
}

/** Interval of the PINGs on a connection with subscriptions, in milliseconds, and how long the server may be silent. */
const PING_MS = 500
const SILENT_MS = 1500

/** `open` returns the store's connection, a new one if the last was closed, or again the closed one if the store may open none. */
export function createSubscriptions(open: () => Promise<NatsConnection>): Subscriptions {
  const active = new Set<Active>()
  /** For each connection, the function that ends its PINGs. */
  const pings = new Map<NatsConnection, () => void>()
  const gap = (): void => {
    for (const each of active) each.gap()
  }
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
      if (active.size === 0 || connection.isClosed()) return void pings.delete(connection)
      if (sentMs === undefined) {
        sentMs = now()
        connection.flush().then(pong, pong)
      } else if (now() - sentMs >= SILENT_MS - PING_MS) {
        gap()
      }
      pings.set(connection, setDeadline(ping, PING_MS, undefined, setQuietTimer))
    }
    ping()
  }
  const watched = new WeakSet<NatsConnection>()
  const watch = async (connection: NatsConnection): Promise<void> => {
    watched.add(connection)
    for await (const { type } of connection.status()) {
      if (/^(disconnect|reconnect|slowConsumer)$/.test(type)) gap()
    }
    gap()
    moveLater()
  }
  /** The client closes a connection of itself, such as once its user was refused twice. Subscribes over the next connection. */
  const moveLater = (): void => {
    setQuietTimer(async () => {
      if (active.size === 0) return
      try {
        const connection = await open()
        if (connection.isClosed()) return
        for (const each of active) each.attach(connection)
      } catch {
        return moveLater()
      }
      gap()
    }, PING_MS)
  }
  return {
    async add(connection, subject, { onMessage, onGap, limits }) {
      let refused: unknown
      let at: NatsConnection | undefined
      let end = (): void => {}
      const each: Active = {
        gap: () => onGap?.(),
        attach(to) {
          if (at === to) return
          const subscription = to.subscribe(subject, {
            callback(error, message) {
              if (error) refused = error
              else onMessage(message.string())
            },
          })
          at = to
          if (!watched.has(to)) void watch(to)
          end = () => {
            if (!to.isClosed()) subscription.unsubscribe()
          }
          startPings(to)
        },
        end() {
          active.delete(each)
          end()
        },
      }
      active.add(each)
      try {
        each.attach(connection)
        await flushed(connection, limits, false)
        if (refused) throw unauthorized(refused)
      } catch (error) {
        each.end()
        throw error
      }
      return async () => each.end()
    },
    close() {
      endPings()
      for (const each of active) each.end()
    },
  }
}
