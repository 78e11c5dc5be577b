import { decodeText } from '#socket'
import { HitherError } from '../../src/errors.ts'

/** One reply; what it points to is valid until the reader is given more, and itself until the next reply. */
export interface Reply {
  /** Its first word, such as `HD`, `VA` or `CLIENT_ERROR`. */
  readonly code: string
  readonly bytes: Uint8Array
  /** Where its line lies. */
  readonly start: number
  readonly end: number
  /** Where the value lies, for `VA`; else both are behind the line. */
  readonly from: number
  readonly to: number
}

/** Far above the longest line of the meta protocol: a key of 250 bytes and some numbers. */
const MAX_LINE = 2048
const NOTHING = new Uint8Array(0)
const V = 86
const A = 65
const SPACE = 32
const ZERO = 48
const NINE = 57

/** Cuts what comes from the server into replies. The reader throws `BAD_REPLY` for what is none. */
export function createReplyReader(maxBytes: number, onReply: (reply: Reply) => void): (chunk: Uint8Array) => void {
  let buffer: Uint8Array = NOTHING
  /** Of the value that is being awaited: how many bytes have to be there before it is worth another look. */
  let wanted = 0
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  const reply = { code: '', bytes: buffer, start: 0, end: 0, from: 0, to: 0 }
  return (chunk) => {
    pending.push(chunk)
    pendingBytes += chunk.length
    if (buffer.length + pendingBytes < wanted) return
    if (buffer.length === 0 && pending.length === 1) buffer = chunk
    else buffer = joined([buffer, ...pending], buffer.length + pendingBytes)
    pending = []
    pendingBytes = wanted = 0
    let at = 0
    while (at < buffer.length) {
      const end = buffer.indexOf(10, at)
      if (end < 0) {
        if (buffer.length - at > MAX_LINE) throw bad('its line does not end')
        break
      }
      const isValue = buffer[at] === V && buffer[at + 1] === A && buffer[at + 2] === SPACE
      let next = end + 1
      reply.bytes = buffer
      reply.start = at
      reply.end = end - 1
      reply.from = reply.to = next
      if (isValue) {
        const size = numberAt(buffer, at + 3)
        if (!(size >= 0 && size <= maxBytes)) throw bad('its value has no length, or too large a one')
        next += size + 2
        if (next > buffer.length) {
          wanted = next - at
          break
        }
        reply.to += size
      }
      reply.code = isValue ? 'VA' : wordOf(reply)
      onReply(reply)
      at = next
    }
    buffer = at === buffer.length ? NOTHING : buffer.subarray(at)
  }
}

/** The line of a reply, without its end. */
export function lineOf({ bytes, start, end }: Reply): string {
  return decodeText(bytes, start, end)
}

/** Whether the line ends so; `tail` is ASCII. */
export function endsWith({ bytes, start, end }: Reply, tail: string): boolean {
  let at = end - tail.length
  if (at < start) return false
  for (let i = 0; i < tail.length; i++) if (bytes[at++] !== tail.charCodeAt(i)) return false
  return true
}

/** The client flags of a value that was asked for by ` v f`; -1: it names none. */
export function flagsOf({ bytes, start, end }: Reply): number {
  const at = bytes.indexOf(SPACE, start + 3) + 2
  return at > 1 && at < end && bytes[at - 1] === 102 ? numberAt(bytes, at) : -1
}

/** The digits from here on as a number; -1: there are none. */
function numberAt(bytes: Uint8Array, from: number): number {
  let number = 0
  let at = from
  for (; (bytes[at] as number) >= ZERO && (bytes[at] as number) <= NINE; at++) {
    number = number * 10 + (bytes[at] as number) - ZERO
  }
  return at > from ? number : -1
}

function wordOf(reply: Reply): string {
  const line = lineOf(reply)
  const space = line.indexOf(' ')
  return space < 0 ? line : line.slice(0, space)
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function bad(what: string): HitherError {
  return new HitherError('BAD_REPLY', `memcached's reply makes no sense: ${what}`)
}
