import { HitherError, isHitherError } from '../../src/errors.ts'
import type { Call } from '../../src/store/call.ts'
import { inTime, lost, type Target, targetOf } from './commands.ts'
import type { Peer, Servers } from './peer.ts'

export type Key = string | Uint8Array | undefined

/** The connections that a transport opens beside the client that it was given. */
export interface Connections {
  /** Throws if the signal has aborted, or the transport is closed. */
  enter(call?: { readonly signal?: AbortSignal }): void
  /**
   * Opens a connection with the client's options and `settings`; on a Cluster, to the node of the key. Rejects at the limit of the
   * call, since the client itself would try for as long as its server is down.
   */
  open(call: Call | undefined, key?: Key, settings?: object, address?: string): Promise<Peer>
  /** Opens one that does not reconnect: the server would have forgotten the WATCH, and EXEC would run unguarded. */
  openOwn(call: Call | undefined, key?: Key, address?: string): Promise<Target & { readonly client: Peer }>
  has(made: Peer): boolean
  end(made: Peer): void
  readonly isClosed: boolean
  /** Ends all of them. No other is opened. */
  close(): void
}

export function createConnections(servers: Servers): Connections {
  let isClosed = false
  const own = new Map<Peer, { isConnecting: boolean; readonly ending: AbortController | undefined }>()
  const enter: Connections['enter'] = ({ signal } = {}) => {
    if (signal?.aborted) throw signal.reason
    if (isClosed) throw new HitherError('CLOSED', 'the transport is closed')
  }
  const open: Connections['open'] = async (call, key, settings, address) => {
    enter(call)
    const client = await inTime(call, false, () => servers.clientFor(key, address))
    enter(call)
    if (!client.isReady) throw lost(servers, undefined, false)
    // The client gives all its sockets the same signal: one that reconnects would keep a listener for each.
    const ending = settings && new AbortController()
    const made = client.duplicate(
      ending && { socket: { ...client.options?.socket, ...settings, signal: ending.signal } },
    )
    const state = { isConnecting: !ending, ending }
    made.on('reconnecting', () => {
      state.isConnecting = !ending
    })
    for (const event of ['connect', 'error']) {
      made.on(event, () => {
        state.isConnecting = false
        if (!own.has(made) && made.isOpen) made.destroy()
      })
    }
    own.set(made, state)
    try {
      await inTime(call, false, () => made.connect())
      return made
    } catch (error) {
      end(made)
      throw isHitherError(error) || call?.signal?.aborted ? error : lost(servers, error, false)
    }
  }
  const end = (made: Peer): void => {
    const state = own.get(made)
    // A client that is destroyed while it connects forgets its socket, which then stays open: without a signal it is destroyed
    // once it has connected, or failed.
    if (state && made.isOpen && (made.isReady || !state.isConnecting)) made.destroy()
    own.delete(made)
    state?.ending?.abort()
  }

  return {
    enter,
    open,
    openOwn: async (call, key, address) =>
      targetOf(await open(call, key, { reconnectStrategy: false }, address), servers),
    has: (made) => own.has(made),
    end,
    get isClosed() {
      return isClosed
    },
    close() {
      isClosed = true
      for (const made of [...own.keys()]) end(made)
    },
  }
}
