import { toBase64 } from '../protocol/base64.ts'
import { ReplyError, type Wire } from '../store/transport.ts'

/** One reply in Upstash's JSON. */
export type Item = { readonly result: unknown } | { readonly error: string }

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/** `{ result }`, or `{ error }` with the server's own text. */
export function toItem(reply: Wire, base64: boolean): Item {
  if (reply instanceof ReplyError) return { error: reply.message }
  // OK stays bare only as the whole result. Inside an array a client would decode it from base64 to garbage.
  if (isText(reply) && textOf(reply) === 'OK') return { result: 'OK' }
  return { result: toJson(reply, base64) }
}

/** A reply as a JSON value. */
export function toJson(reply: Wire, base64: boolean): unknown {
  if (reply === null) return null
  if (reply instanceof ReplyError) return { error: reply.message }
  // A JSON number is exact up to 2^53. A larger one becomes a text with all its digits.
  if (typeof reply === 'number') return Number.isSafeInteger(reply) ? reply : encode(String(reply), base64)
  if (typeof reply === 'bigint') {
    const number = Number(reply)
    return Number.isSafeInteger(number) ? number : encode(String(reply), base64)
  }
  if (isText(reply)) return encode(reply, base64)
  return reply.map((part) => toJson(part, base64))
}

export function isText(reply: Wire): reply is string | Uint8Array {
  return typeof reply === 'string' || reply instanceof Uint8Array
}

function textOf(text: string | Uint8Array): string {
  return typeof text === 'string' ? text : utf8.decode(text)
}

function encode(text: string | Uint8Array, base64: boolean): string {
  if (!base64) return textOf(text)
  return toBase64(typeof text === 'string' ? encoder.encode(text) : text)
}
