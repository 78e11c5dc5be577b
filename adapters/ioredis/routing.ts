import type { HitherError } from '../../src/errors.ts'
import { jittered } from '../../src/runtime/backoff.ts'
import { sleep } from '../../src/runtime/clock.ts'
import { firstKey, slotOf } from '../../src/store/hash-slot.ts'
import type { Command, ReplyError } from '../../src/store/transport.ts'
import { nameOf, type Peer } from './client.ts'

/** How often a command is sent on. */
export const REDIRECTS = 5
export const ASKING: Command = { args: ['ASKING'], effect: 'read' }

/** Whether nothing ran, and another node, or this one a little later, is to be asked. */
export function isRedirect({ message }: ReplyError): boolean {
  return /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/.test(message)
}

interface Host {
  readonly host: string
  readonly port: number
}
type NatMap = Readonly<Record<string, Host>> | ((address: string) => Host | null | undefined)

/** The nodes of a Cluster: which serves a command, and where a redirected one goes. */
export interface Routing {
  route(args: Command['args']): Peer
  follow(error: ReplyError, left: number): Promise<Peer | undefined>
}

/** `away` says why no node is known; `subscribedAt` names the node that the subscriptions are at, while they stand. */
export function createRouting(
  client: Peer,
  away: (peer: Peer) => HitherError,
  subscribedAt: () => string | undefined,
): Routing {
  const find = (key: string | undefined): Peer | undefined =>
    key === undefined ? undefined : client.nodes?.().find((node) => nameOf(node) === key)

  /** The `host:port` under which the client knows a node that the servers call `address`. */
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
   * The node that serves a command's key; any other that answers, when the table does not know: it redirects. What is
   * published at one node all are told, so it goes to the one that has proven itself.
   */
  const route = (args: Command['args']): Peer => {
    const slot = slotOf(firstKey(args))
    const proven = args[0] === 'PUBLISH' ? find(subscribedAt()) : undefined
    const node = (proven?.status === 'ready' && proven) || find(client.slots?.[slot]?.[0])
    if (node) return node
    const nodes = client.nodes?.('master') ?? []
    const any = nodes.find(({ status }) => status === 'ready') ?? nodes[0]
    if (!any) throw away(client)
    return any
  }

  /** Where a redirected command goes next; waits where the server asked for patience. */
  const follow = async (error: ReplyError, left: number): Promise<Peer | undefined> => {
    const [word, slot, address] = error.message.split(' ')
    if (address) {
      const at = reach(address)
      // It may be in no table yet, as one that is given its first slot, or no more, as one whose connection was cut.
      const node = find(at) ?? meet(at)
      // Learn it at once, so that what is sent meanwhile goes the right way; a whole new table follows.
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
