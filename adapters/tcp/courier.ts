import { HitherError } from '../../src/errors.ts'
import { jittered } from '../../src/runtime/backoff.ts'
import { sleep } from '../../src/runtime/clock.ts'
import { limitOf, within } from '../../src/runtime/deadline.ts'
import type { Call } from '../../src/store/call.ts'
import { isSplit, keyByKey } from '../../src/store/over-redis.ts'
import { type Command, ReplyError, type Wire } from '../../src/store/transport.ts'
import type { Node } from './node.ts'
import type { Nodes } from './nodes.ts'
import { type NatMap, reach } from './topology.ts'

/** Most redirects that one command follows. */
export const REDIRECTS = 6
const NEW_TRIP: Trip = { left: REDIRECTS }
const REDIRECT = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)$/
export const ASKING: Command = { args: ['ASKING'], effect: 'read' }

/** `left`: how many more redirects a command may follow. `asking`: the node that an ASK named, where ASKING goes first. */
export interface Trip {
  readonly left: number
  readonly asking?: Node | undefined
}

/** Sends single commands to the node that serves them, and follows redirects. */
export interface Courier {
  /** Never throws. */
  one(
    command: Command,
    call: Call | undefined,
    onReply: (reply: Wire) => void,
    onError: (error: unknown) => void,
    trip?: Trip,
  ): void
  send(command: Command, call: Call | undefined): Promise<Wire>
  /** Where a redirected command goes next: after ASK, to the node that the reply names; otherwise to the node in the table. */
  follow(reply: ReplyError, asked: Node, call: Call | undefined, left: number): Promise<Trip>
  /** Reads the table of a Cluster again if `error` means that a node is down: the other nodes know whether it was replaced. */
  suspect(error: unknown): void
}

export function isRedirect(reply: Wire, { left }: Trip): reply is ReplyError {
  return reply instanceof ReplyError && left > 0 && REDIRECT.test(reply.word)
}

/** Whether the reply is that of a replica which loads its data or has lost its primary. */
function isUnfit(reply: Wire, { settings }: Node, { left }: Trip): boolean {
  return !!settings.readonly && left > 0 && reply instanceof ReplyError && /^(LOADING|MASTERDOWN)$/.test(reply.word)
}

export function createCourier(nodes: Nodes, natMap: NatMap): Courier {
  const refresh = (): void => void nodes.refresh().catch(() => {})
  const suspect: Courier['suspect'] = (error) => {
    const gone = error instanceof HitherError && /^(STORE_UNAVAILABLE|TIMEOUT)$/.test(error.code)
    if (gone && nodes.isClustered()) refresh()
  }
  const follow: Courier['follow'] = async (reply, asked, call, left) => {
    const [word, slot, address = ''] = reply.message.split(' ')
    if (word === 'MOVED' || word === 'ASK') {
      const colon = address.lastIndexOf(':')
      const { host } = asked.settings.address
      const name = reach(address.slice(0, colon), Number(address.slice(colon + 1)), host, natMap)
      if (word === 'ASK') return { left: left - 1, asking: nodes.at(name) }
      // Record the move at once, so that commands sent meanwhile go to the new node. The whole table is read again below.
      nodes.move(Number(slot), name)
      refresh()
      return { left: left - 1 }
    }
    await within(sleep(jittered(50 * 2 ** (REDIRECTS - left))), limitOf(call))
    // A node that is cut off from the others replies CLUSTERDOWN, and has an old table.
    await within(
      nodes.refresh(asked).catch(() => {}),
      limitOf(call),
    )
    return { left: left - 1 }
  }
  /** Sends a read that a replica failed to another node. A read changes nothing, so it may run twice. */
  const leave = (replica: Node, { left }: Trip, again: (to: Trip) => void): void => {
    nodes.avoid(replica)
    again({ left: left - 1 })
  }
  const one: Courier['one'] = (command, call, onReply, onError, trip = NEW_TRIP) => {
    try {
      const { node, slot } = trip.asking ? { node: trip.asking, slot: 0 } : nodes.route(command)
      const again = (to: Trip): void => one(command, call, onReply, onError, to)
      const take = (reply: Wire): void => {
        if (isUnfit(reply, node, trip)) leave(node, trip, again)
        else if (!isRedirect(reply, trip)) onReply(reply)
        else if (isSplit(reply, command))
          keyByKey(command, (each) => each.map((one) => send(one, call))).then(onReply, onError)
        else follow(reply, node, call, trip.left).then(again, onError)
      }
      const fail = (error: unknown): void => {
        suspect(error)
        const { code = '', maybeExecuted = false } = node.settings.readonly && error instanceof HitherError ? error : {}
        if (code === 'TIMEOUT' && maybeExecuted) nodes.avoid(node)
        if (code === 'STORE_UNAVAILABLE' && trip.left > 0) leave(node, trip, again)
        else onError(error)
      }
      const calls = node.calls(slot)
      if (!trip.asking) calls.one(command, call, take, fail)
      else calls.sendMany([ASKING, command], call).then((replies) => take(replies[1] as Wire), fail)
    } catch (error) {
      onError(error)
    }
  }
  const send: Courier['send'] = (command, call) => new Promise((resolve, reject) => one(command, call, resolve, reject))
  return { one, send, follow, suspect }
}
