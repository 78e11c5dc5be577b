import { Buffer } from 'node:buffer'
import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { type Command, type Exclusive, ReplyError, type Transport, type Wire } from '../../src/store/transport.ts'

type TypeMapping = Readonly<Record<number, unknown>>

/** A client of `redis` 5 or 6, whatever its modules and types of replies. */
export interface NodeRedisLike {
  readonly isOpen: boolean
  readonly isReady: boolean
  sendCommand(...args: never[]): Promise<unknown>
  duplicate(...args: never[]): unknown
}

/** What is used of it. */
interface Peer {
  readonly isOpen: boolean
  readonly isReady: boolean
  readonly options?: object | undefined
  sendCommand(args: readonly (string | Buffer)[], options?: { readonly typeMapping?: TypeMapping }): Promise<unknown>
  duplicate(overrides?: object): Peer
  connect(): Promise<unknown>
  subscribe(channel: string, listener: (message: string) => unknown): Promise<unknown>
  unsubscribe(channel: string, listener: (message: string) => unknown): Promise<unknown>
  on(event: string, listener: (...args: never[]) => void): unknown
  destroy(): void
}

/** Reply types by their first byte: what RESP3 tells apart comes in the shape that RESP2 gives it. */
const PLAIN: TypeMapping = { 35: Boolean, 37: Array, 40: String, 44: String, 58: Number, 61: String, 126: Array }
const BYTES: TypeMapping = { ...PLAIN, 36: Buffer, 43: String, 61: Buffer }

/** Commands with which the connection is no longer what its other users expect. */
const NOT_SHARED = /^(MULTI|EXEC|DISCARD|WATCH|UNWATCH|HELLO|AUTH|SELECT|RESET|QUIT|MONITOR|[PS]?(UN)?SUBSCRIBE)$/

export interface NodeRedisTransport extends Transport {
  readonly exclusive: NonNullable<Transport['exclusive']>
  readonly subscribe: NonNullable<Transport['subscribe']>
}

/**
 * The raw way to a server through a borrowed client of node-redis, connected by whoever made it. Commands of one call are
 * written together. Throws `UNSAFE_CLIENT` for one that keeps commands while it is not connected: they would run when
 * nobody waits for them any more.
 */
export function nodeRedisTransport(borrowed: NodeRedisLike): NodeRedisTransport {
  const client = borrowed as unknown as Peer
  check(client)
  let closed = false
  const own = new Set<Peer>()
  const enter = ({ signal }: { readonly signal?: AbortSignal } = {}): void => {
    if (signal?.aborted) throw signal.reason
    if (closed) throw new HitherError('CLOSED', 'the transport is closed')
  }
  /** A connection beside the client's, with the same options. */
  const open = async (): Promise<Peer> => {
    const made = client.duplicate()
    made.on('error', () => {})
    own.add(made)
    await made.connect().catch((error: unknown) => {
      own.delete(made)
      throw lost(error)
    })
    return made
  }
  const end = (made: Peer): void => {
    if (own.delete(made) && made.isOpen) made.destroy()
  }

  return {
    async send(command, call) {
      enter(call)
      return write(client, [command], call?.bytes === true, true)[0] as Promise<Wire>
    },
    async sendMany(commands, call) {
      enter(call)
      const replies = write(client, commands, call?.bytes === true, true)
      return Promise.all(replies.map((reply, at) => reply.then((value) => call?.onReply?.(value, at) ?? value)))
    },
    async transaction(commands, call) {
      enter(call)
      return exec(client, commands, call?.bytes === true)
    },
    async exclusive(call): Promise<Exclusive> {
      enter(call)
      const made = await open()
      return {
        send: (command, options) => write(made, [command], options?.bytes === true, false)[0] as Promise<Wire>,
        transaction: (list, options) => exec(made, list, options?.bytes === true),
        release: () => end(made),
      }
    },
    async subscribe(channel, onMessage, onGap) {
      enter()
      const made = await open()
      for (const event of ['reconnecting', 'ready', 'end']) made.on(event, () => onGap?.())
      await made.subscribe(channel, onMessage)
      return async () => end(made)
    },
    async close() {
      closed = true
      for (const made of own) end(made)
    },
  }
}

/** Writes commands one after another, nothing between them. An error reply is a value. */
function write(client: Peer, commands: readonly Command[], bytes: boolean, isShared: boolean): Promise<Wire>[] {
  return commands.map(({ args }) => {
    const name = String(args[0])
    if (isShared && NOT_SHARED.test(name)) {
      return Promise.reject(new HitherError('UNSUPPORTED', `${name} needs a connection of its own`))
    }
    if (!client.isReady) return Promise.reject(lost(undefined, false))
    const words = args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg) : String(arg)))
    return client.sendCommand(words, { typeMapping: bytes ? BYTES : PLAIN }).then(toWire, (error: unknown) => {
      if (isReply(error)) return new ReplyError(error.message)
      throw lost(error)
    })
  })
}

async function exec(client: Peer, commands: readonly Command[], bytes: boolean): Promise<readonly Wire[]> {
  const framed: Command[] = [{ args: ['MULTI'], effect: 'read' }, ...commands, { args: ['EXEC'], effect: 'once' }]
  const replies = await Promise.all(write(client, framed, bytes, false))
  const result = replies.at(-1)
  if (Array.isArray(result)) return result
  const at = replies.findIndex((reply) => reply instanceof ReplyError)
  const cause = replies[at]
  if (!(cause instanceof ReplyError)) throw new StoreRejectedError('EXEC', 'null')
  throw new StoreRejectedError(String(framed[at]?.args[0]), cause, { maybeExecuted: at === 0 })
}

function check(client: Peer): void {
  const what = client as Partial<Peer> | undefined
  if (typeof what?.sendCommand !== 'function' || typeof what.duplicate !== 'function') {
    throw new HitherError('INVALID_ARGUMENT', 'nodeRedisStore takes a client of redis 5 or 6, not its promise')
  }
  const { disableOfflineQueue } = (what.options ?? {}) as { readonly disableOfflineQueue?: boolean }
  if (disableOfflineQueue !== true) {
    throw new HitherError(
      'UNSAFE_CLIENT',
      'make the client with disableOfflineQueue: true: createClient({ disableOfflineQueue: true })',
    )
  }
}

/** What the server answered, by the class of the client's errors: there are several copies of it. */
function isReply(error: unknown): error is Error {
  for (let at = error as object | null; at; at = Object.getPrototypeOf(at)) {
    if (/^(ErrorReply|SimpleError|BlobError)$/.test(at.constructor?.name ?? '')) return true
  }
  return false
}

function lost(
  cause: unknown,
  maybeExecuted: boolean = !/^ClientOffline|^ClientClosed/.test(nameOf(cause)),
): HitherError {
  return new HitherError('STORE_UNAVAILABLE', 'the client is not connected, see cause', {
    cause,
    retryable: !maybeExecuted,
    maybeExecuted,
  })
}

const nameOf = (error: unknown): string => (error as Error | undefined)?.constructor?.name ?? ''

function toWire(reply: unknown): Wire {
  if (Array.isArray(reply)) return reply.map(toWire)
  if (isReply(reply)) return new ReplyError(reply.message)
  if (typeof reply === 'boolean') return Number(reply)
  return (reply ?? null) as Wire
}
