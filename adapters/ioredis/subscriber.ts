import { HitherError } from '../../src/errors.ts'
import { setQuietTimer } from '../../src/runtime/clock.ts'
import type { Peer } from './client.ts'

interface Listener {
  readonly channel: string
  readonly onMessage: (message: string) => void
  readonly onGap: (() => void) | undefined
}

interface Subscriber {
  subscribe(channel: string, onMessage: Listener['onMessage'], onGap?: () => void): Promise<() => Promise<void>>
  close(): void
}

const PING_MS = 500
/** A link is dead when the third PING is due and none was answered: one is not enough for a busy process. */
const MAX_SILENT = 2

/**
 * Subscriptions of one transport, on one connection of their own that lives as long as the first to the last. It proves
 * itself by a PING every 500 ms, and is made anew where that fails; of a Cluster, which answers a PING by any of its
 * connections, only the client itself tells.
 */
export function createSubscriber(client: Peer): Subscriber {
  const listeners = new Set<Listener>()
  let link: { peer: Peer; up: Promise<void> } | undefined

  const gap = (): void => {
    for (const { onGap } of listeners) onGap?.()
  }
  let cancelPing = (): void => {}
  const drop = (): void => {
    cancelPing()
    link?.peer.disconnect()
    link = undefined
  }
  const prove = (peer: Peer): void => {
    let silent = 0
    const ping = (): void => {
      if (silent++ >= MAX_SILENT) {
        // An orderly end would wait for the other side.
        peer.stream?.destroy?.()
        silent = 0
      }
      if (peer.status === 'ready') {
        peer.ping?.().then(
          () => {
            silent = 0
          },
          () => {},
        )
      } else silent = 0
      cancelPing = setQuietTimer(ping, PING_MS)
    }
    if (!peer.isCluster && peer.ping) ping()
  }
  const connect = (): { peer: Peer; up: Promise<void> } => {
    const peer = client.duplicate() as Peer
    peer.on('error', () => {})
    peer.on('close', gap)
    peer.on('message', (channel, message) => {
      for (const listener of listeners) if (listener.channel === channel) listener.onMessage(String(message))
    })
    const up = new Promise<void>((resolve, reject) => {
      peer.on('ready', () => {
        resolve()
        gap()
      })
      peer.on('close', () => reject(new HitherError('STORE_UNAVAILABLE', 'could not subscribe', { retryable: true })))
      if (peer.status === 'wait') peer.connect().catch(() => {})
    })
    prove(peer)
    return { peer, up }
  }

  return {
    async subscribe(channel, onMessage, onGap) {
      link ??= connect()
      const { peer, up } = link
      const listener: Listener = { channel, onMessage, onGap }
      const end = async (): Promise<void> => {
        if (!listeners.delete(listener)) return
        for (const other of listeners) if (other.channel === channel) return
        if (peer.status === 'ready') await peer.unsubscribe(channel).catch(() => {})
        if (listeners.size === 0) drop()
      }
      listeners.add(listener)
      try {
        await up
        await peer.subscribe(channel)
      } catch (error) {
        await end()
        if (error instanceof HitherError) throw error
        throw new HitherError('STORE_UNAVAILABLE', 'could not subscribe', { retryable: true })
      }
      return end
    },
    close() {
      listeners.clear()
      drop()
    },
  }
}
