import { setQuietTimer } from '../runtime/clock.ts'

/** How often a link of subscriptions proves itself, in milliseconds. */
export const PING_MS = 500
/** A link is dead when the third PING is due and nothing was heard since the first: one is not enough for a busy process. */
export const MAX_SILENT = 2

export interface Listener {
  readonly channel: string
  readonly onMessage: (message: string) => void
  /** Messages may be missing. */
  readonly onGap: (() => void) | undefined
}

/** Who listens to which channel. */
export interface Listeners {
  readonly size: number
  add(listener: Listener): void
  has(listener: Listener): boolean
  /** Returns whether it was there and nobody else listens to its channel. */
  remove(listener: Listener): boolean
  channels(): Set<string>
  /** Hands a message to those who listen to the channel; undefined: one that could not be read, which is a gap to them. */
  deliver(channel: unknown, message: string | undefined): void
  /** Tells all of them that messages may be missing. */
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

/** Proves that a link still answers. */
export interface Heartbeat {
  start(): void
  /** The other side was heard. */
  heard(): void
  stop(): void
}

export interface HeartbeatOptions {
  readonly everyMs: number
  /** `silent`: how many pings in a row were answered by nothing. @default `MAX_SILENT` of them */
  readonly isDead?: (silent: number) => boolean
  readonly ping: () => void
  readonly onDead: () => void
}

/** Pings at once and then every `everyMs`, until the link is dead or it is stopped. Keeps no process alive. */
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
