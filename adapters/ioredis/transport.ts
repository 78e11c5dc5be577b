import { checkSignal } from '../../src/protocol/arguments.ts'
import { NEVER, now, sleep } from '../../src/runtime/clock.ts'
import { type Call, withDeadline } from '../../src/store/call.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import { scanKeys, timed } from '../../src/store/over-redis.ts'
import type { BatchCall, Command, SendEach, Transport, Wire } from '../../src/store/transport.ts'
import type { IoredisLike, Peer } from './client.ts'
import { createSendToNodes } from './cluster-commands.ts'
import { clusterOf } from './cluster-of.ts'
import { sentInPart } from './errors.ts'
import { createExchange } from './exchange.ts'
import { type CommandOptions, createTasks, type Progress, start } from './progress.ts'
import { watchReadiness } from './readiness.ts'
import { holding } from './replies.ts'
import { createRouting } from './routing.ts'
import { checkSettings } from './settings.ts'
import { createSubscriber } from './subscriber.ts'
import { createTransaction } from './transaction.ts'

export interface IoredisTransportOptions {
  /** `close()` also ends the client. @default true for a client made by `connect()`, false for any other */
  readonly owned?: boolean
}

/** Clients that `connect()` made. Closing the transport ends them. */
export const made: WeakSet<object> = new WeakSet()

/**
 * Sends raw commands through a borrowed client. The commands of one call are written together, in two writes per connection if
 * they are many. Integers beyond 2^53 lose digits in the client, unless it has `stringNumbers: true` and `protocol: 2`: then they
 * arrive as bigint. While the client connects for the first time, calls wait, up to their deadline; after the connection was cut
 * they reject at once. On a Cluster a command goes to the node of its first key, and follows MOVED and ASK from there. If the
 * server of a single client replies MOVED, a Cluster client with the same options is made beside it, for all later commands.
 */
export function ioredisTransport(client: IoredisLike, options: IoredisTransportOptions = {}): Transport {
  return openClient(client, options).transport
}

/** `cluster` becomes true if the server turns out to be a node of a Cluster. */
type OpenedTransport = { -readonly [K in keyof Transport]: Transport[K] }

export interface OpenClient {
  readonly transport: Transport
  /** As `transport`, but without a timer per request, for a store that ends its calls at their deadlines itself. */
  readonly untimed: Transport
  /** Reports each outcome by itself: on a Cluster one node may fail while the others reply. */
  readonly sendEach: SendEach
  /** On a Cluster: the `host:port` of a key's node, `''` while it is unknown. */
  readonly part: ((key: string) => string) | undefined
  /** SCAN sees one node, so every primary is scanned, one after another. */
  scan(pattern: string, call?: Call, timeoutMs?: number): AsyncIterable<string>
}

/** `lone`: the client is used as it is, even if its server turns out to be a node of a Cluster. */
export function openClient(borrowed: IoredisLike, options: IoredisTransportOptions, lone = false): OpenClient {
  const client = borrowed as Peer
  checkSettings(client)
  const cluster = client.isCluster === true
  const owned = options.owned ?? made.has(client)
  const readiness = watchReadiness(client)
  const { open } = readiness
  const subscriber = createSubscriber(client)
  const routing = createRouting(client, readiness.unavailable, subscriber.at)
  let closed = false
  const { run, within } = createTasks(
    () => open(client),
    () => closed,
  )
  /** The Cluster, once the server of a single client has turned out to be a node of it. */
  let whole: OpenClient | undefined
  let joining: Promise<OpenClient> | undefined
  const joinCluster = (): Promise<OpenClient> => {
    joining ??= clusterOf(client).then((made) => {
      const joined = openClient(made, { owned: true })
      if (closed) void joined.transport.close()
      whole = joined
      transport.cluster = untimed.cluster = true
      return joined
    })
    return joining
  }
  const onMoved = async (args: Command['args'], { bytes = false, deadline = NEVER }: CommandOptions): Promise<Wire> =>
    (await joinCluster()).untimed.send({ args, effect: 'once' }, { bytes, deadline })
  const isAlone = !cluster && !lone
  const { send, write } = createExchange(client, isAlone ? onMoved : undefined)
  const sendToNodes = createSendToNodes(routing, open, write)
  const joinedTransport = async (): Promise<Transport> => (await joinCluster()).transport
  const transaction = createTransaction({
    client,
    routing,
    open,
    write,
    joinCluster: isAlone ? joinedTransport : undefined,
  })

  const each = (commands: readonly Command[], progress: Progress): Promise<Wire>[] =>
    cluster ? sendToNodes(commands, progress) : write(client, commands, progress)
  const one =
    (command: Command) =>
    (progress: Progress): Promise<Wire> =>
      each([command], progress)[0] as Promise<Wire>
  const all =
    (commands: readonly Command[], onReply: BatchCall['onReply']) =>
    (progress: Progress): Promise<readonly Wire[]> => {
      const hold = holding(progress)
      const taken = each(commands, progress).map((reply, at) =>
        reply.then(onReply ? (value) => (progress.over ? null : onReply(value, at)) : hold),
      )
      return Promise.all(taken).catch((error: unknown) => {
        // One command failed: what is not written yet stays unsent. Commands that were written may have run.
        progress.over = true
        throw progress.sent && commands.length > 1 ? sentInPart(error) : error
      })
    }

  async function* scan(pattern: string, call?: Call, timeoutMs?: number): AsyncGenerator<string> {
    checkSignal(call?.signal)
    if (whole) return yield* whole.scan(pattern, call, timeoutMs)
    const nodes = await within(withDeadline(call, timeoutMs), () =>
      cluster ? (client.nodes?.('master') ?? []) : [client],
    )
    for (const node of nodes) {
      const ask: Transport['send'] = (command, call) =>
        within(call, async (progress) => {
          await open(node)
          return write(node, [command], progress)[0] as Promise<Wire>
        })
      yield* scanKeys(timed(ask, timeoutMs), pattern, call)
    }
  }

  const transport: OpenedTransport = {
    cluster,
    send: (command, call) => whole?.transport.send(command, call) ?? within(call, one(command)),
    sendMany: (commands, call) =>
      whole?.transport.sendMany(commands, call) ?? within(call, all(commands, call?.onReply)),
    transaction: (commands, call) =>
      whole?.transport.transaction(commands, call) ?? within(call, (progress) => transaction(commands, progress), true),
    subscribe: (channel, onMessage, onGap) =>
      run(() => subscriber.subscribe(channel, onMessage, onGap), start(undefined)),
    async close() {
      if (closed) return
      closed = true
      subscriber.close()
      await whole?.transport.close()
      readiness.stop()
      // A client that ends while it connects reports that later, and ioredis prints an error without a listener: an owned client
      // keeps its listener.
      if (owned) await end(client)
      else readiness.forget()
    },
  }
  const untimed: OpenedTransport = {
    ...transport,
    send(command, call) {
      if (whole) return whole.untimed.send(command, call)
      // The path of nearly every call: one command to a client that is ready needs no `Progress`.
      const deadline = call?.deadline ?? NEVER
      const isReady = !cluster && !closed && readiness.isReady() && deadline > now()
      if (!isReady) return run(one(command), start(call))
      try {
        return send(client, command.args, call)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    sendMany: (commands, call) =>
      whole?.untimed.sendMany(commands, call) ?? run(all(commands, call?.onReply), start(call)),
  }
  const sendEach: SendEach = (commands, call, onReply, onError) => {
    if (whole) return whole.sendEach(commands, call, onReply, onError)
    run((progress) => each(commands, progress), start(call)).then(
      (replies) =>
        replies.forEach((reply, at) => {
          reply.then(
            (value) => onReply(at, value),
            (error) => onError(at, error),
          )
        }),
      (error) => {
        for (const at of commands.keys()) onError(at, error)
      },
    )
  }
  const part = cluster ? (key: string): string => client.slots?.[slotOf(key)]?.[0] ?? '' : undefined
  return { transport, untimed, sendEach, scan, part }
}

/** Ends with QUIT, so that commands under way get their replies. Does not wait longer than a second for the reply to QUIT. */
async function end(client: Peer): Promise<void> {
  if (client.status === 'ready') {
    const left = new AbortController()
    await Promise.race([client.quit(), sleep(1000, left.signal)]).catch(() => {})
    left.abort()
  }
  client.disconnect()
}
