import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { reconnectDelay } from '../../src/runtime/backoff.ts'
import { setQuietTimer } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import { createHeartbeat, createListeners, type Listener, MAX_SILENT, PING_MS } from '../../src/store/subscriptions.ts'
import { ReplyError } from '../../src/store/transport.ts'
import { nameOf, type Peer } from './client.ts'
import { isReply } from './errors.ts'

interface Subscriber {
  subscribe(channel: string, onMessage: Listener['onMessage'], onGap?: () => void): Promise<() => Promise<void>>
  /** The `host:port` of the node that has the subscriptions; undefined while their connection is down. */
  at(): string | undefined
  close(): void
}

interface Link {
  readonly peer: Peer
  /** Settles when the link is up, with the channels subscribed again, or has ended. */
  readonly up: Promise<void>
  isUp: boolean
  end(): void
}

/** Longest attempt to connect, in PINGs, as `MAX_SILENT`. It begins shorter if there are other nodes, and grows with failures. */
const MAX_OPENING = 20

/**
 * Subscriptions of one transport. They share a separate connection, which is open while there is at least one of them. It is
 * checked by a PING every 500 ms, and replaced when it ends or is silent. On a Cluster, where a message published at any node
 * reaches all nodes, the new connection goes to the next node. Messages published meanwhile are lost: `onGap` is called when
 * the connection ends, and again when messages can arrive again.
 */
export function createSubscriber(client: Peer): Subscriber {
  const listeners = createListeners()
  /** Channels that a new link must subscribe to before it counts as up. */
  const confirmed = new Set<string>()
  let link: Link | undefined
  let closed = false
  let cancelRetry = (): void => {}
  let failures = 0
  let missed = false
  let last: string | undefined

  const places = (): readonly Peer[] => (client.isCluster ? (client.nodes?.() ?? []) : [client])
  const indexOf = (all: readonly Peer[], name: string): number => all.findIndex((peer) => nameOf(peer) === name)
  /** The node after the last one that was tried. */
  const choose = (all: readonly Peer[]): Peer => {
    const peer = all[last ? (indexOf(all, last) + 1) % all.length : Math.floor(random() * all.length)]
    // A Cluster that is down knows no nodes.
    if (!peer) throw lost()
    last = nameOf(peer)
    return peer
  }
  /** Whether the node has left its Cluster: it still replies to PING, but no messages reach it. */
  const hasLeft = (): boolean => {
    const all = places()
    return all.length > 0 && indexOf(all, last as string) < 0
  }
  const retry = (): void => {
    cancelRetry()
    cancelRetry = setQuietTimer(() => {
      try {
        open()
      } catch {
        retry()
      }
    }, reconnectDelay(failures++))
  }
  const open = (): Link => {
    const all = places()
    const peer = choose(all).duplicate({ lazyConnect: true, retryStrategy: null }) as Peer
    cancelRetry()
    let limit = all.length > 1 ? Math.min(MAX_SILENT * 2 ** failures, MAX_OPENING) : MAX_OPENING
    let settle = (_error?: HitherError): void => {}
    const up = new Promise<void>((resolve, reject) => {
      settle = (error) => (error ? reject(error) : resolve())
    })
    up.catch(() => {})
    const end = (): void => {
      if (link !== opened) return
      link = undefined
      heartbeat.stop()
      peer.disconnect()
      // An orderly end would wait for the other side, which may be down.
      peer.stream?.destroy?.()
      settle(lost())
      if (listeners.size === 0) return
      if (opened.isUp) listeners.gap()
      missed ||= opened.isUp
      retry()
    }
    const heartbeat = createHeartbeat({
      everyMs: PING_MS,
      isDead: (silent) => silent >= limit || hasLeft(),
      ping() {
        if (peer.status === 'ready') (peer.ping?.() ?? Promise.resolve()).then(heartbeat.heard, () => {})
      },
      onDead: end,
    })
    const opened: Link = { peer, up, isUp: false, end }
    link = opened
    peer.on('error', () => {})
    peer.on('end', end)
    peer.on('message', (channel, message) => {
      listeners.deliver(channel, String(message))
    })
    peer.on('ready', async () => {
      heartbeat.heard()
      limit = MAX_SILENT
      try {
        if (confirmed.size > 0) await peer.subscribe(...confirmed)
      } catch {
        end()
        return
      }
      if (link !== opened) return
      opened.isUp = true
      failures = 0
      if (missed) listeners.gap()
      missed = false
      settle()
    })
    peer.connect().catch(() => {})
    heartbeat.start()
    return opened
  }
  const drop = (): void => {
    cancelRetry()
    missed = false
    link?.end()
  }

  return {
    async subscribe(channel, onMessage, onGap) {
      if (closed) throw new HitherError('CLOSED', 'the transport is closed')
      const listener: Listener = { channel, onMessage, onGap }
      const end = async (): Promise<void> => {
        if (!listeners.remove(listener)) return
        confirmed.delete(channel)
        if (link?.peer.status === 'ready') await link.peer.unsubscribe(channel).catch(() => {})
        if (listeners.size === 0) drop()
      }
      listeners.add(listener)
      for (let left = places().length; ; left--) {
        try {
          const { peer, up } = link ?? open()
          await up
          await peer.subscribe(channel)
          confirmed.add(channel)
          return end
        } catch (error) {
          if (left > 1 && listeners.has(listener)) continue
          await end()
          throw isReply(error) ? new StoreRejectedError('SUBSCRIBE', new ReplyError(error.message)) : lost()
        }
      }
    },
    at: () => (link?.isUp ? last : undefined),
    close() {
      closed = true
      listeners.clear()
      confirmed.clear()
      drop()
    },
  }
}

function lost(): HitherError {
  return new HitherError('STORE_UNAVAILABLE', 'could not subscribe', { retryable: true })
}
