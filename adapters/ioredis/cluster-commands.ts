import { isSplit, keyByKey } from '../../src/store/over-redis.ts'
import { type Command, ReplyError, type Wire } from '../../src/store/transport.ts'
import type { Peer } from './client.ts'
import type { Exchange } from './exchange.ts'
import type { Progress } from './progress.ts'
import type { Readiness } from './readiness.ts'
import { ASKING, isRedirect, REDIRECTS, type Routing } from './routing.ts'

/**
 * Sends each command to its node, and follows redirects. Returns a promise per command, so that a dead node fails only its own
 * commands.
 */
export type SendToNodes = (commands: readonly Command[], progress: Progress) => Promise<Wire>[]

export function createSendToNodes(
  { route, follow }: Routing,
  open: Readiness['open'],
  write: Exchange['write'],
): SendToNodes {
  /** Returns the reply, or if it is a redirect, the reply of the node that it names. Follows `left` redirects at most. */
  const followed = async (command: Command, reply: Wire, progress: Progress, left: number): Promise<Wire> => {
    if (!(reply instanceof ReplyError) || left === 0 || !isRedirect(reply)) return reply
    if (isSplit(reply, command)) return keyByKey(command, (each) => sendToNodes(each, progress))
    const known = await follow(reply, left)
    const peer = known ?? route(command.args)
    await open(peer)
    const asking: Command[] = known && reply.word === 'ASK' ? [ASKING] : []
    const next = (await Promise.all(write(peer, [...asking, command], progress))).at(-1) as Wire
    return followed(command, next, progress, left - 1)
  }
  const sendToNodes: SendToNodes = (commands, progress) => {
    const groups = new Map<Peer, number[]>()
    const out: Promise<Wire>[] = []
    commands.forEach((command, i) => {
      try {
        const peer = route(command.args)
        const group = groups.get(peer)
        if (group) group.push(i)
        else groups.set(peer, [i])
      } catch (error) {
        out[i] = Promise.reject(error)
      }
    })
    for (const [peer, group] of groups) {
      const mine = group.map((i) => commands[i] as Command)
      const go = (): Promise<Wire>[] => write(peer, mine, progress)
      let replies: Promise<Wire>[]
      try {
        const later = open(peer)?.then(go)
        replies = later ? mine.map((_, i) => later.then((list) => list[i] as Promise<Wire>)) : go()
      } catch (error) {
        replies = mine.map(() => Promise.reject(error))
      }
      group.forEach((i, j) => {
        const command = commands[i] as Command
        out[i] = (replies[j] as Promise<Wire>).then((reply) => followed(command, reply, progress, REDIRECTS))
      })
    }
    return out
  }
  return sendToNodes
}
