import { setQuietTimer } from '../runtime/clock.ts'

/** How often a link of subscriptions sends a PING, in milliseconds. */
export const PING_MS = 500
/**
 * A link is dead when the third PING is due and nothing has arrived since the first. The second PING would be too early: a busy
 * process may not have read the reply yet.
 */
export const MAX_SILENT = 2

export interface Listener {
  readonly channel: string
  readonly onMessage: (message: string) => void
  /** Messages may be missing. */
  readonly onGap: (() => void) | undefined
}

/** The listeners of all channels. */
export interface Listeners {
  readonly size: number
  add(listener: Listener): void
  has(listener: Listener): boolean
  /** Returns whether the listener was there, and was the last one of its channel. */
  remove(listener: Listener): boolean
  channels(): Set<string>
  /** Passes a message to the listeners of the channel. Undefined: it could not be read, so their `onGap` is called. */
  deliver(channel: unknown, message: string | undefined): void
  /** Notifies all listeners that messages may be missing. */
  gap(): void
  clear(): void
}

export function createListeners(): Listeners {
  const all = new Set<Listener>()
  return {
    get size() {
      return all.size
    },
    add: (listener) => void all.add(listener),
    has: (listener) => all.has(listener),
    remove: (listener) => all.delete(listener) && ![...all].some(({ channel }) => channel === listener.channel),
    channels: () => new Set([...all].map(({ channel }) => channel)),
    deliver(channel, message) {
      for (const listener of all) {
        if (listener.channel !== channel) continue
        if (message === undefined) listener.onGap?.()
        else listener.onMessage(message)
      }
    },
    gap() {
      for (const { onGap } of all) onGap?.()
    },
    clear: () => all.clear(),
  }
}

/** Checks that the other side of a link still sends. */
export interface Heartbeat {
  start(): void
  /** To be called when anything arrives from the other side. */
  heard(): void
  stop(): void
}

export interface HeartbeatOptions {
  readonly everyMs: number
  /** `silent`: after how many pings in a row nothing has arrived. @default dead at `MAX_SILENT` */
  readonly isDead?: (silent: number) => boolean
  readonly ping: () => void
  readonly onDead: () => void
}

/** Pings at once and then every `everyMs`, until the link is dead or `stop` is called. Its timer keeps no process alive. */
export function createHeartbeat({ everyMs, isDead = isSilent, ping, onDead }: HeartbeatOptions): Heartbeat {
  let silent = 0
  let cancel = (): void => {}
  const beat = (): void => {
    if (isDead(silent++)) {
      onDead()
      return
    }
    ping()
    cancel = setQuietTimer(beat, everyMs)
  }
  return {
    start: beat,
    heard() {
      silent = 0
    },
    stop: () => cancel(),
  }
}

function isSilent(silent: number): boolean {
  return silent >= MAX_SILENT
}
