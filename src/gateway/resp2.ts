import { concat } from '../protocol/bytes.ts'
import { ReplyError, type Wire } from '../store/transport.ts'

type Add = (part: string | Uint8Array) => void
const utf8 = new TextEncoder()

/** A whole reply as RESP2. */
export function toResp2(reply: Wire): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = []
  writeResp2(reply, (part) => parts.push(typeof part === 'string' ? utf8.encode(part) : part))
  return concat(parts)
}

/** Writes a whole reply as RESP2, part by part. A reply of OK is written as a status. */
export function writeResp2(reply: Wire, add: Add): void {
  const isOk =
    reply === 'OK' || (reply instanceof Uint8Array && reply.length === 2 && reply[0] === 79 && reply[1] === 75)
  if (isOk) add('+OK\r\n')
  else write(reply, add)
}

function write(reply: Wire, add: Add): void {
  if (reply === null) add('$-1\r\n')
  else if (reply instanceof ReplyError) add(`-${reply.message.replace(/[\r\n]+/g, ' ')}\r\n`)
  else if (typeof reply === 'number' || typeof reply === 'bigint') add(`:${reply}\r\n`)
  else if (typeof reply === 'string') write(utf8.encode(reply), add)
  else if (reply instanceof Uint8Array) {
    add(`$${reply.length}\r\n`)
    add(reply)
    add('\r\n')
  } else {
    add(`*${reply.length}\r\n`)
    for (const part of reply) write(part, add)
  }
}
