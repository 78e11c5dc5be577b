import type { Buffer } from 'node:buffer'
import { replySize } from '../../src/store/over-redis.ts'
import { ReplyError, type Wire } from '../../src/store/transport.ts'
import type { Progress } from './progress.ts'

/** Most bytes that are kept of the replies to one `sendMany`. */
const MAX_CALL_BYTES = 64 * 1024 * 1024

/** A reply as it came, with error values and plain byte arrays in place of the client's own. */
export function toWire(reply: unknown): Wire {
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

/** As `toWire`, for a client with `stringNumbers`: a reply that is not bytes is an integer, as bigint beyond 2^53. */
export function toExact(reply: unknown, bytes: boolean): Wire {
  if (Array.isArray(reply)) return reply.map((item) => toExact(item, bytes))
  if (reply instanceof Uint8Array && !bytes) return (reply as Buffer).toString()
  if (typeof reply !== 'string') return toWire(reply)
  const number = Number(reply)
  return Number.isSafeInteger(number) ? number : BigInt(reply)
}

/** Decides what is kept of each reply to one call: nothing once the call is over, and `MAX_CALL_BYTES` in all before. */
export function holding(progress: Progress): (reply: Wire) => Wire {
  let held = 0
  return (reply) => {
    if (progress.over) return null
    held += replySize(reply)
    if (held <= MAX_CALL_BYTES) return reply
    return new ReplyError(`TOOLARGE the replies of one call are more than ${MAX_CALL_BYTES} bytes together`)
  }
}
