import { ReplyError, type Wire } from '../store/transport.ts'

type Parts = (string | Uint8Array)[]
const utf8 = new TextEncoder()

/** A reply as RESP2; of a pipeline, the array of its replies. The OK of a whole reply is taken for a status. */
export function toResp2(reply: Wire, isPipeline: boolean): Uint8Array<ArrayBuffer> {
  const parts: Parts = []
  if (!isPipeline) writeWhole(reply, parts)
  else {
    parts.push(`*${(reply as readonly Wire[]).length}\r\n`)
    for (const each of reply as readonly Wire[]) writeWhole(each, parts)
  }
  const bytes = parts.map((part) => (typeof part === 'string' ? utf8.encode(part) : part))
  const whole = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of bytes) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function writeWhole(reply: Wire, parts: Parts): void {
  const isOk =
    reply === 'OK' || (reply instanceof Uint8Array && reply.length === 2 && reply[0] === 79 && reply[1] === 75)
  if (isOk) parts.push('+OK\r\n')
  else write(reply, parts)
}

function write(reply: Wire, parts: Parts): void {
  if (reply === null) parts.push('$-1\r\n')
  else if (reply instanceof ReplyError) parts.push(`-${reply.message.replace(/[\r\n]+/g, ' ')}\r\n`)
  else if (typeof reply === 'number' || typeof reply === 'bigint') parts.push(`:${reply}\r\n`)
  else if (typeof reply === 'string') write(utf8.encode(reply), parts)
  else if (reply instanceof Uint8Array) parts.push(`$${reply.length}\r\n`, reply, '\r\n')
  else {
    parts.push(`*${reply.length}\r\n`)
    for (const part of reply) write(part, parts)
  }
}
