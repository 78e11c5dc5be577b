import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { reconnectDelay } from '../../src/runtime/backoff.ts'
import { setTimer } from '../../src/runtime/clock.ts'
import { createHeartbeat, createListeners, type Listener, MAX_SILENT, PING_MS } from '../../src/store/subscriptions.ts'
import { ReplyError, type Wire } from '../../src/store/transport.ts'
import { openConnection } from './connection.ts'
import { closed } from './errors.ts'
import type { Settings } from './settings.ts'
import type { Connection } from './wiring.ts'

export interface Subscriber {
  subscribe(channel: string, onMessage: Listener['onMessage'], onGap?: () => void): Promise<() => Promise<void>>
  close(): void
}

/**
 * Subscriptions of one transport. They share a separate connection, which is open while there is at least one of them. A PING
 * every 500 ms checks it, and it is opened again when it ends, and when its node has left the Cluster (`hasLeft`). Messages
 * published meanwhile are lost: `onGap` is called when the connection ends, and again when messages can arrive again.
 */
export function createSubscriber(settings: Settings, onGap: () => void, hasLeft: () => boolean): Subscriber {
  const listeners = createListeners()
  /** Callbacks of callers that wait for a channel's confirmation. They are called with an error, or without one. */
  const waiting = new Map<string, ((error?: unknown) => void)[]>()
  const confirmed = new Set<string>()
  /** Channels that the server has refused, such as with BUSY when the connection was opened again. Each PING asks for them too. */
  const refused = new Set<string>()
  /** Channels whose SUBSCRIBE has no reply yet, in the order of the replies; undefined stands for a PING. */
  let asked: (string | undefined)[] = []
  let connection: Connection | undefined
  let cancelRetry: (() => void) | undefined
  let failures = 0
  let missed = false

  const gap = (): void => {
    onGap()
    listeners.gap()
  }
  const settle = (channel: string, error?: unknown): void => {
    const all = waiting.get(channel) ?? []
    waiting.delete(channel)
    for (const done of all) done(error)
  }
  const ask = (channel?: string): void => {
    asked.push(channel)
    connection?.tell(channel === undefined ? ['PING'] : ['SUBSCRIBE', channel])
  }
  const confirmation = (channel: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const done = (error?: unknown): void => (error === undefined ? resolve() : reject(error))
      const others = waiting.get(channel)
      if (others) others.push(done)
      else {
        waiting.set(channel, [done])
        if (connection?.state() === 'ready') ask(channel)
      }
    })
  const heartbeat = createHeartbeat({
    everyMs: PING_MS,
    isDead: (silent) => silent >= MAX_SILENT || hasLeft(),
    ping() {
      ask()
      for (const channel of refused) ask(channel)
    },
    onDead: () =>
      connection?.end(new HitherError('STORE_UNAVAILABLE', 'the subscription was silent', { retryable: true })),
  })
  const onAnswered = (): void => {
    if (!missed || asked.some((channel) => channel !== undefined)) return
    missed = false
    gap()
  }
  const hear = (reply: Wire): void => {
    heartbeat.heard()
    if (reply instanceof ReplyError) {
      const channel = asked.shift()
      if (channel !== undefined) {
        refused.add(channel)
        settle(channel, new StoreRejectedError('SUBSCRIBE', reply))
      }
      return void onAnswered()
    }
    // Before the first subscription the reply to a PING is a text.
    const [kind, channel, message] = Array.isArray(reply) ? (reply as readonly Wire[]) : [`${reply}`.toLowerCase()]
    if (kind === 'message') {
      // A message that was too large to read is a gap.
      listeners.deliver(channel, message instanceof ReplyError ? undefined : String(message))
    } else if (kind === 'subscribe') {
      asked.shift()
      if (listeners.channels().has(String(channel))) confirmed.add(String(channel))
      if (refused.delete(String(channel))) missed = true
      settle(String(channel))
      onAnswered()
    } else if (kind === 'pong') {
      asked.shift()
      onAnswered()
    }
  }
  const open = (): void => {
    cancelRetry = undefined
    heartbeat.heard()
    const opened = openConnection(
      { ...settings, protocol: 2 },
      {
        patient: true,
        onStray: hear,
        onOpen() {
          failures = 0
          for (const channel of listeners.channels()) ask(channel)
          heartbeat.start()
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
    heartbeat.stop()
    cancelRetry?.()
    cancelRetry = undefined
    connection = undefined
    asked = []
  }
  const drop = (): void => {
    const ended = connection
    stop()
    confirmed.clear()
    refused.clear()
    missed = false
    ended?.end(closed())
  }

  return {
    async subscribe(channel, onMessage, onGap) {
      const listener: Listener = { channel, onMessage, onGap }
      const end = async (): Promise<void> => {
        if (!listeners.remove(listener)) return
        confirmed.delete(channel)
        refused.delete(channel)
        if (listeners.size === 0) drop()
        else if (connection?.state() === 'ready') connection.tell(['UNSUBSCRIBE', channel])
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
