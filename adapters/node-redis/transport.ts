import { Buffer } from 'node:buffer'
import { isHitherError } from '../../src/errors.ts'
import { checkSignal } from '../../src/protocol/arguments.ts'
import { jittered } from '../../src/runtime/backoff.ts'
import { sleep } from '../../src/runtime/clock.ts'
import { type Call, withDeadline } from '../../src/store/call.ts'
import { firstKey } from '../../src/store/hash-slot.ts'
import { scanKeys, timed } from '../../src/store/over-redis.ts'
import { partlyRun } from '../../src/store/sum-of.ts'
import {
  type Command,
  type Exclusive,
  ReplyError,
  type SendEach,
  type Transport,
  type Wire,
} from '../../src/store/transport.ts'
import { exec, inTime, PLAIN, ran, refusalOf, type Target, targetOf, write } from './commands.ts'
import { createConnections, type Key } from './connections.ts'
import { type NodeRedisLike, type Servers, serversOf } from './peer.ts'
import { subscriberOf } from './subscription.ts'

/** Most redirects that a transaction or a command that waits follows. */
const REDIRECTS = 5
const ASKING: Command = { args: ['ASKING'], effect: 'read' }

export interface NodeRedisTransport extends Transport {
  /** As `sendMany`, but each command has its own outcome: a node that is down fails no command of another. */
  readonly sendEach: SendEach
  exclusive(call?: Call, key?: string): Promise<Exclusive & { readonly ended: boolean }>
  /** On a Cluster alone: sends a command that waits, on a connection that is opened for it. */
  readonly wait?: NonNullable<Transport['wait']>
  readonly subscribe: NonNullable<Transport['subscribe']>
  /** Keys that match a pattern, one server after another. */
  scan(pattern: string, call?: Call, timeoutMs?: number): AsyncIterable<string>
}

/**
 * Sends raw commands to a server or a Cluster through a borrowed client of node-redis, which its owner connects. The commands of
 * one call are written together. Throws `UNSAFE_CLIENT` for a client that queues commands while it is not connected: they would
 * run when nobody waits for them any more.
 */
export function nodeRedisTransport(borrowed: NodeRedisLike): NodeRedisTransport {
  return limited(unlimitedTransport(borrowed))
}

/** The same transport. Each command ends at the limits of its call, since the client itself would wait without end. */
export function limited(transport: NodeRedisTransport): NodeRedisTransport {
  return {
    ...transport,
    send: (command, call) => inTime(call, true, () => transport.send(command, call)),
    sendMany(commands, call) {
      let settled = false
      const onReply = (reply: Wire, at: number): Wire => (!settled && call?.onReply ? call.onReply(reply, at) : reply)
      const sent = inTime(call, true, () => transport.sendMany(commands, { ...call, onReply }))
      return sent.finally(() => {
        settled = true
      })
    },
  }
}

/** The transport of a store, which itself ends the calls that it sends together. */
export function unlimitedTransport(borrowed: NodeRedisLike): NodeRedisTransport {
  const servers = serversOf(borrowed)
  const connections = createConnections(servers)
  const { enter, openOwn } = connections

  return {
    async send(command, call) {
      enter(call)
      return write(servers, [command], call?.bytes === true, 'shared')[0] as Promise<Wire>
    },
    async sendMany(commands, call) {
      enter(call)
      const refused = commands.map(refusalOf).find(Boolean)
      if (refused) throw refused
      const isSpread = servers.isCluster && servers.isReady && commands[1]
      const replies = write(servers, commands, call?.bytes === true, 'checked')
      const kept = replies.map((reply, at) => reply.then((value) => (call?.onReply ? call.onReply(value, at) : value)))
      // Other nodes of a Cluster may have run their commands.
      return Promise.all(kept).catch((error: unknown) => {
        throw isSpread && isHitherError(error) ? partlyRun(error) : error
      })
    },
    sendEach(commands, call, onReply, onError) {
      try {
        enter(call)
      } catch (error) {
        for (const at of commands.keys()) onError(at, error)
        return
      }
      write(servers, commands, call.bytes === true, 'shared').forEach((reply, at) => {
        reply.then(
          (value) => onReply(at, value),
          (error) => onError(at, error),
        )
      })
    },
    async transaction(commands, call) {
      enter(call)
      const keyed = commands.find(({ args }) => args.length > 1)
      const key = keyed && firstKey(keyed.args)
      const go: Go<Awaited<ReturnType<typeof exec>>> = async (address, before) => {
        enter(call)
        return exec(await oneOf(servers, key, address), commands, call?.bytes === true, before)
      }
      const refusalIn: RefusalIn<Awaited<ReturnType<typeof exec>>> = (result) => 'error' in result && result.blamed
      return inTime(call, true, async () => ran(await redirected(servers, { key, call, go, refusalIn })))
    },
    ...(servers.isCluster && {
      wait(command: Command, call?: Call) {
        const key = firstKey(command.args)
        const go: Go<Wire> = async (address, before) => {
          const made = await openOwn(call, key, address)
          try {
            const all = (): Promise<Wire[]> =>
              Promise.all(write(made, [...before, command], call?.bytes === true, 'own'))
            return (await inTime(call, true, all)).at(-1) as Wire
          } finally {
            // If the caller has left, the server could still pop an element for it, and nobody would get it.
            connections.end(made.client)
          }
        }
        return redirected(servers, { key, call, go, refusalIn: (reply) => reply })
      },
    }),
    async exclusive(call, key) {
      enter(call)
      const made = await openOwn(call, key)
      return {
        send: (command, options) =>
          inTime(options, true, () => write(made, [command], options?.bytes === true, 'own')[0] as Promise<Wire>),
        transaction: (list, options) =>
          inTime(options, true, async () => ran(await exec(made, list, options?.bytes === true))),
        get ended() {
          return !made.client.isOpen
        },
        release: () => connections.end(made.client),
      }
    },
    subscribe: subscriberOf(servers, connections),
    async *scan(pattern, call, timeoutMs) {
      checkSignal(call?.signal)
      enter(call)
      for (const client of await inTime(withDeadline(call, timeoutMs), false, () => servers.clients())) {
        const target = targetOf(client, servers)
        const send: Transport['send'] = (command, limits) =>
          inTime(limits, false, () => write(target, [command], false, 'shared')[0] as Promise<Wire>)
        yield* scanKeys(timed(send, timeoutMs), pattern, call)
      }
    },
    close: async () => connections.close(),
  }
}

/** The target of a transaction, which runs on one server: on a Cluster, on the node that has the key. */
async function oneOf(servers: Servers, key: Key, address?: string): Promise<Target> {
  return servers.isCluster ? targetOf(await servers.clientFor(key, address), servers) : servers
}

/** Sends to the node of the key, or to that of `address` with `before` in front. */
type Go<T> = (address: string | undefined, before: readonly Command[]) => Promise<T>
/** The reply in a result by which the server may have refused it. */
type RefusalIn<T> = (result: T) => unknown

interface Redirecting<T> {
  readonly key: Key
  readonly call: Call | undefined
  readonly go: Go<T>
  readonly refusalIn: RefusalIn<T>
}

/**
 * After MOVED, ASK and TRYAGAIN nothing has run, so `go` runs again; after ASK at the node that the reply names. Rejects at the
 * limits of the call before it does.
 */
async function redirected<T>(servers: Servers, { key = '', call, go, refusalIn }: Redirecting<T>): Promise<T> {
  let address: string | undefined
  for (let left = servers.isCluster ? REDIRECTS : 0; ; left--) {
    const result = await go(address, address ? [ASKING] : [])
    const refused = refusalIn(result)
    if (!isRedirect(refused, left)) return result
    address = refused.word === 'ASK' ? refused.message.split(' ')[2] : undefined
    const name = typeof key === 'string' ? key : Buffer.from(key)
    await inTime(call, false, async () => {
      if (refused.word === 'TRYAGAIN') await sleep(jittered(50 * 2 ** (REDIRECTS - left)))
      // By following the redirect itself the client learns of the node, and of a slot that has moved. Whether the GET is refused
      // does not matter.
      await servers.send(['GET', name], { typeMapping: PLAIN }).catch(() => {})
    })
  }
}

function isRedirect(reply: unknown, left: number): reply is ReplyError {
  return left > 0 && reply instanceof ReplyError && /^(MOVED|ASK|TRYAGAIN)$/.test(reply.word)
}
