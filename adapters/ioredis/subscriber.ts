import { HitherError } from '../../src/errors.ts'
import { reconnectDelay } from '../../src/runtime/backoff.ts'
import { setQuietTimer } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import { nameOf, type Peer } from './client.ts'

interface Listener {
  readonly channel: string
  readonly onMessage: (message: string) => void
  readonly onGap: (() => void) | undefined
}

interface Subscriber {
  subscribe(channel: string, onMessage: Listener['onMessage'], onGap?: () => void): Promise<() => Promise<void>>
  /** The `host:port` of the node that the subscriptions are at, while they stand. */
  at(): string | undefined
  close(): void
}

interface Link {
  readonly peer: Peer
  /** Settles with the attempt to connect. */
  readonly up: Promise<void>
  isUp: boolean
  end(): void
}

const PING_MS = 500
/** A link is dead when the third PING is due and none was answered: one is not enough for a busy process. */
const MAX_SILENT = 2
/** How long an attempt may take, as `MAX_SILENT`; less where another node can be tried, but longer after each failure. */
const MAX_OPENING = 20

/**
 * Subscriptions of one transport, on one connection of their own that lives as long as the first to the last. It proves
 * itself by a PING every 500 ms; another is opened when it ends or is silent, and of a Cluster, each of whose nodes is
 * told what is published at any, to the next node. What was published meanwhile is lost, and `onGap` says so, when it
 * ends and once more when messages come again.
 */
export function createSubscriber(client: Peer): Subscriber {
  const listeners = new Set<Listener>()
  /** Channels that a new link has to have before it is up. */
  const confirmed = new Set<string>()
  let link: Link | undefined
  let closed = false
  let cancelRetry = (): void => {}
  let failures = 0
  let missed = false
  let last: string | undefined

  const gap = (): void => {
    for (const { onGap } of listeners) onGap?.()
  }
  const places = (): readonly Peer[] => (client.isCluster ? (client.nodes?.() ?? []) : [client])
  const indexOf = (all: readonly Peer[], name: string): number => all.findIndex((peer) => nameOf(peer) === name)
  /** The node after the last one that was tried. */
  const choose = (all: readonly Peer[]): Peer => {
    const peer = all[last ? (indexOf(all, last) + 1) % all.length : Math.floor(random() * all.length)]
    // A Cluster that is away knows none.
    if (!peer) throw lost()
    last = nameOf(peer)
    return peer
  }
  /** A node that has left its Cluster answers as before, and is told nothing. */
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
    let silent = 0
    let limit = all.length > 1 ? Math.min(MAX_SILENT * 2 ** failures, MAX_OPENING) : MAX_OPENING
    let cancelPing = (): void => {}
    let settle = (_error?: HitherError): void => {}
    const up = new Promise<void>((resolve, reject) => {
      settle = (error) => (error ? reject(error) : resolve())
    })
    up.catch(() => {})
    const hear = (): void => {
      silent = 0
    }
    const end = (): void => {
      if (link !== opened) return
      link = undefined
      cancelPing()
      peer.disconnect()
      // An orderly end would wait for the other side.
      peer.stream?.destroy?.()
      settle(lost())
      if (listeners.size === 0) return
      if (opened.isUp) gap()
      missed ||= opened.isUp
      retry()
    }
    const beat = (): void => {
      if (silent++ >= limit || hasLeft()) {
        end()
        return
      }
      if (peer.status === 'ready') (peer.ping?.() ?? Promise.resolve()).then(hear, () => {})
      cancelPing = setQuietTimer(beat, PING_MS)
    }
    const opened: Link = { peer, up, isUp: false, end }
    link = opened
    peer.on('error', () => {})
    peer.on('end', end)
    peer.on('message', (channel, message) => {
      for (const listener of listeners) if (listener.channel === channel) listener.onMessage(String(message))
    })
    peer.on('ready', async () => {
      hear()
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
      if (missed) gap()
      missed = false
      settle()
    })
    peer.connect().catch(() => {})
    beat()
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
        if (!listeners.delete(listener)) return
        for (const other of listeners) if (other.channel === channel) return
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
        } catch {
          if (left > 1 && listeners.has(listener)) continue
          await end()
          throw lost()
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
