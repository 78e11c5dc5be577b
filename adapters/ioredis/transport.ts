import { Buffer } from 'node:buffer'
import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { now, setTimer, sleep } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import type { Call } from '../../src/store/store.ts'
import { SCRIPTS_AT_ONCE } from '../../src/store/tick.ts'
import { type Command, ReplyError, type SendEach, type Transport, type Wire } from '../../src/store/transport.ts'
import { type IoredisLike, nameOf, type Peer } from './client.ts'
import { checkSettings } from './settings.ts'
import { slotOf } from './slot.ts'
import { createSubscriber } from './subscriber.ts'

export interface IoredisTransportOptions {
  /** `close()` also ends the client. @default true for a client made by `connect()`, false for any other */
  readonly owned?: boolean
}

/** Clients that `connect()` made: closing their transport ends them. */
export const made: WeakSet<object> = new WeakSet()

const REDIRECTS = 5
const REDIRECT = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/
const ASKING: Command = { args: ['ASKING'], effect: 'read' }
/** What ioredis says of a command it did not write. */
const UNSENT = /isn't (writeable|ready)|Connection in subscriber mode|monitoring mode/

/** One call: whether anything was written for it, and whether its caller has been answered. */
interface Progress {
  sent: boolean
  over: boolean
  readonly deadline: number
}

/**
 * The raw way to a server through a borrowed client. Commands of one call are written at once, one write per
 * connection. Integers beyond 2^53 lose digits in the client, unless it has `stringNumbers: true` and `protocol: 2`:
 * then they arrive as bigint. While the client connects for the first time calls wait, up to their deadline; after a cut they reject
 * at once. On a Cluster a command goes to the node of its first key and follows MOVED and ASK from there.
 */
export function ioredisTransport(client: IoredisLike, options: IoredisTransportOptions = {}): Transport {
  return openClient(client, options).transport
}

interface Host {
  readonly host: string
  readonly port: number
}
type NatMap = Readonly<Record<string, Host>> | ((address: string) => Host | null | undefined)

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

export function openClient(borrowed: IoredisLike, options: IoredisTransportOptions): OpenClient {
  const client = borrowed as Peer
  checkSettings(client)
  const cluster = client.isCluster === true
  const owned = options.owned ?? made.has(client)
  const exact = client.options.stringNumbers === true
  const opening = new WeakMap<object, Promise<void>>()
  let everReady = client.status === 'ready'
  let fault: unknown
  let closed = false

  /** A node's client that has ended is replaced by the Cluster: what is final is the end of the whole. */
  const statusOf = (peer: Peer): string => (cluster ? client : peer).status
  const onReady = (): void => {
    everReady = true
    fault = undefined
  }
  const onError = (error: unknown): void => {
    const { lastNodeError = error } = error as { lastNodeError?: unknown }
    // ioredis 5 adds that its own INFO found no connection: the reason came before.
    if (!UNSENT.test(String(lastNodeError))) fault = lastNodeError
  }
  client.on('ready', onReady)
  client.on('error', onError)
  client.on('node error', onError)

  /** Undefined when `peer` takes commands now; else settles with its connection attempt, or throws when none runs. */
  const open = (peer: Peer): Promise<void> | undefined => {
    if (peer.status === 'ready') return undefined
    if (peer.status === 'wait') peer.connect().catch(() => {})
    const first = peer !== client || !everReady
    if (!first || (peer.status !== 'connecting' && peer.status !== 'connect')) throw lost(fault, false, statusOf(peer))
    let attempt = opening.get(peer)
    if (!attempt) {
      attempt = new Promise((resolve, reject) => {
        const events = ['ready', 'close', 'end']
        const settle = (): void => {
          for (const event of events) peer.off(event, settle)
          opening.delete(peer)
          if (peer.status === 'ready') resolve()
          else reject(lost(fault, false, statusOf(peer)))
        }
        for (const event of events) peer.on(event, settle)
      })
      opening.set(peer, attempt)
    }
    return attempt
  }

  const exchange = (peer: Peer, args: Command['args'], bytes: boolean): Promise<Wire> => {
    const failed = (error: unknown): Wire => {
      if (isReply(error)) return new ReplyError(error.message)
      throw lost(error, true, statusOf(peer))
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
        const reply = exchange(peer, args, bytes)
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
    const key = args[/^(EVAL|FCALL)/.test(args[0] as string) ? 3 : 1]
    const slot = slotOf(key instanceof Uint8Array ? key : String(key ?? ''))
    const proven = args[0] === 'PUBLISH' ? find(subscriber.at()) : undefined
    const node = (proven?.status === 'ready' && proven) || find(client.slots?.[slot]?.[0])
    if (node) return node
    const nodes = client.nodes?.('master') ?? []
    const any = nodes.find(({ status }) => status === 'ready') ?? nodes[0]
    if (!any) throw lost(fault, false, client.status)
    return any
  }

  /** Where a redirected command goes next; waits where the server asked for patience. */
  const follow = async (error: ReplyError, left: number): Promise<Peer | undefined> => {
    const [word, slot, address] = error.message.split(' ')
    if (address) {
      const at = reach(address)
      // A node that is given its first slot is in no table yet: only ASK names it.
      const node = find(at) ?? (word === 'ASK' ? meet(at) : undefined)
      // Learn it at once, so that what is sent meanwhile goes the right way; a whole new table follows.
      if (word === 'MOVED' && node && client.slots) client.slots[Number(slot)] = [at]
      if (word === 'MOVED' || !node) {
        const refreshed = refresh()
        if (!node) await refreshed
      }
      return node ?? find(at)
    }
    await sleep(50 * 2 ** (REDIRECTS - left) * (0.5 + random()))
    await refresh()
    return undefined
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
    const framed: Command[] = [{ args: ['MULTI'], effect: 'read' }, ...commands, { args: ['EXEC'], effect: 'once' }]
    const keyed = commands.find(({ args }) => args.length > 1) ?? framed[0]
    let known: Peer | undefined
    let asking: Command[] = []
    for (let left = REDIRECTS; ; left--) {
      const peer = known ?? (cluster ? route((keyed as Command).args) : client)
      await open(peer)
      const replies = (await Promise.all(write(peer, [...asking, ...framed], bytes, progress))).slice(asking.length)
      const result = replies.at(-1)
      if (Array.isArray(result)) return result
      const at = replies.findIndex((reply) => reply instanceof ReplyError)
      const cause = replies[at]
      if (!(cause instanceof ReplyError)) throw new StoreRejectedError('EXEC', 'null')
      // EXECABORT: nothing ran, so a moved transaction may go once more.
      if (!cluster || left === 0 || !REDIRECT.test(cause.message)) {
        throw new StoreRejectedError(String(framed[at]?.args[0]), cause.word, { maybeExecuted: at === 0 })
      }
      known = await follow(cause, left)
      asking = known && cause.word === 'ASK' ? [ASKING] : []
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
    const signal = call?.signal
    const deadline = call?.deadline
    if (signal?.aborted) return Promise.reject(signal.reason)
    const progress = start(call)
    const work = run(task, progress)
    if (!signal && deadline === undefined) return work
    return new Promise((resolve, reject) => {
      // The reply that comes later still takes its own place on the connection: ioredis keeps the command queued.
      const end = (): void => {
        progress.over = true
        cancel?.()
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = (): void => {
        end()
        reject(signal?.reason)
      }
      const cancel =
        deadline === undefined
          ? undefined
          : setTimer(() => {
              reject(late(progress))
              end()
            }, deadline - now())
      signal?.addEventListener('abort', onAbort)
      work.then(
        (value) => {
          end()
          resolve(value)
        },
        (error) => {
          end()
          reject(error)
        },
      )
    })
  }

  async function* scan(pattern: string, call?: Call): AsyncGenerator<string> {
    const nodes = await within(call, () => (cluster ? (client.nodes?.('master') ?? []) : [client]))
    for (const node of nodes) {
      let cursor = '0'
      do {
        const command: Command = { args: ['SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000], effect: 'read' }
        const reply = await within(call, async (progress) => {
          await open(node)
          return write(node, [command], false, progress)[0] as Promise<Wire>
        })
        if (!Array.isArray(reply)) throw new StoreRejectedError('SCAN', (reply as ReplyError).word)
        cursor = String(reply[0])
        yield* reply[1] as string[]
      } while (cursor !== '0')
    }
  }

  const subscriber = createSubscriber(client)

  const one =
    ({ bytes }: Call = {}, command: Command): Task<Wire> =>
    (progress) =>
      each([command], bytes === true, progress)[0] as Promise<Wire>
  const all =
    ({ bytes }: Call = {}, commands: readonly Command[]): Task<readonly Wire[]> =>
    (progress) =>
      Promise.all(each(commands, bytes === true, progress)).catch((error: unknown) => {
        // One node failed: what waits for another is not written any more, what was written may have run.
        progress.over = true
        throw progress.sent && commands.length > 1 ? sentInPart(error) : error
      })

  const transport: Transport = {
    cluster,
    send: (command, call) => within(call, one(call, command)),
    sendMany: (commands, call) => within(call, all(call, commands)),
    transaction: (commands, call) => within(call, (progress) => exec(commands, call?.bytes === true, progress)),
    subscribe: (channel, onMessage, onGap) =>
      run(() => subscriber.subscribe(channel, onMessage, onGap), start(undefined)),
    async close() {
      if (closed) return
      closed = true
      subscriber.close()
      client.off('ready', onReady)
      client.off('node error', onError)
      // QUIT lets what is under way be answered; a server that does not answer it is left after a second.
      if (owned) {
        if (client.status === 'ready') await Promise.race([client.quit(), sleep(1000)]).catch(() => {})
        client.disconnect()
      }
      client.off('error', onError)
    },
  }
  const untimed: Transport = {
    ...transport,
    send(command, call) {
      // Nearly every call goes this way, without what only the others need.
      const deadline = call?.deadline ?? Number.POSITIVE_INFINITY
      const ready = !cluster && !closed && client.status === 'ready' && deadline > now()
      if (!ready) return run(one(call, command), start(call))
      try {
        return exchange(client, command.args, call?.bytes === true)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    sendMany: (commands, call) => run(all(call, commands), start(call)),
  }
  const sendEach: SendEach = (commands, call, onReply, onError) => {
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

function isReply(error: unknown): error is Error {
  return (error as Error | undefined)?.name === 'ReplyError'
}

function late(progress: Progress): HitherError {
  return new HitherError(
    'TIMEOUT',
    progress.sent ? 'no reply before the deadline' : 'no connection before the deadline',
    {
      retryable: true,
      maybeExecuted: progress.sent,
    },
  )
}

function sentInPart(error: unknown): unknown {
  if (!(error instanceof HitherError) || error.maybeExecuted) return error
  const { code, message, retryable } = error
  return new HitherError(code, message, { cause: error, retryable, maybeExecuted: true })
}

/** What ended a command without an answer. No cause that carries arguments (ioredis hangs them on) is passed on. */
function lost(error: unknown, sent: boolean, status: string): HitherError {
  const text = error instanceof Error ? error.message : ''
  const maybeExecuted = sent && !UNSENT.test(text)
  const cause = error instanceof Error && !('command' in error) ? { cause: error } : {}
  if (text === 'Command timed out') {
    return new HitherError('TIMEOUT', "no reply within the client's commandTimeout", { retryable: true, maybeExecuted })
  }
  if (isReply(error)) {
    if (/^(NOAUTH|WRONGPASS|NOPERM|ERR (invalid password|.*AUTH))/.test(text)) {
      return new HitherError('UNAUTHORIZED', 'the server refused the credentials: check user name and password')
    }
    return new HitherError('STORE_UNAVAILABLE', `the server refused the connection: ${new ReplyError(text).word}`)
  }
  if (/protocol error|unknown RESP|reply type/i.test(text)) {
    return new HitherError('BAD_REPLY', 'what answers there does not speak the Redis protocol: check host and port', {
      ...cause,
      maybeExecuted,
    })
  }
  const code = (error as { code?: unknown } | undefined)?.code
  const reason = typeof code === 'string' ? code : `client status: ${status}`
  return new HitherError(
    'STORE_UNAVAILABLE',
    maybeExecuted
      ? `the connection ended before the reply (${reason})`
      : `not connected (${reason}): check that the server runs and host and port are right`,
    { ...cause, retryable: status !== 'end', maybeExecuted },
  )
}

/** A reply as it came, with error values and plain byte arrays in place of the client's own. */
function toWire(reply: unknown): Wire {
  if (Array.isArray(reply)) {
    for (const item of reply) if (typeof item === 'object' && item !== null) return reply.map(toWire)
    return reply as Wire[]
  }
  if (typeof reply === 'object' && reply !== null) {
    if (reply instanceof Uint8Array) return new Uint8Array(reply.buffer, reply.byteOffset, reply.byteLength)
    if (reply instanceof Error) return new ReplyError(reply.message)
  }
  return (typeof reply === 'boolean' ? Number(reply) : (reply ?? null)) as Wire
}

/** As `toWire`, of a client with `stringNumbers`: what is no bytes is an integer, and a bigint beyond 2^53. */
function toExact(reply: unknown, bytes: boolean): Wire {
  if (Array.isArray(reply)) return reply.map((item) => toExact(item, bytes))
  if (reply instanceof Uint8Array && !bytes) return (reply as Buffer).toString()
  if (typeof reply !== 'string') return toWire(reply)
  const number = Number(reply)
  return Number.isSafeInteger(number) ? number : BigInt(reply)
}
