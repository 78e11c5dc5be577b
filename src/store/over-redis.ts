import { StoreRejectedError } from '../errors.ts'
import type { Call } from './call.ts'
import { type Command, ReplyError, type Transport, type Wire } from './transport.ts'

type Send = Transport['send']

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
 * What EXEC answered, given the commands that `inTransaction` returned and the reply to each: a list, or the error that
 * the whole is refused with and the reply that is to blame. That is none where a watched key has changed.
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
  // Where MULTI itself was refused, what followed ran one by one. Replies that are too large were made by a transaction
  // that ran. Any other refusal makes EXEC answer EXECABORT: nothing ran.
  const maybeExecuted = at === 0 || blamed.word === 'TOOLARGE'
  return { error: new StoreRejectedError(String(framed[at]?.args[0]), blamed, { maybeExecuted }), blamed }
}

/** Bytes of a reply on the wire, about. */
export function replySize(reply: Wire): number {
  if (Array.isArray(reply)) return reply.reduce<number>((sum, part) => sum + replySize(part), 16)
  return typeof reply === 'string' || reply instanceof Uint8Array ? reply.length + 16 : 16
}

/** Whether TRYAGAIN was said of a command whose keys may be asked for one by one. */
export function isSplit(reply: ReplyError, { args }: Command): boolean {
  return reply.word === 'TRYAGAIN' && /^(MGET|UNLINK|DEL)$/.test(String(args[0]))
}

/**
 * MGET, UNLINK or DEL key by key: of a hash slot that is half moved the keys are together on no node, and each alone is on
 * one. The reply is that of the whole, or the first refusal.
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
