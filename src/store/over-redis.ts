import { StoreRejectedError } from '../errors.ts'
import { checkSignal } from '../protocol/arguments.ts'
import { type Call, withDeadline } from './call.ts'
import { type Command, ReplyError, type Transport, type Wire } from './transport.ts'

type Send = Transport['send']

/** As `send`, but a call that names no deadline has one of `timeoutMs` from its sending. */
export function timed(send: Send, timeoutMs?: number): Send {
  return async (command, call) => {
    checkSignal(call?.signal)
    return send(command, withDeadline(call, timeoutMs))
  }
}

/** Keys of one server that match a glob pattern: unordered, may repeat. Rejects with `STORE_REJECTED`, and as `send`. */
export async function* scanKeys(send: Send, pattern: string, call?: Call): AsyncGenerator<string> {
  let cursor = '0'
  do {
    const args = ['SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000]
    const reply = await send({ args, effect: 'read' }, call)
    if (!Array.isArray(reply)) throw new StoreRejectedError('SCAN', reply as ReplyError)
    cursor = String(reply[0])
    yield* reply[1] as string[]
  } while (cursor !== '0')
}

/** Resolves to the number of receivers the server knows of. Never sent twice. */
export async function publish(send: Send, channel: string, message: string, call?: Call): Promise<number> {
  const reply = await send({ args: ['PUBLISH', channel, message], effect: 'once' }, call)
  if (reply instanceof ReplyError) throw new StoreRejectedError('PUBLISH', reply)
  return Number(reply)
}

/** `commands` within MULTI and EXEC. */
export function inTransaction(commands: readonly Command[]): Command[] {
  return [{ args: ['MULTI'], effect: 'read' }, ...commands, { args: ['EXEC'], effect: 'once' }]
}

/**
 * Reads EXEC's reply, given the commands that `inTransaction` returned and the reply to each. Returns the list of replies,
 * or the error of a transaction that was refused and the reply that caused it, `blamed`. That reply is absent if a watched
 * key has changed.
 */
export function readExec(
  framed: readonly Command[],
  replies: readonly Wire[],
): readonly Wire[] | { readonly error: StoreRejectedError; readonly blamed?: ReplyError } {
  const result = replies.at(-1)
  if (Array.isArray(result)) return result
  const at = replies.findIndex((reply) => reply instanceof ReplyError)
  const blamed = replies[at]
  if (!(blamed instanceof ReplyError)) return { error: new StoreRejectedError('EXEC', 'null') }
  // If MULTI itself was refused, the commands after it ran one by one. If a reply is too large, the transaction ran. After any
  // other refusal EXEC replies EXECABORT: nothing ran.
  const maybeExecuted = at === 0 || blamed.word === 'TOOLARGE'
  return { error: new StoreRejectedError(String(framed[at]?.args[0]), blamed, { maybeExecuted }), blamed }
}

/** Bytes of a reply on the wire, roughly. */
export function replySize(reply: Wire): number {
  if (Array.isArray(reply)) return reply.reduce<number>((sum, part) => sum + replySize(part), 16)
  return typeof reply === 'string' || reply instanceof Uint8Array ? reply.length + 16 : 16
}

/** Whether the reply is TRYAGAIN to a command that may be sent once per key instead. */
export function isSplit(reply: ReplyError, { args }: Command): boolean {
  return reply.word === 'TRYAGAIN' && /^(MGET|UNLINK|DEL)$/.test(String(args[0]))
}

/**
 * Sends MGET, UNLINK or DEL once per key. While a hash slot moves, its keys may be on two nodes, and neither can run a command
 * over all of them; each key is on one node. Resolves to the reply to the whole command, or to the first refusal.
 */
export async function keyByKey(
  { args, effect }: Command,
  send: (commands: readonly Command[]) => readonly Promise<Wire>[],
): Promise<Wire> {
  const [name, ...keys] = args
  const verb = name === 'MGET' ? 'GET' : (name as string)
  const replies = await Promise.all(send(keys.map((key): Command => ({ args: [verb, key], effect }))))
  const refused = replies.find((reply) => reply instanceof ReplyError && reply.word !== 'WRONGTYPE')
  if (refused !== undefined) return refused
  if (verb === 'GET') return replies.map((reply) => (reply instanceof ReplyError ? null : reply))
  return replies.reduce<number>((sum, reply) => sum + Number(reply), 0)
}
