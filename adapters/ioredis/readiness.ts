import { type HitherError, StoreRejectedError } from '../../src/errors.ts'
import { ReplyError } from '../../src/store/transport.ts'
import type { Peer } from './client.ts'
import { isReply, lost, UNSENT } from './errors.ts'

/** Whether a client, and each node of a Cluster, accepts commands. */
export interface Readiness {
  /**
   * Undefined if `peer` accepts commands now. Otherwise returns a promise that settles with its connection attempt, or throws if
   * there is none to wait for.
   */
  open(peer: Peer): Promise<void> | undefined
  /** Whether the client accepts commands now. */
  isReady(): boolean
  /** The error that says why `peer` accepts no commands. */
  unavailable(peer: Peer): HitherError
  /** Removes all listeners except that for errors, which stays until `forget`: without it, ioredis would print them. */
  stop(): void
  forget(): void
}

/** Calls wait while the client connects for the first time; after a cut they reject at once. */
export function watchReadiness(client: Peer): Readiness {
  const opening = new WeakMap<object, Promise<void>>()
  let everReady = client.status === 'ready'
  let fault: unknown
  /** Set while the connection is in another database than the client asked for: ioredis reports it, and carries on there. */
  let astray: HitherError | undefined
  const onConnect = (): void => {
    astray = undefined
  }
  const onReady = (): void => {
    everReady = true
    fault = undefined
  }
  const onError = (error: unknown): void => {
    const { lastNodeError = error, command } = error as {
      readonly lastNodeError?: unknown
      readonly command?: { readonly name?: unknown }
    }
    if (isReply(error) && command?.name === 'select')
      astray = new StoreRejectedError('SELECT', new ReplyError(error.message))
    // ioredis 5 also reports that its own INFO found no connection. The error before that one is the reason.
    if (!UNSENT.test(String(lastNodeError))) fault = lastNodeError
  }
  client.on('connect', onConnect)
  client.on('ready', onReady)
  client.on('error', onError)
  client.on('node error', onError)

  // The Cluster's own error says only that a connection was closed, so the message for TLS adds a hint about names.
  const secure =
    client.isCluster === true && !!(client.options.redisOptions as { readonly tls?: unknown } | undefined)?.tls
  const unavailable = (peer: Peer): HitherError => lost(fault, false, (client.isCluster ? client : peer).status, secure)

  const open = (peer: Peer): Promise<void> | undefined => {
    if (astray) throw astray
    if (peer.status === 'ready') return undefined
    if (peer.status === 'wait') peer.connect().catch(() => {})
    const first = peer !== client || !everReady
    if (!first || (peer.status !== 'connecting' && peer.status !== 'connect')) throw unavailable(peer)
    let attempt = opening.get(peer)
    if (!attempt) {
      attempt = new Promise((resolve, reject) => {
        const events = ['ready', 'close', 'end']
        const settle = (): void => {
          for (const event of events) peer.off(event, settle)
          opening.delete(peer)
          if (astray) reject(astray)
          else if (peer.status === 'ready') resolve()
          else reject(unavailable(peer))
        }
        for (const event of events) peer.on(event, settle)
      })
      opening.set(peer, attempt)
    }
    return attempt
  }
  return {
    open,
    isReady: () => client.status === 'ready' && !astray,
    unavailable,
    stop() {
      client.off('connect', onConnect)
      client.off('ready', onReady)
      client.off('node error', onError)
    },
    forget: () => void client.off('error', onError),
  }
}
