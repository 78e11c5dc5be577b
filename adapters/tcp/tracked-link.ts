import { HitherError } from '../../src/errors.ts'
import { createHeartbeat, PING_MS } from '../../src/store/subscriptions.ts'
import { ReplyError, type Wire } from '../../src/store/transport.ts'
import { openConnection } from './connection.ts'
import { closed, refused } from './errors.ts'
import type { Settings } from './settings.ts'
import type { Connection } from './wiring.ts'

export interface TrackedLinkEvents {
  /** Called when the server begins to report changes. */
  onTracking(): void
  /** Called with keys that have changed; null: all keys may have changed. */
  onChange(keys: readonly string[] | null): void
  /** Called if the server refuses to report changes. */
  onRefused(): void
  /** Called when the link has ended. `tracked`: the server did report changes before. */
  onEnd(tracked: boolean): void
}

export interface TrackedLink {
  /** Reads a key on the same connection. The reply comes after every change that the server reported before it. */
  read(key: string, onReply: (reply: Wire) => void): void
  end(): void
}

/**
 * A connection on which one server reports changed keys that begin with one of `prefixes`, whoever changed them. It speaks RESP3
 * and is checked by a PING every 500 ms. It is not opened again.
 * https://redis.io/docs/latest/develop/reference/client-side-caching/
 */
export function openTrackedLink(
  settings: Settings,
  prefixes: readonly string[],
  events: TrackedLinkEvents,
): TrackedLink {
  let tracked = false
  /** Callbacks of the commands that wait for a reply, in order. */
  const asked: ((reply: Wire) => void)[] = []
  const tell = (args: readonly string[], onReply: (reply: Wire) => void): void => {
    asked.push(onReply)
    connection.tell(args)
  }
  const heartbeat = createHeartbeat({
    everyMs: PING_MS,
    ping: () => tell(['PING'], () => {}),
    onDead: () => connection.end(new HitherError('STORE_UNAVAILABLE', 'the link was silent', { retryable: true })),
  })
  const connection: Connection = openConnection(
    { ...settings, protocol: 3 },
    {
      patient: true,
      onStray(message) {
        heartbeat.heard()
        const [kind, keys] = Array.isArray(message) ? (message as readonly Wire[]) : []
        if (kind === 'invalidate') events.onChange(Array.isArray(keys) ? keys.map(String) : null)
        else asked.shift()?.(message)
      },
      onOpen() {
        const which = prefixes.flatMap((prefix) => ['PREFIX', prefix])
        tell(['CLIENT', 'TRACKING', 'ON', 'BCAST', ...which], (reply) => {
          tracked = !(reply instanceof ReplyError)
          if (tracked) events.onTracking()
          // Somebody's script runs for long: the next link asks again.
          else if (reply instanceof ReplyError && reply.word === 'BUSY') connection.end(refused(reply))
          else events.onRefused()
        })
        heartbeat.start()
      },
      onEnd() {
        heartbeat.stop()
        events.onEnd(tracked)
      },
    },
  )
  return {
    read: (key, onReply) => tell(['GET', key], onReply),
    end: () => connection.end(closed()),
  }
}
