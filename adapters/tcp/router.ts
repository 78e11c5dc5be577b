import { HitherError } from '../../src/errors.ts'
import { limitOf, within } from '../../src/runtime/deadline.ts'
import type { Call } from '../../src/store/call.ts'
import { replySize } from '../../src/store/over-redis.ts'
import {
  type BatchCall,
  type Command,
  type Exclusive,
  ReplyError,
  type SendEach,
  type Wire,
} from '../../src/store/transport.ts'
import { checkShared, kindOf, ran } from './calls.ts'
import { ASKING, createCourier, isRedirect, REDIRECTS, type Trip } from './courier.ts'
import { closed, ofCall, tooLarge } from './errors.ts'
import type { Node } from './node.ts'
import { createNodes, type NodesOptions } from './nodes.ts'

/** Calls over one server, or over the nodes of a Cluster. */
export interface Router {
  send(command: Command, call?: Call): Promise<Wire>
  sendMany(commands: readonly Command[], call?: BatchCall): Promise<readonly Wire[]>
  transaction(commands: readonly Command[], call?: Call): Promise<readonly Wire[]>
  readonly sendEach: SendEach
  /** A connection for one caller alone, to the node of `key`, or to any node. */
  exclusive(call?: Call, key?: string): Promise<Exclusive>
  /** Every primary, once they are known: for commands that see only one node (SCAN). */
  primaries(call?: Call): Promise<Node[]>
  any(): Node
  hasLeft(name: string): boolean
  part(key: string): string
  close(): Promise<void>
}

/**
 * Sends a command to the node of its first key. After MOVED or ASK it goes to the node that the reply names; MOVED also updates
 * the table. After TRYAGAIN or CLUSTERDOWN it waits a little. Nothing is sent twice that may have run: a redirected command has
 * not.
 * https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/
 */
export function createRouter(options: NodesOptions): Router {
  const nodes = createNodes(options)
  const { one, send, follow, suspect } = createCourier(nodes, options.natMap)
  const { maxCallBytes } = options.settings
  let over = false

  /** Runs `go` once it is known which node serves which slot. If that is known, `go` runs at once, so that calls keep order. */
  const whenLearned = <T>(call: Call | undefined, go: () => Promise<T>): Promise<T> => {
    try {
      if (over) throw closed()
      const wait = nodes.learned()
      return wait ? within(wait, limitOf(call)).then(go) : go()
    } catch (error) {
      return Promise.reject(error)
    }
  }
  /** Sends a command that waits on a separate connection, and on another one at each node that it is redirected to. */
  const alone = async (command: Command, call?: Call, trip: Trip = { left: REDIRECTS }): Promise<Wire> => {
    const node = trip.asking ?? nodes.route(command).node
    const connection = await node.patient(call)
    let broken = true
    let reply: Wire
    try {
      if (trip.asking) await connection.send(ASKING, call)
      reply = await connection.send(command, call)
      broken = false
    } catch (error) {
      suspect(error)
      throw error
    } finally {
      // If the caller has left, the server could still pop an element for it, and nobody would get it: close the connection.
      connection.release(broken)
    }
    return isRedirect(reply, trip) ? alone(command, call, await follow(reply, node, call, trip.left)) : reply
  }
  /** Sends a batch over several connections. If one command gets no reply, the whole batch rejects. */
  const spread = (commands: readonly Command[], call: BatchCall | undefined): Promise<readonly Wire[]> => {
    let held = 0
    let settled = false
    const keep = (reply: Wire, at: number): Wire => {
      if (settled) return null
      if (call?.onReply) return call.onReply(reply, at)
      held += replySize(reply)
      return held > maxCallBytes ? tooLarge(maxCallBytes) : reply
    }
    const replies = commands.map((command, at) => send(command, call).then((reply) => keep(reply, at)))
    return Promise.all(replies).catch((error: unknown) => {
      settled = true
      // Other nodes may have run their commands.
      throw error instanceof HitherError && commands.length > 1 ? ofCall(error, true) : error
    })
  }
  /** Sends a batch over one connection. If MOVED replies show that the server is a node of a Cluster, those commands go again. */
  const together = async (commands: readonly Command[], call: BatchCall | undefined): Promise<readonly Wire[]> => {
    const { onReply, ...rest } = call ?? {}
    const own = onReply && ((reply: Wire, at: number) => (isMoved(reply) ? reply : onReply(reply, at)))
    const { node } = nodes.route(commands[0] as Command)
    const replies = await node.calls(0).sendMany(commands, own ? { ...rest, onReply: own } : rest)
    if (!replies.some(isMoved)) return replies
    const again = replies.map(async (reply, at) => {
      if (!isMoved(reply)) return reply
      await follow(reply, node, call, REDIRECTS)
      const moved = await send(commands[at] as Command, call)
      return onReply ? onReply(moved, at) : moved
    })
    return Promise.all(again)
  }
  const sendEach: SendEach = (commands, call, onReply, onError) => {
    const go = (): void =>
      commands.forEach((command, at) => {
        one(
          command,
          call,
          (reply) => onReply(at, reply),
          (error) => onError(at, error),
        )
      })
    const wait = nodes.learned()
    if (!wait) return go()
    within(wait, limitOf(call)).then(go, (error) => {
      for (const at of commands.keys()) onError(at, error)
    })
  }
  const transact = async (commands: readonly Command[], call: Call | undefined): Promise<readonly Wire[]> => {
    const keyed = commands.find(({ args }) => args.length > 1) ?? ASKING
    for (let trip: Trip = { left: REDIRECTS }; ; ) {
      const { node, slot } = trip.asking ? { node: trip.asking, slot: 0 } : nodes.route(keyed)
      const running = node.calls(slot).exec(commands, call, trip.asking ? [ASKING] : [])
      running.catch(suspect)
      const result = await running
      // EXECABORT: nothing ran, so a transaction that was redirected may be sent again.
      const blamed = 'error' in result && !result.error.maybeExecuted ? result.blamed : undefined
      if (!blamed || !isRedirect(blamed, trip)) return ran(result)
      trip = await follow(blamed, node, call, trip.left)
    }
  }
  return {
    send(command, call) {
      const waits = kindOf(command.args) === 'waits'
      return whenLearned(call, () => {
        if (!waits) checkShared(command, false)
        return waits ? alone(command, call) : send(command, call)
      })
    },
    sendMany: (commands, call) =>
      whenLearned(call, () => {
        for (const command of commands) checkShared(command, true)
        if (!commands[0]) return Promise.resolve([])
        return nodes.isClustered() || options.connections > 1 ? spread(commands, call) : together(commands, call)
      }),
    sendEach,
    transaction: (commands, call) => whenLearned(call, () => transact(commands, call)),
    exclusive: (call, key) =>
      whenLearned(call, () => {
        const anyOne = nodes.isClustered() && key === undefined
        const node = anyOne ? nodes.any() : nodes.route({ args: ['GET', key ?? ''], effect: 'once' }).node
        return node.exclusive(call)
      }),
    primaries: (call) => whenLearned(call, async () => nodes.primaries()),
    any: nodes.any,
    hasLeft: nodes.hasLeft,
    part: nodes.part,
    close() {
      over = true
      return nodes.close()
    },
  }
}

function isMoved(reply: Wire): reply is ReplyError {
  return reply instanceof ReplyError && reply.word === 'MOVED'
}
