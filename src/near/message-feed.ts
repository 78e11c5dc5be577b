import { HitherError, isHitherError } from '../errors.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { now, setQuietTimer, setTimer } from '../runtime/clock.ts'
import { soon } from '../runtime/per-tick.ts'
import { randomId } from '../runtime/random.ts'

/** How a near tier learns of the writes of other processes. */
export type NearFeed = (host: FeedHost) => Feed

/** What a feed needs from its tier. Keys are stored keys. */
export interface FeedHost {
  readonly channel: string
  readonly publish?: ((channel: string, message: string) => Promise<unknown>) | undefined
  readonly subscribe?:
    | ((channel: string, onMessage: (message: string) => void, onGap: () => void) => Promise<() => Promise<void>>)
    | undefined
  /** Runs an operation on a key of the store. */
  run<A extends readonly Arg[], R extends Reply>(operation: Operation<A, R>, key: string, args: A): Promise<R>
  /** Another process has changed this key. */
  drop(key: string): void
  /** Drops every entry, since none can be trusted. `lost`: because messages may have been missed. */
  flush(lost: boolean): void
  track(work: Promise<unknown>): void
}

export interface Feed {
  /** The store is about to be read. */
  onRead(): void
  /** An entry is about to be kept. */
  onKeep(): void
  /** This process has changed these keys. */
  publish(keys: readonly string[]): void
  close(): Promise<void>
}

export interface MessageFeedOptions {
  /**
   * How soon after a publisher's last message its loss is noticed: the publisher repeats the number of the message twice, at
   * this interval. @default '500ms'
   */
  readonly interval?: Duration
}

const MESSAGE = /^([\w-]+) (\d{1,15})(?: (.+))?$/s
const MAX_PUBLISHERS = 10_000
/** With more keys changed in one tick, everything counts as changed. */
const MAX_KEYS = 1000
const REPEATS = 2
const RETRY_INTERVALS = 4

const isOutage = (error: unknown): boolean => isHitherError(error) && /^(STORE_UNAVAILABLE|TIMEOUT)$/.test(error.code)

/**
 * Messages between the processes of one cache, over the store's publish and subscribe: `<publisher> <number> <keys>`. Each
 * publisher numbers its own messages; all keys changed in one tick are one message. After the last message it repeats the bare
 * number twice, then is silent; while the store is down it tries on. A missing number, or a subscription that was down, empties the
 * tier. Until the subscription is up, and while it is down, `maxAge` alone bounds how stale a read is. Throws `UNSUPPORTED` at
 * `createCache` for a store that does not publish and subscribe.
 */
export function messageFeed(options: MessageFeedOptions = {}): NearFeed {
  const intervalMs = toMs(options.interval ?? 500, 'interval')
  return ({ channel, publish, subscribe, drop, flush, track }) => {
    if (!publish || !subscribe) {
      throw new HitherError('UNSUPPORTED', 'messageFeed needs a store that subscribes; without it maxAge is the bound')
    }
    /** The name of this publisher. Made at the first message: where a module begins, Workers give no random numbers. */
    let own: string | undefined
    const latest = new Map<string, number>()
    let pending = new Set<string>()
    let number = 0
    let repeats = 0
    let cancel: (() => void) | undefined
    /** Repetitions keep the process alive, but not while the store is down. */
    let timer = setTimer
    let link: Promise<() => Promise<void>> | undefined
    let againMs = 0
    let closed = false

    const receive = (message: string): void => {
      const [, publisher = '', digits, keys] = MESSAGE.exec(message) ?? []
      if (publisher === own) return
      const at = Number(digits)
      const known = latest.get(publisher)
      // A bare number says that a message with that number was sent. A message with keys follows the number before it.
      const missed = !(at - (keys ? 1 : 0) <= (known ?? 0))
      if (digits) {
        latest.delete(publisher)
        if (latest.size >= MAX_PUBLISHERS) latest.delete(latest.keys().next().value as string)
        latest.set(publisher, Math.max(known ?? 0, at))
      }
      try {
        // The missed messages of an unknown publisher may be older than every entry here, so they do not count as lost.
        if (missed) flush(!digits || known !== undefined)
        else if (keys) for (const key of JSON.parse(keys) as string[]) drop(key)
      } catch {
        flush(true)
      }
    }
    const say = (keys: string): void =>
      track(
        publish(channel, `${own} ${number}${keys}`).catch((error) => {
          if (!isOutage(error)) return
          // Repeat the number until it arrives: the other processes then see that a message is missing.
          timer = setQuietTimer
          repeatFrom(intervalMs)
        }),
      )
    const repeat = (): void => {
      cancel = undefined
      if (closed || repeats === 0) return
      repeats--
      say('')
      cancel = timer(repeat, intervalMs)
    }
    const repeatFrom = (ms: number): void => {
      repeats = REPEATS
      cancel?.()
      cancel = timer(repeat, ms)
    }
    const send = (): void => {
      own ||= randomId()
      const keys = pending
      pending = new Set()
      if (closed) return
      timer = setTimer
      number++
      say(keys.size > MAX_KEYS ? ' *' : ` ${JSON.stringify([...keys])}`)
      repeatFrom(intervalMs)
    }
    return {
      onRead() {},
      onKeep() {
        const waitMs = againMs - now()
        // A longer wait means that the clock was set back.
        if (link || closed || (waitMs > 0 && waitMs <= RETRY_INTERVALS * intervalMs)) return
        const started = subscribe(channel, receive, () => {
          flush(true)
          // The last message of this process may have been lost as well.
          if (number > 0) repeatFrom(0)
        })
        link = started
        track(
          started.then(
            // The keys of entries kept so far may have changed before the subscription was up.
            () => flush(false),
            () => {
              link = undefined
              againMs = now() + RETRY_INTERVALS * intervalMs
              flush(true)
            },
          ),
        )
      },
      publish(keys) {
        if (pending.size === 0) soon(send)
        for (const key of keys) pending.add(key)
      },
      async close() {
        closed = true
        cancel?.()
        // A subscription that is not up yet is ended as soon as it is. The store closes its connections in any case.
        link?.then((end) => end()).catch(() => {})
      },
    }
  }
}
