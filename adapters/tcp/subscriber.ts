import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { reconnectDelay } from '../../src/runtime/backoff.ts'
import { setQuietTimer, setTimer } from '../../src/runtime/clock.ts'
import { ReplyError, type Wire } from '../../src/store/transport.ts'
import { openConnection } from './connection.ts'
import { closed } from './errors.ts'
import type { Settings } from './settings.ts'
import type { Connection } from './wiring.ts'

interface Listener {
  readonly channel: string
  readonly onMessage: (message: string) => void
  readonly onGap: (() => void) | undefined
}

export interface Subscriber {
  subscribe(channel: string, onMessage: Listener['onMessage'], onGap?: () => void): Promise<() => Promise<void>>
  close(): void
}

const PING_MS = 500
/** A link is dead when the third PING is due and nothing was heard since the first: one is not enough for a busy process. */
const MAX_SILENT = 2

/**
 * Subscriptions of one transport, on one connection of their own that lives as long as the first to the last. It
 * proves itself by a PING every 500 ms, and is opened again when it ends; what was published meanwhile is lost, and
 * `onGap` says so, when it ends and once more when messages come again.
 */
export function createSubscriber(settings: Settings, onGap: () => void): Subscriber {
  const listeners = new Set<Listener>()
  /** Who waits for a channel's confirmation: called with an error, or none. */
  const waiting = new Map<string, ((error?: unknown) => void)[]>()
  const confirmed = new Set<string>()
  /** Channels in the order in which their SUBSCRIBE will be answered. */
  let asked: string[] = []
  let connection: Connection | undefined
  let cancelPing: (() => void) | undefined
  let cancelRetry: (() => void) | undefined
  let silent = 0
  let failures = 0
  let missed = false

  const gap = (): void => {
    onGap()
    for (const listener of listeners) listener.onGap?.()
  }
  const settle = (channel: string, error?: unknown): void => {
    const all = waiting.get(channel) ?? []
    waiting.delete(channel)
    for (const done of all) done(error)
  }
  const ask = (channel: string): void => {
    asked.push(channel)
    connection?.tell(['SUBSCRIBE', channel])
  }
  const confirmation = (channel: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (error?: unknown): void => (error === undefined ? resolve() : reject(error))
      const others = waiting.get(channel)
      if (others) others.push(done)
      else {
        waiting.set(channel, [done])
        if (connection?.state === 'ready') ask(channel)
      }
    })
  const ping = (): void => {
    if (silent++ >= MAX_SILENT) {
      connection?.end(new HitherError('STORE_UNAVAILABLE', 'the subscription was silent', { retryable: true }))
      return
    }
    connection?.tell(['PING'])
    cancelPing = setQuietTimer(ping, PING_MS)
  }
  const hear = (reply: Wire): void => {
    silent = 0
    if (reply instanceof ReplyError) {
      const channel = asked.shift()
      if (channel !== undefined) settle(channel, new StoreRejectedError('SUBSCRIBE', reply))
      return
    }
    if (!Array.isArray(reply)) return
    const [kind, channel, message] = reply as readonly Wire[]
    if (kind === 'message') {
      for (const listener of listeners) {
        if (listener.channel !== channel) continue
        // One that was too large to read is a gap.
        if (message instanceof ReplyError) listener.onGap?.()
        else listener.onMessage(String(message))
      }
    } else if (kind === 'subscribe') {
      asked.shift()
      confirmed.add(String(channel))
      settle(String(channel))
      if (!missed || asked.length > 0) return
      missed = false
      gap()
    }
  }
  const open = (): void => {
    cancelRetry = undefined
    silent = 0
    const opened = openConnection(
      { ...settings, protocol: 2 },
      {
        patient: true,
        onStray: hear,
        onOpen() {
          failures = 0
          for (const channel of new Set([...listeners].map((listener) => listener.channel))) ask(channel)
          ping()
        },
        onEnd(error) {
          if (connection !== opened) return
          stop()
          for (const channel of waiting.keys()) settle(channel, error)
          if (missed === false && confirmed.size > 0) gap()
          missed ||= confirmed.size > 0
          confirmed.clear()
          if (listeners.size > 0) cancelRetry = setTimer(open, reconnectDelay(failures++))
        },
      },
    )
    connection = opened
  }
  const stop = (): void => {
    cancelPing?.()
    cancelRetry?.()
    cancelPing = cancelRetry = undefined
    connection = undefined
    asked = []
  }
  const drop = (): void => {
    const ended = connection
    stop()
    confirmed.clear()
    missed = false
    ended?.end(closed())
  }

  return {
    async subscribe(channel, onMessage, onGap) {
      const listener: Listener = { channel, onMessage, onGap }
      const end = async (): Promise<void> => {
        if (!listeners.delete(listener)) return
        for (const other of listeners) if (other.channel === channel) return
        confirmed.delete(channel)
        if (listeners.size === 0) drop()
        else if (connection?.state === 'ready') connection.tell(['UNSUBSCRIBE', channel])
      }
      listeners.add(listener)
      try {
        if (!connection) {
          cancelRetry?.()
          open()
        }
        if (!confirmed.has(channel)) await confirmation(channel)
      } catch (error) {
        await end()
        throw error
      }
      return end
    },
    close() {
      listeners.clear()
      for (const channel of [...waiting.keys()]) settle(channel, closed())
      drop()
    },
  }
}
