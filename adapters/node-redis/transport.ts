import { Buffer } from 'node:buffer'
import { HitherError, isHitherError, StoreRejectedError } from '../../src/errors.ts'
import { checkSignal } from '../../src/protocol/arguments.ts'
import { jittered, reconnectDelay } from '../../src/runtime/backoff.ts'
import { now, setTimer, sleep } from '../../src/runtime/clock.ts'
import { checkLimit, limitOf, onLimit } from '../../src/runtime/deadline.ts'
import { type Call, withDeadline } from '../../src/store/call.ts'
import { firstKey } from '../../src/store/hash-slot.ts'
import { inTransaction, isSplit, keyByKey, readExec, scanKeys, timed } from '../../src/store/over-redis.ts'
import { partlyRun } from '../../src/store/sum-of.ts'
import {
  type Command,
  type Exclusive,
  ReplyError,
  type SendEach,
  type Transport,
  type Wire,
} from '../../src/store/transport.ts'
import { type NodeRedisLike, type Peer, type Servers, serversOf, type TypeMapping } from './peer.ts'

/** Reply types by their first byte: the types that only RESP3 has are mapped to their RESP2 form. */
const PLAIN: TypeMapping = { 35: Boolean, 37: Array, 40: String, 44: String, 58: Number, 61: String, 126: Array }
const BYTES: TypeMapping = { ...PLAIN, 36: Buffer, 43: String, 61: Buffer }

/** Commands that change the state of the connection for its other users. */
const NOT_SHARED = /^(MULTI|EXEC|DISCARD|WATCH|UNWATCH|HELLO|AUTH|SELECT|RESET|QUIT|MONITOR|[PS]?(UN)?SUBSCRIBE)$/

/** Most redirects that a transaction or a command that waits follows. */
const REDIRECTS = 5
const ASKING: Command = { args: ['ASKING'], effect: 'read' }

/** Longest wait for the connection of a subscription, in milliseconds. */
const OPEN_MS = 5000

type Key = string | Uint8Array | undefined

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
  /** A node of a Cluster may never come back, so a connection for messages is not opened there again, but at any node. */
  const elsewhere = servers.isCluster ? { reconnectStrategy: false } : undefined
  let closed = false
  const own = new Map<Peer, { isConnecting: boolean; readonly ending: AbortController | undefined }>()
  const enter = ({ signal }: { readonly signal?: AbortSignal } = {}): void => {
    if (signal?.aborted) throw signal.reason
    if (closed) throw new HitherError('CLOSED', 'the transport is closed')
  }
  /**
   * Opens a connection beside the client's, with its options and `settings`; on a Cluster, to the node of the key. Rejects at the
   * limit of the call, since the client itself would try for as long as its server is down.
   */
  const open = async (call: Call | undefined, key?: Key, settings?: object, address?: string): Promise<Peer> => {
    enter(call)
    const client = await inTime(call, false, () => servers.clientFor(key, address))
    enter(call)
    if (!client.isReady) throw lost(servers, undefined, false)
    // The client gives all its sockets the same signal: one that reconnects would keep a listener for each.
    const ending = settings && new AbortController()
    const made = client.duplicate(
      ending && { socket: { ...client.options?.socket, ...settings, signal: ending.signal } },
    )
    const state = { isConnecting: !ending, ending }
    made.on('reconnecting', () => {
      state.isConnecting = !ending
    })
    for (const event of ['connect', 'error']) {
      made.on(event, () => {
        state.isConnecting = false
        if (!own.has(made) && made.isOpen) made.destroy()
      })
    }
    own.set(made, state)
    try {
      await inTime(call, false, () => made.connect())
      return made
    } catch (error) {
      end(made)
      throw isHitherError(error) || call?.signal?.aborted ? error : lost(servers, error, false)
    }
  }
  /** It does not reconnect: the server would have forgotten the WATCH, and EXEC would run unguarded. */
  const openOwn = async (call: Call | undefined, key?: Key, address?: string): Promise<ReturnType<typeof targetOf>> =>
    targetOf(await open(call, key, { reconnectStrategy: false }, address), servers)
  const end = (made: Peer): void => {
    const state = own.get(made)
    // A client that is destroyed while it connects forgets its socket, which then stays open: without a signal it is destroyed
    // once it has connected, or failed.
    if (state && made.isOpen && (made.isReady || !state.isConnecting)) made.destroy()
    own.delete(made)
    state?.ending?.abort()
  }

  return {
    async send(command, call) {
      enter(call)
      return write(servers, [command], call?.bytes === true, true)[0] as Promise<Wire>
    },
    async sendMany(commands, call) {
      enter(call)
      const refused = commands.map(refusalOf).find(Boolean)
      if (refused) throw refused
      const isSpread = servers.isCluster && servers.isReady && commands[1]
      const replies = write(servers, commands, call?.bytes === true, false)
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
      write(servers, commands, call.bytes === true, true).forEach((reply, at) => {
        reply.then(
          (value) => onReply(at, value),
          (error) => onError(at, error),
        )
      })
    },
    async transaction(commands, call) {
      enter(call)
      const keyed = commands.find(({ args }) => args.length > 1)
      const run = async (key: Key, address: string | undefined, before: readonly Command[]) =>
        exec(await oneOf(servers, key, address), commands, call?.bytes === true, before)
      return inTime(call, true, async () =>
        ran(
          await redirected(servers, keyed && firstKey(keyed.args), run, (result) => 'error' in result && result.blamed),
        ),
      )
    },
    ...(servers.isCluster && {
      wait(command: Command, call?: Call) {
        const run = async (key: Key, address: string | undefined, before: readonly Command[]): Promise<Wire> => {
          const made = await openOwn(call, key, address)
          try {
            const all = (): Promise<Wire[]> =>
              Promise.all(write(made, [...before, command], call?.bytes === true, false))
            return (await inTime(call, true, all)).at(-1) as Wire
          } finally {
            // If the caller has left, the server could still pop an element for it, and nobody would get it.
            end(made.client)
          }
        }
        return redirected(servers, firstKey(command.args), run, (reply) => reply)
      },
    }),
    async exclusive(call, key) {
      enter(call)
      const made = await openOwn(call, key)
      return {
        send: (command, options) =>
          inTime(options, true, () => write(made, [command], options?.bytes === true, false)[0] as Promise<Wire>),
        transaction: (list, options) =>
          inTime(options, true, async () => ran(await exec(made, list, options?.bytes === true))),
        get ended() {
          return !made.client.isOpen
        },
        release: () => end(made.client),
      }
    },
    async subscribe(channel, onMessage, onGap) {
      enter()
      let made: Peer
      let over = false
      let failures = 0
      const listen = async (): Promise<void> => {
        const peer = await open({ deadline: now() + OPEN_MS }, undefined, elsewhere)
        made = peer
        for (const event of ['reconnecting', 'ready', 'end']) peer.on(event, () => own.has(peer) && onGap?.())
        try {
          await peer.subscribe(channel, onMessage)
        } catch (error) {
          end(peer)
          throw isReply(error)
            ? new StoreRejectedError('SUBSCRIBE', new ReplyError(error.message))
            : lost(servers, error, false)
        }
        if (over) end(peer)
        else if (elsewhere) {
          peer.on('error', () => {
            if (peer.isOpen || !own.has(peer)) return
            end(peer)
            onGap?.()
            listenAgain()
          })
        }
      }
      const listenAgain = (): void => {
        if (over || closed) return
        setTimer(() => {
          listen().then(() => {
            failures = 0
            onGap?.()
          }, listenAgain)
        }, reconnectDelay(failures++))
      }
      await listen()
      return async () => {
        over = true
        end(made)
      }
    },
    async *scan(pattern, call, timeoutMs) {
      checkSignal(call?.signal)
      enter(call)
      for (const client of await inTime(withDeadline(call, timeoutMs), false, () => servers.clients())) {
        const target = targetOf(client, servers)
        const send: Transport['send'] = (command, limits) =>
          inTime(limits, false, () => write(target, [command], false, true)[0] as Promise<Wire>)
        yield* scanKeys(timed(send, timeoutMs), pattern, call)
      }
    },
    async close() {
      closed = true
      for (const made of [...own.keys()]) end(made)
    },
  }
}

/** Rejects at the limit of the call, for what no store above watches: all but the commands that a store sends in batches. */
async function inTime<T>(call: Call | undefined, maybeExecuted: boolean, run: () => Promise<T>): Promise<T> {
  const limit = limitOf(call)
  checkLimit(limit)
  return new Promise((resolve, reject) => {
    const timedOut = (): HitherError =>
      new HitherError('TIMEOUT', 'no reply before the deadline', { retryable: true, maybeExecuted })
    const callOff = onLimit(limit, timedOut, reject)
    run().then(resolve, reject).finally(callOff)
  })
}

/** A server or Cluster that commands are written to. */
type Target = Pick<Servers, 'send' | 'isOpen' | 'isReady'>

function targetOf(client: Peer, servers: Servers): Target & { readonly client: Peer } {
  return {
    client,
    get isOpen() {
      return servers.isOpen
    },
    get isReady() {
      return client.isReady
    },
    send: (args, options) => client.sendCommand(args, options),
  }
}

/** The target of a transaction, which runs on one server: on a Cluster, on the node that has the key. */
async function oneOf(servers: Servers, key: Key, address?: string): Promise<Target> {
  return servers.isCluster ? targetOf(await servers.clientFor(key, address), servers) : servers
}

/**
 * Runs `go` at the node of the key. After MOVED, ASK and TRYAGAIN nothing has run, so `go` runs again; after ASK at the node that
 * the reply names, with `before` in front. `refusalIn` finds the reply in a result.
 */
async function redirected<T>(
  servers: Servers,
  key: Key,
  go: (key: Key, address: string | undefined, before: readonly Command[]) => Promise<T>,
  refusalIn: (result: T) => unknown,
): Promise<T> {
  let address: string | undefined
  for (let left = servers.isCluster ? REDIRECTS : 0; ; left--) {
    const result = await go(key, address, address ? [ASKING] : [])
    const refused = refusalIn(result)
    if (!isRedirect(refused, left)) return result
    address = refused.word === 'ASK' ? refused.message.split(' ')[2] : undefined
    if (refused.word === 'TRYAGAIN') await sleep(jittered(50 * 2 ** (REDIRECTS - left)))
    // By following the redirect itself the client learns of the node, and of a slot that has moved.
    await servers.send(['GET', String(key)], { typeMapping: PLAIN }).catch(() => {})
  }
}

function isRedirect(reply: unknown, left: number): reply is ReplyError {
  return left > 0 && reply instanceof ReplyError && /^(MOVED|ASK|TRYAGAIN)$/.test(reply.word)
}

function refusalOf({ args }: Command): HitherError | undefined {
  const name = String(args[0])
  return NOT_SHARED.test(name) ? new HitherError('UNSUPPORTED', `${name} needs a connection of its own`) : undefined
}

/** Writes commands one after another, with nothing between them. An error reply is a value. */
function write(to: Target, commands: readonly Command[], bytes: boolean, isShared: boolean): Promise<Wire>[] {
  return commands.map((command) => {
    const refused = isShared ? refusalOf(command) : undefined
    if (refused || !to.isReady) return Promise.reject(refused ?? lost(to, undefined, false))
    const words = command.args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg) : String(arg)))
    return to.send(words, { typeMapping: bytes ? BYTES : PLAIN }).then(toWire, (error: unknown) => {
      if (!isReply(error)) throw lost(to, error)
      const reply = new ReplyError(error.message)
      return isSplit(reply, command) ? keyByKey(command, (each) => write(to, each, bytes, isShared)) : reply
    })
  })
}

async function exec(
  to: Target,
  commands: readonly Command[],
  bytes: boolean,
  before: readonly Command[] = [],
): Promise<ReturnType<typeof readExec>> {
  const framed = inTransaction(commands)
  const replies = await Promise.all(write(to, [...before, ...framed], bytes, false))
  return readExec(framed, replies.slice(before.length))
}

function ran(result: ReturnType<typeof readExec>): readonly Wire[] {
  if ('error' in result) throw result.error
  return result
}

/** Whether the error is an error reply. Compares class names, since the client's package may be loaded more than once. */
function isReply(error: unknown): error is Error {
  for (let at = error as object | null; at; at = Object.getPrototypeOf(at)) {
    if (/^(ErrorReply|SimpleError|BlobError)$/.test(at.constructor?.name ?? '')) return true
  }
  return false
}

/** The error of a command that got no reply. It is not retryable if the owner has closed the client. */
function lost(
  { isOpen }: Pick<Peer, 'isOpen'>,
  cause: unknown,
  maybeExecuted: boolean = !/^ClientOffline|^ClientClosed/.test(nameOf(cause)),
): HitherError {
  return new HitherError('STORE_UNAVAILABLE', 'the client is not connected, see cause', {
    cause,
    retryable: isOpen,
    maybeExecuted,
  })
}

const nameOf = (error: unknown): string => (error as Error | undefined)?.constructor?.name ?? ''

function toWire(reply: unknown): Wire {
  if (Array.isArray(reply)) return reply.map(toWire)
  if (isReply(reply)) return new ReplyError(reply.message)
  if (reply instanceof Uint8Array) return new Uint8Array(reply.buffer, reply.byteOffset, reply.byteLength)
  if (typeof reply === 'boolean') return Number(reply)
  return (reply ?? null) as Wire
}
