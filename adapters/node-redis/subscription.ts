import { StoreRejectedError } from '../../src/errors.ts'
import { reconnectDelay } from '../../src/runtime/backoff.ts'
import { now, setTimer } from '../../src/runtime/clock.ts'
import { ReplyError, type Transport } from '../../src/store/transport.ts'
import { isReply, lost } from './commands.ts'
import type { Connections } from './connections.ts'
import type { Peer, Servers } from './peer.ts'

/** Longest wait for the connection of a subscription, in milliseconds. */
const OPEN_MS = 5000

/** Makes the `subscribe` of a transport. Each subscription has a separate connection. */
export function subscriberOf(servers: Servers, connections: Connections): NonNullable<Transport['subscribe']> {
  /** A node of a Cluster may never come back, so a connection for messages is not opened there again, but at any node. */
  const elsewhere = servers.isCluster ? { reconnectStrategy: false } : undefined
  return async (channel, onMessage, onGap) => {
    connections.enter()
    let made: Peer
    let over = false
    let failures = 0
    const listen = async (): Promise<void> => {
      const peer = await connections.open({ deadline: now() + OPEN_MS }, undefined, elsewhere)
      made = peer
      for (const event of ['reconnecting', 'ready', 'end']) peer.on(event, () => connections.has(peer) && onGap?.())
      try {
        await peer.subscribe(channel, onMessage)
      } catch (error) {
        connections.end(peer)
        throw isReply(error)
          ? new StoreRejectedError('SUBSCRIBE', new ReplyError(error.message))
          : lost(servers, error, false)
      }
      if (over) connections.end(peer)
      else if (elsewhere) {
        peer.on('error', () => {
          if (peer.isOpen || !connections.has(peer)) return
          connections.end(peer)
          onGap?.()
          listenAgain()
        })
      }
    }
    const listenAgain = (): void => {
      if (over || connections.isClosed || !servers.isOpen) return
      setTimer(() => {
        listen().then(() => {
          failures = 0
          if (!over) onGap?.()
        }, listenAgain)
      }, reconnectDelay(failures++))
    }
    await listen()
    return async () => {
      over = true
      connections.end(made)
    }
  }
}
