import type { HitherError } from '../../src/errors.ts'
import { jittered } from '../../src/runtime/backoff.ts'
import { sleep } from '../../src/runtime/clock.ts'
import { firstKey, slotOf } from '../../src/store/hash-slot.ts'
import type { Command, ReplyError } from '../../src/store/transport.ts'
import { nameOf, type Peer } from './client.ts'

/** Most redirects that one command follows. */
export const REDIRECTS = 5
export const ASKING: Command = { args: ['ASKING'], effect: 'read' }

/** Whether the command did not run, and must be sent to another node, or to this one a little later. */
export function isRedirect({ message }: ReplyError): boolean {
  return /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/.test(message)
}

interface Host {
  readonly host: string
  readonly port: number
}
type NatMap = Readonly<Record<string, Host>> | ((address: string) => Host | null | undefined)

/** Finds the node that serves a command, and the node to which a redirected command goes. */
export interface Routing {
  route(args: Command['args']): Peer
  follow(error: ReplyError, left: number): Promise<Peer | undefined>
}

/** `unavailable` makes the error if no node is known. `subscribedAt` names the node of the subscriptions while they are up. */
export function createRouting(
  client: Peer,
  unavailable: (peer: Peer) => HitherError,
  subscribedAt: () => string | undefined,
): Routing {
  const find = (key: string | undefined): Peer | undefined =>
    key === undefined ? undefined : client.nodes?.().find((node) => nameOf(node) === key)

  /** The `host:port` at which the client reaches a node that the servers call `address`. */
  const reach = (address: string): string => {
    const { natMap } = client.options as { natMap?: NatMap }
    const mapped = typeof natMap === 'function' ? natMap(address) : natMap?.[address]
    return mapped ? `${mapped.host}:${mapped.port}` : address
  }
  const meet = (at: string): Peer | undefined => {
    const colon = at.lastIndexOf(':')
    return client.connectionPool?.findOrCreate?.({ host: at.slice(0, colon), port: Number(at.slice(colon + 1)) })
  }

  const refresh = (): Promise<void> =>
    new Promise((done) => (client.refreshSlotsCache ? client.refreshSlotsCache(() => done()) : done()))

  /**
   * The node that serves a command's key. If the table of slots has none, any node, preferably one that is up: it redirects. A
   * PUBLISH at one node reaches all nodes, so it goes to the node of the subscriptions, which is known to be up.
   */
  const route = (args: Command['args']): Peer => {
    const slot = slotOf(firstKey(args))
    const proven = args[0] === 'PUBLISH' ? find(subscribedAt()) : undefined
    const node = (proven?.status === 'ready' && proven) || find(client.slots?.[slot]?.[0])
    if (node) return node
    const nodes = client.nodes?.('master') ?? []
    const any = nodes.find(({ status }) => status === 'ready') ?? nodes[0]
    if (!any) throw unavailable(client)
    return any
  }

  /**
   * The node to which a redirected command goes next; undefined to take the route from the table. Waits after TRYAGAIN and
   * CLUSTERDOWN.
   */
  const follow = async (error: ReplyError, left: number): Promise<Peer | undefined> => {
    const [word, slot, address = ''] = error.message.split(' ')
    if (word === 'MOVED' || word === 'ASK') {
      const at = reach(address)
      // The node may be missing from the table: it has just received its first slot, or its connection was cut.
      const node = find(at) ?? meet(at)
      // Record the move at once, so that commands sent meanwhile go to the new node. The whole table is read again below.
      if (word === 'MOVED' && node && client.slots) client.slots[Number(slot)] = [at]
      if (word === 'MOVED' || !node) {
        const refreshed = refresh()
        if (!node) await refreshed
      }
      return node ?? find(at)
    }
    await sleep(jittered(50 * 2 ** (REDIRECTS - left)))
    await refresh()
    return undefined
  }
  return { route, follow }
}
