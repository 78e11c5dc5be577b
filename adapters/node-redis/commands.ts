import { Buffer } from 'node:buffer'
import { HitherError } from '../../src/errors.ts'
import { checkLimit, limitOf, onLimit } from '../../src/runtime/deadline.ts'
import type { Call } from '../../src/store/call.ts'
import { inTransaction, isSplit, keyByKey, readExec } from '../../src/store/over-redis.ts'
import { type Command, ReplyError, type Wire } from '../../src/store/transport.ts'
import type { Peer, Servers, TypeMapping } from './peer.ts'

/** Reply types by their first byte: the types that only RESP3 has are mapped to their RESP2 form. */
export const PLAIN: TypeMapping = { 35: Boolean, 37: Array, 40: String, 44: String, 58: Number, 61: String, 126: Array }
const BYTES: TypeMapping = { ...PLAIN, 36: Buffer, 43: String, 61: Buffer }

/** Commands that change the state of the connection for its other users. */
const NOT_SHARED = /^(MULTI|EXEC|DISCARD|WATCH|UNWATCH|HELLO|AUTH|SELECT|RESET|QUIT|MONITOR|[PS]?(UN)?SUBSCRIBE)$/

/** Rejects at the limit of the call, for what no store above watches: all but the commands that a store sends in batches. */
export async function inTime<T>(call: Call | undefined, maybeExecuted: boolean, run: () => Promise<T>): Promise<T> {
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
export type Target = Pick<Servers, 'send' | 'isOpen' | 'isReady'>

export function targetOf(client: Peer, servers: Servers): Target & { readonly client: Peer } {
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

export function refusalOf({ args }: Command): HitherError | undefined {
  const name = String(args[0])
  return NOT_SHARED.test(name) ? new HitherError('UNSUPPORTED', `${name} needs a connection of its own`) : undefined
}

/**
 * Whose commands are written: of a connection that others use too, where those that change its state are refused; of a batch that
 * has been checked; or of a connection that nobody else uses, such as those of a transaction, of which none may be sent again alone.
 */
export type Use = 'shared' | 'checked' | 'own'

/** Writes commands one after another, with nothing between them. An error reply is a value. */
export function write(to: Target, commands: readonly Command[], bytes: boolean, use: Use): Promise<Wire>[] {
  return commands.map((command) => {
    const refused = use === 'shared' ? refusalOf(command) : undefined
    if (refused || !to.isReady) return Promise.reject(refused ?? lost(to, undefined, false))
    const words = command.args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg) : String(arg)))
    return to.send(words, { typeMapping: bytes ? BYTES : PLAIN }).then(toWire, (error: unknown) => {
      if (!isReply(error)) throw lost(to, error)
      const reply = new ReplyError(error.message)
      const isWhole = use === 'own' || !isSplit(reply, command)
      return isWhole ? reply : keyByKey(command, (each) => write(to, each, bytes, use))
    })
  })
}

export async function exec(
  to: Target,
  commands: readonly Command[],
  bytes: boolean,
  before: readonly Command[] = [],
): Promise<ReturnType<typeof readExec>> {
  const framed = inTransaction(commands)
  const replies = await Promise.all(write(to, [...before, ...framed], bytes, 'own'))
  return readExec(framed, replies.slice(before.length))
}

export function ran(result: ReturnType<typeof readExec>): readonly Wire[] {
  if ('error' in result) throw result.error
  return result
}

/** Whether the error is an error reply. Compares class names, since the client's package may be loaded more than once. */
export function isReply(error: unknown): error is Error {
  for (let at = error as object | null; at; at = Object.getPrototypeOf(at)) {
    if (/^(ErrorReply|SimpleError|BlobError)$/.test(at.constructor?.name ?? '')) return true
  }
  return false
}

/** The error of a command that got no reply. It is not retryable if the owner has closed the client. */
export function lost(
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
