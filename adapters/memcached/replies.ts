import { decodeText } from '#socket'
import { HitherError } from '../../src/errors.ts'

/** One reply; what it points to is valid until the reader is given more. */
export interface Reply {
  /** Its first word, such as `HD`, `VA` or `CLIENT_ERROR`. */
  readonly code: string
  readonly line: string
  /** Where the value lies, for `VA`; else both are 0. */
  readonly bytes: Uint8Array
  readonly from: number
  readonly to: number
}

/** Far above the longest line of the meta protocol: a key of 250 bytes and some numbers. */
const MAX_LINE = 2048
const NOTHING = new Uint8Array(0)

/** Cuts what comes from the server into replies. The reader throws `BAD_REPLY` for what is none. */
export function createReplyReader(maxBytes: number, onReply: (reply: Reply) => void): (chunk: Uint8Array) => void {
  let buffer: Uint8Array = NOTHING
  /** Of the value that is being awaited: how many bytes have to be there before it is worth another look. */
  let wanted = 0
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  return (chunk) => {
    pending.push(chunk)
    pendingBytes += chunk.length
    if (buffer.length + pendingBytes < wanted) return
    if (buffer.length === 0 && pending.length === 1) buffer = chunk
    else {
      const whole = new Uint8Array(buffer.length + pendingBytes)
      let at = 0
      for (const part of [buffer, ...pending]) {
        whole.set(part, at)
        at += part.length
      }
      buffer = whole
    }
    pending = []
    pendingBytes = wanted = 0
    let at = 0
    while (at < buffer.length) {
      const end = buffer.indexOf(10, at)
      if (end < 0) {
        if (buffer.length - at > MAX_LINE) throw bad('its line does not end')
        break
      }
      const line = decodeText(buffer, at, end - 1)
      const space = line.indexOf(' ')
      const code = space < 0 ? line : line.slice(0, space)
      let next = end + 1
      let size = 0
      if (code === 'VA') {
        size = Number.parseInt(line.slice(3), 10)
        if (!(size >= 0 && size <= maxBytes)) throw bad('its value has no length, or too large a one')
        next += size + 2
        if (next > buffer.length) {
          wanted = next - at
          break
        }
      }
      onReply({ code, line, bytes: buffer, from: end + 1, to: end + 1 + size })
      at = next
    }
    buffer = at === buffer.length ? NOTHING : buffer.subarray(at)
  }
}

function bad(what: string): HitherError {
  return new HitherError('BAD_REPLY', `memcached's reply makes no sense: ${what}`)
}
