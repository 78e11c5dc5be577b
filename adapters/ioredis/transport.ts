import { Buffer } from 'node:buffer'
import { HitherError } from '../../src/errors.ts'
import { now, sleep } from '../../src/runtime/clock.ts'
import { limitOf, onLimit } from '../../src/runtime/deadline.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import { inTransaction, readExec, scanKeys } from '../../src/store/over-redis.ts'
import type { Call } from '../../src/store/store.ts'
import { SCRIPTS_AT_ONCE } from '../../src/store/tick.ts'
import {
  type BatchCall,
  type Command,
  ReplyError,
  type SendEach,
  type Transport,
  type Wire,
} from '../../src/store/transport.ts'
import type { IoredisLike, Peer } from './client.ts'
import { clusterOf } from './cluster-of.ts'
import { isReply, late, lost, sentInPart } from './errors.ts'
import type { CommandOptions, Progress } from './progress.ts'
import { watchReadiness } from './readiness.ts'
import { holding, toExact, toWire } from './replies.ts'
import { createRouting, REDIRECTS } from './routing.ts'
import { checkSettings } from './settings.ts'
import { createSubscriber } from './subscriber.ts'

export interface IoredisTransportOptions {
  /** `close()` also ends the client. @default true for a client made by `connect()`, false for any other */
  readonly owned?: boolean
}

/** Clients that `connect()` made: closing their transport ends them. */
export const made: WeakSet<object> = new WeakSet()

const REDIRECT = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/
const ASKING: Command = { args: ['ASKING'], effect: 'read' }
/**
 * The raw way to a server through a borrowed client. Commands of one call are written at once, one write per
 * connection. Integers beyond 2^53 lose digits in the client, unless it has `stringNumbers: true` and `protocol: 2`:
 * then they arrive as bigint. While the client connects for the first time calls wait, up to their deadline; after a cut they reject
 * at once. On a Cluster a command goes to the node of its first key and follows MOVED and ASK from there. A single
 * client whose server answers MOVED is given a Cluster client with the same options beside it, for all later commands.
 */
export function ioredisTransport(client: IoredisLike, options: IoredisTransportOptions = {}): Transport {
  return openClient(client, options).transport
}

export interface OpenClient {
  readonly transport: Transport
  /** As `transport`, for a store that answers its callers at their deadlines itself: without a timer per request. */
  readonly untimed: Transport
  /** On a Cluster one node may fail and the others answer. */
  readonly sendEach: SendEach
  /** Of a Cluster: the `host:port` of a key's node, `''` while it is not known. */
  readonly part: ((key: string) => string) | undefined
  /** SCAN sees one node: every primary is asked in turn. */
  scan(pattern: string, call?: Call): AsyncIterable<string>
}

/** `lone`: the client is used as it is, also where its server turns out to be a node of a Cluster. */
export function openClient(borrowed: IoredisLike, options: IoredisTransportOptions, lone = false): OpenClient {
  const client = borrowed as Peer
  checkSettings(client)
  const cluster = client.isCluster === true
  const owned = options.owned ?? made.has(client)
  const exact = client.options.stringNumbers === true
  const readiness = watchReadiness(client)
  const { open } = readiness
  const subscriber = createSubscriber(client)
  const { route, follow } = createRouting(client, readiness.away, subscriber.at)
  let closed = false
  /** The Cluster that a single client's server turned out to be a node of. */
  let whole: OpenClient | undefined

  let joining: Promise<OpenClient> | undefined
  const joinCluster = (): Promise<OpenClient> => {
    joining ??= clusterOf(client).then((made) => {
      const joined = openClient(made, { owned: true })
      if (closed) void joined.transport.close()
      whole = joined
      return joined
    })
    return joining
  }
  const exchange = (peer: Peer, args: Command['args'], bytes: boolean, options?: CommandOptions): Promise<Wire> => {
    const failed = (error: unknown): Wire | Promise<Wire> => {
      if (isReply(error)) {
        const reply = new ReplyError(error.message)
        if (cluster || lone || options?.atomic || reply.word !== 'MOVED') return reply
        // Nothing ran: another node has the key.
        const { deadline = Number.POSITIVE_INFINITY } = options ?? {}
        return joinCluster().then(({ untimed }) => untimed.send({ args, effect: 'once' }, { bytes, deadline }))
      }
      // A node's client that has ended is replaced by the Cluster: what is final is the end of the whole.
      throw lost(error, true, (cluster ? client : peer).status)
    }
    const name = args[0] as string
    // Its own method costs a client less than `call`, which shows where one caller waits for one key.
    if (name === 'GET' && !bytes && !exact && peer.get) return peer.get(args[1] as string).then(toWire, failed)
    const rest = args.slice(1)
    for (let i = 0; i < rest.length; i++) {
      const arg = rest[i]
      if (arg instanceof Uint8Array) rest[i] = Buffer.from(arg.buffer as ArrayBuffer, arg.byteOffset, arg.byteLength)
    }
    if (exact) return peer.callBuffer(name, rest as string[]).then((reply) => toExact(reply, bytes), failed)
    const reply = bytes ? peer.callBuffer(name, rest as string[]) : peer.call(name, rest as string[])
    return reply.then(toWire, failed)
  }

  /** Writes `commands` to one connection, contiguous. An error reply is a value. */
  const write = (peer: Peer, commands: readonly Command[], bytes: boolean, progress: Progress): Promise<Wire>[] => {
    if (progress.over || !(progress.deadline > now())) throw late(progress)
    progress.sent = true
    const stream = commands.length > 1 ? peer.stream : undefined
    stream?.cork?.()
    try {
      let scripts = 0
      return commands.map(({ args }) => {
        const reply = exchange(peer, args, bytes, progress)
        if (args[0] === 'EVALSHA' && ++scripts % SCRIPTS_AT_ONCE === 0) {
          stream?.uncork?.()
          stream?.cork?.()
        }
        return reply
      })
    } finally {
      stream?.uncork?.()
    }
  }

  const redirected = async (
    command: Command,
    reply: Wire,
    bytes: boolean,
    progress: Progress,
    left: number,
  ): Promise<Wire> => {
    if (!(reply instanceof ReplyError) || left === 0 || !REDIRECT.test(reply.message)) return reply
    if (reply.word === 'TRYAGAIN' && /^(MGET|UNLINK|DEL)$/.test(command.args[0] as string)) {
      return oneByOne(command, bytes, progress)
    }
    const known = await follow(reply, left)
    const peer = known ?? route(command.args)
    await open(peer)
    const asking: Command[] = known && reply.word === 'ASK' ? [ASKING] : []
    const replies = write(peer, [...asking, command], bytes, progress)
    const next = (await Promise.all(replies)).at(-1) as Wire
    return redirected(command, next, bytes, progress, left - 1)
  }

  /** For keys of a slot that is half moved: together they are on no node, alone each is on one. */
  const oneByOne = async ({ args, effect }: Command, bytes: boolean, progress: Progress): Promise<Wire> => {
    const [name, ...keys] = args
    const verb = name === 'MGET' ? 'GET' : (name as string)
    const single = keys.map((key): Command => ({ args: [verb, key], effect }))
    const replies = await Promise.all(spread(single, bytes, progress))
    const refused = (reply: Wire): boolean => reply instanceof ReplyError && reply.word !== 'WRONGTYPE'
    if (replies.some(refused)) return replies.find(refused) as Wire
    if (verb === 'GET') return replies.map((reply) => (reply instanceof ReplyError ? null : reply))
    return replies.reduce<number>((sum, reply) => sum + Number(reply), 0)
  }

  /** A promise per command, so that one dead node fails its own commands only. */
  const spread = (commands: readonly Command[], bytes: boolean, progress: Progress): Promise<Wire>[] => {
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
      const go = (): Promise<Wire>[] => write(peer, mine, bytes, progress)
      let replies: Promise<Wire>[]
      try {
        const wait = open(peer)
        const later = wait?.then(go)
        replies = later ? mine.map((_, i) => later.then((list) => list[i] as Promise<Wire>)) : go()
      } catch (error) {
        replies = mine.map(() => Promise.reject(error))
      }
      group.forEach((i, j) => {
        out[i] = (replies[j] as Promise<Wire>).then((reply) =>
          redirected(commands[i] as Command, reply, bytes, progress, REDIRECTS),
        )
      })
    }
    return out
  }

  const each = (commands: readonly Command[], bytes: boolean, progress: Progress): Promise<Wire>[] =>
    cluster ? spread(commands, bytes, progress) : write(client, commands, bytes, progress)

  const exec = async (commands: readonly Command[], bytes: boolean, progress: Progress): Promise<readonly Wire[]> => {
    const framed = inTransaction(commands)
    const keyed = commands.find(({ args }) => args.length > 1) ?? framed[0]
    progress.atomic = true
    let known: Peer | undefined
    let asking: Command[] = []
    for (let left = REDIRECTS; ; left--) {
      const peer = known ?? (cluster ? route((keyed as Command).args) : client)
      await open(peer)
      const replies = (await Promise.all(write(peer, [...asking, ...framed], bytes, progress))).slice(asking.length)
      const result = readExec(framed, replies)
      if (!('error' in result)) return result
      const { error, blamed } = result
      // EXECABORT: nothing ran, so a moved transaction may go once more.
      if (!cluster && !lone && blamed?.word === 'MOVED') {
        return (await joinCluster()).transport.transaction(commands, { bytes, deadline: progress.deadline })
      }
      if (!cluster || left === 0 || !blamed || !REDIRECT.test(blamed.message)) throw error
      known = await follow(blamed, left)
      asking = known && blamed.word === 'ASK' ? [ASKING] : []
    }
  }

  type Task<T> = (progress: Progress) => T | Promise<T>
  /** Runs `task` once the client takes commands; nothing is written past the deadline. */
  const run = <T>(task: Task<T>, progress: Progress): Promise<T> => {
    try {
      if (closed) throw new HitherError('CLOSED', 'the transport is closed')
      const wait = open(client)
      return wait ? wait.then(() => task(progress)) : Promise.resolve(task(progress))
    } catch (error) {
      return Promise.reject(error)
    }
  }
  const start = (call: Call | undefined): Progress => ({
    sent: false,
    over: false,
    deadline: call?.deadline ?? Number.POSITIVE_INFINITY,
  })
  /** As `run`, and rejects at the call's deadline and when its signal aborts. */
  const within = <T>(call: Call | undefined, task: Task<T>): Promise<T> => {
    const { signal, deadline } = call ?? {}
    if (signal?.aborted) return Promise.reject(signal.reason)
    const progress = start(call)
    const work = run(task, progress)
    if (!signal && deadline === undefined) return work
    return new Promise((resolve, reject) => {
      // The reply that comes later still takes its own place on the connection: ioredis keeps the command queued.
      const leave = (reason: unknown): void => {
        progress.over = true
        reject(reason)
      }
      const callOff = onLimit(limitOf(call), () => late(progress), leave, 0)
      const end = (): void => {
        progress.over = true
        callOff()
      }
      work.then(end, end)
      work.then(resolve, reject)
    })
  }

  async function* scan(pattern: string, call?: Call): AsyncGenerator<string> {
    if (whole) return yield* whole.scan(pattern, call)
    const nodes = await within(call, () => (cluster ? (client.nodes?.('master') ?? []) : [client]))
    for (const node of nodes) {
      const ask: Transport['send'] = (command, call) =>
        within(call, async (progress) => {
          await open(node)
          return write(node, [command], false, progress)[0] as Promise<Wire>
        })
      yield* scanKeys(ask, pattern, call)
    }
  }

  const one =
    ({ bytes }: Call = {}, command: Command): Task<Wire> =>
    (progress) =>
      each([command], bytes === true, progress)[0] as Promise<Wire>
  const all =
    ({ bytes, onReply }: BatchCall = {}, commands: readonly Command[]): Task<readonly Wire[]> =>
    (progress) => {
      const hold = holding(progress)
      const taken = each(commands, bytes === true, progress).map((reply, at) =>
        reply.then(onReply ? (value) => (progress.over ? null : onReply(value, at)) : hold),
      )
      return Promise.all(taken).catch((error: unknown) => {
        // One node failed: what waits for another is not written any more, what was written may have run.
        progress.over = true
        throw progress.sent && commands.length > 1 ? sentInPart(error) : error
      })
    }

  const transport: Transport = {
    get cluster() {
      return cluster || whole !== undefined
    },
    send: (command, call) => whole?.transport.send(command, call) ?? within(call, one(call, command)),
    sendMany: (commands, call) => whole?.transport.sendMany(commands, call) ?? within(call, all(call, commands)),
    transaction: (commands, call) =>
      whole?.transport.transaction(commands, call) ??
      within(call, (progress) => exec(commands, call?.bytes === true, progress)),
    subscribe: (channel, onMessage, onGap) =>
      run(() => subscriber.subscribe(channel, onMessage, onGap), start(undefined)),
    async close() {
      if (closed) return
      closed = true
      subscriber.close()
      await whole?.transport.close()
      readiness.stop()
      // QUIT lets what is under way be answered; a server that does not answer it is left after a second.
      if (owned) {
        if (client.status === 'ready') {
          const left = new AbortController()
          await Promise.race([client.quit(), sleep(1000, left.signal)]).catch(() => {})
          left.abort()
        }
        client.disconnect()
      }
      readiness.forget()
    },
  }
  const untimed: Transport = {
    ...transport,
    get cluster() {
      return transport.cluster === true
    },
    send(command, call) {
      if (whole) return whole.untimed.send(command, call)
      // Nearly every call goes this way, without what only the others need.
      const deadline = call?.deadline ?? Number.POSITIVE_INFINITY
      const ready = !cluster && !closed && client.status === 'ready' && deadline > now()
      if (!ready) return run(one(call, command), start(call))
      try {
        return exchange(client, command.args, call?.bytes === true, call)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    sendMany: (commands, call) => whole?.untimed.sendMany(commands, call) ?? run(all(call, commands), start(call)),
  }
  const sendEach: SendEach = (commands, call, onReply, onError) => {
    if (whole) return whole.sendEach(commands, call, onReply, onError)
    run((progress) => each(commands, call.bytes === true, progress), start(call)).then(
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
