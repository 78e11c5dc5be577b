import { type Command, HitherError, isHitherError, ReplyError, StoreRejectedError, type Wire } from 'hither'

// The messages between a Worker and a Durable Object. Only plain data can pass between them.

/** A call of a Worker. */
export interface RedisCall {
  readonly way: 'send' | 'sendMany' | 'transaction'
  readonly commands: readonly Command[]
  readonly bytes: boolean
  /** How long the caller waits, in milliseconds; absent: without a limit. */
  readonly patienceMs?: number
}

/** As `Wire`, with error replies as plain data. */
export type PlainReply =
  | null
  | string
  | number
  | bigint
  | Uint8Array
  | { readonly error: string }
  | readonly PlainReply[]

export type RedisAnswer =
  | { readonly replies: readonly PlainReply[] }
  | {
      readonly fault: Pick<HitherError, 'code' | 'message' | 'retryable' | 'maybeExecuted'>
      /** For a transaction that was refused: the command, and the first word of its reply. */
      readonly rejected?: readonly [command: string, reply: string]
    }

export function toPlain(reply: Wire): PlainReply {
  if (reply instanceof ReplyError) return { error: reply.message }
  return Array.isArray(reply) ? reply.map(toPlain) : (reply as PlainReply)
}

function fromPlain(reply: PlainReply): Wire {
  if (Array.isArray(reply)) return reply.map(fromPlain)
  return reply !== null && typeof reply === 'object' && 'error' in reply
    ? new ReplyError(String(reply.error))
    : (reply as Wire)
}

/** The error as plain data. Rethrows an error that is not hither's. */
export function toFault(error: unknown): RedisAnswer {
  if (!isHitherError(error)) throw error
  const { code, message, retryable, maybeExecuted } = error
  const rejected = error instanceof StoreRejectedError ? ([error.command, error.reply] as const) : undefined
  return { fault: { code, message, retryable, maybeExecuted }, ...(rejected ? { rejected } : {}) }
}

/** Returns the replies, or throws the error that the object met. */
export function repliesOf(answer: RedisAnswer): readonly Wire[] {
  if ('replies' in answer) return answer.replies.map(fromPlain)
  const { fault, rejected } = answer
  const { code, message, ...options } = fault
  // The word alone does not say all that the code and the message were made of.
  throw rejected
    ? Object.assign(new StoreRejectedError(...rejected, options), { code, message })
    : new HitherError(code, message, options)
}
