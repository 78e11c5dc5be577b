import { Buffer } from 'node:buffer'
import { now } from '../../src/runtime/clock.ts'
import { type Command, ReplyError, type Wire } from '../../src/store/transport.ts'
import { divideIntoWrites } from '../../src/store/writes.ts'
import type { Peer } from './client.ts'
import { isReply, lost, timedOut } from './errors.ts'
import type { CommandOptions, Progress } from './progress.ts'
import { toExact, toWire } from './replies.ts'

/**
 * The lower-case names of common commands. The client looks a name up in its tables five times per command, and a name in
 * capitals costs a new string each time. A command whose arguments or reply the client would change is not listed.
 */
const NAMES = new Map(
  'evalsha get hget hset lrange mget set zincrby'.split(' ').map((name) => [name.toUpperCase(), name]),
)

/** Commands over one connection of the client. */
export interface Exchange {
  /** Sends one command. An error reply is a value. */
  send(peer: Peer, args: Command['args'], options: CommandOptions | undefined): Promise<Wire>
  /** Writes `commands` contiguously. Throws, and sends nothing, past the deadline and for a call that is over. */
  write(peer: Peer, commands: readonly Command[], progress: Progress): Promise<Wire>[]
}

/** `onMoved`: sends a command to its node after the server replied MOVED. Absent: that reply is a value. */
export function createExchange(
  client: Peer,
  onMoved: ((args: Command['args'], options: CommandOptions) => Promise<Wire>) | undefined,
): Exchange {
  const exact = client.options.stringNumbers === true
  const send: Exchange['send'] = (peer, args, options = {}) => {
    const { bytes } = options
    const failed = (error: unknown): Wire | Promise<Wire> => {
      if (isReply(error)) {
        const reply = new ReplyError(error.message)
        // MOVED: nothing ran, so the command may be sent again.
        return onMoved && !options.atomic && reply.word === 'MOVED' ? onMoved(args, options) : reply
      }
      // The Cluster replaces a node's client that has ended. Only the end of the whole client is final.
      throw lost(error, true, (client.isCluster ? client : peer).status)
    }
    const name = args[0] as string
    // `get` costs the client less than `call`, which shows when one caller waits for one key.
    if (name === 'GET' && !bytes && !exact && peer.get) return peer.get(args[1] as string).then(toWire, failed)
    const own = NAMES.get(name) ?? name
    const rest = args.slice(1)
    for (let i = 0; i < rest.length; i++) {
      const arg = rest[i]
      if (arg instanceof Uint8Array) rest[i] = Buffer.from(arg.buffer as ArrayBuffer, arg.byteOffset, arg.byteLength)
    }
    if (exact) return peer.callBuffer(own, rest as string[]).then((reply) => toExact(reply, bytes === true), failed)
    const reply = bytes ? peer.callBuffer(own, rest as string[]) : peer.call(own, rest as string[])
    return reply.then(toWire, failed)
  }
  return {
    send,
    write(peer, commands, progress) {
      if (progress.over || !(progress.deadline > now())) throw timedOut(progress.sent)
      progress.sent = true
      const stream = commands.length > 1 ? peer.stream : undefined
      stream?.cork?.()
      try {
        const isFull = divideIntoWrites(commands.length)
        return commands.map(({ args }) => {
          const reply = send(peer, args, progress)
          if (isFull(args)) {
            stream?.uncork?.()
            stream?.cork?.()
          }
          return reply
        })
      } finally {
        stream?.uncork?.()
      }
    },
  }
}
