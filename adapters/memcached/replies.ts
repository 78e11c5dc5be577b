import { decodeText } from '#socket'
import { HitherError } from '../../src/errors.ts'
import { concat } from '../../src/protocol/bytes.ts'
import { OPAQUE_DIGITS } from './encoder.ts'
import type { WireKey } from './wire.ts'

/** A reply without error. The object is valid until the next reply, its bytes until the reader gets the next chunk. */
export interface Reply {
  /** First word of the reply, such as `HD` or `VA`. */
  readonly code: string
  readonly bytes: Uint8Array
  /** Where the value lies, for `VA`. For other codes both are the offset after the line. */
  readonly from: number
  readonly to: number
  /** What `f`, `t` and `c` ask for: client flags, seconds left (-1: no end), CAS number. */
  readonly flags: number
  readonly seconds: number
  readonly cas: string
}

/** A reply while it is being read. */
type Reading = { -readonly [K in keyof Reply]: Reply[K] } & {
  /** Length of the value. */
  size: number
}

/** The key and number that the next reply must name. */
export interface Awaited {
  readonly place: WireKey
  readonly opaque: number
}

export interface ReplyEvents {
  /** The request that the next reply is for. */
  awaited(): Awaited | undefined
  onReply(reply: Reply): void
  /** Called with a line that is no reply to the awaited request. */
  onLine(line: string): void
}

/** Far above the longest line of the meta protocol: a key of 250 bytes and some numbers. */
const MAX_LINE = 2048
const NOTHING = new Uint8Array(0)
const LF = 10
const SPACE = 32
const MINUS = 45
const ZERO = 48
const NINE = 57
const A = 65
const V = 86
const C = 99
const F = 102
const K = 107
const T = 116

/** Cuts the server's bytes into replies. The reader throws `BAD_REPLY` for bytes that cannot be a reply. */
export function createReplyReader(maxBytes: number, on: ReplyEvents): (chunk: Uint8Array) => void {
  let buffer: Uint8Array = NOTHING
  /** While a value is awaited: bytes that must have arrived before the reader looks again. */
  let wanted = 0
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  const reply: Reading = { code: '', bytes: NOTHING, from: 0, to: 0, flags: -1, seconds: -1, cas: '', size: 0 }
  return (chunk) => {
    pending.push(chunk)
    pendingBytes += chunk.length
    if (buffer.length + pendingBytes < wanted) return
    buffer = buffer.length === 0 && pending.length === 1 ? chunk : concat([buffer, ...pending])
    pending = []
    pendingBytes = wanted = 0
    reply.bytes = buffer
    let start = 0
    while (start < buffer.length) {
      const request = on.awaited()
      if (!request || !readLine(reply, start, request)) {
        const end = buffer.indexOf(LF, start)
        if (end < 0) {
          if (buffer.length - start > MAX_LINE) throw bad('its line does not end')
          break
        }
        on.onLine(decodeText(buffer, start, end - 1))
        start = end + 1
        continue
      }
      let next = reply.from
      reply.to = next + reply.size
      if (reply.code === 'VA') {
        if (reply.size > maxBytes) throw bad('its value is too large')
        next = reply.to + 2
        if (next > buffer.length) {
          wanted = next - start
          break
        }
      }
      on.onReply(reply)
      start = next
    }
    buffer = start === buffer.length ? NOTHING : buffer.subarray(start)
  }
}

/** Reads the line of a reply. False if the line is not complete, or does not name the request by key and number. */
function readLine(reply: Reading, start: number, { place: { text, flag }, opaque }: Awaited): boolean {
  const { bytes } = reply
  const isValue = bytes[start] === V && bytes[start + 1] === A
  let at = start + 2
  reply.code = 'VA'
  reply.size = 0
  reply.flags = -1
  reply.seconds = -1
  reply.cas = ''
  if (isValue) {
    const from = at + 1
    at = pastDigits(bytes, from)
    if (bytes[from - 1] !== SPACE || at === from) return false
    reply.size = number(bytes, from, at)
  } else reply.code = String.fromCharCode(bytes[start] as number, bytes[start + 1] as number)
  if (bytes[at] === SPACE && bytes[at + 1] !== K) at = readFlags(reply, at)
  if (text) {
    const keyAt = at + 2
    const flagAt = keyAt + text.length
    const numberAt = flagAt + flag.length + 2
    if (!isAt(bytes, at, ' k') || !isAt(bytes, keyAt, text) || !isAt(bytes, flagAt, flag)) return false
    if (!isAt(bytes, numberAt - 2, ' O') || !isDigits(bytes, numberAt, opaque)) return false
    at = numberAt + OPAQUE_DIGITS
  }
  reply.from = at + 2
  return isAt(bytes, at, '\r\n')
}

/** Reads the values that `f`, `t` and `c` asked for, and returns the offset after them. */
function readFlags(reply: Reading, from: number): number {
  const { bytes } = reply
  let at = from
  while (bytes[at] === SPACE && bytes[at + 1] !== K) {
    const letter = bytes[at + 1]
    const start = at + 2
    const isNegative = bytes[start] === MINUS
    at = pastDigits(bytes, isNegative ? start + 1 : start)
    if (letter === F) reply.flags = number(bytes, start, at)
    else if (letter === T) reply.seconds = isNegative ? -1 : number(bytes, start, at)
    else if (letter === C) reply.cas = decodeText(bytes, start, at)
    else break
  }
  return at
}

/** Whether `text`, which is ASCII, is at `at`. */
function isAt(bytes: Uint8Array, at: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) if (bytes[at + i] !== text.charCodeAt(i)) return false
  return true
}

function isDigits(bytes: Uint8Array, from: number, value: number): boolean {
  let rest = value
  for (let at = from + OPAQUE_DIGITS - 1; at >= from; at--) {
    if (bytes[at] !== ZERO + (rest % 10)) return false
    rest = (rest / 10) | 0
  }
  return true
}

function pastDigits(bytes: Uint8Array, from: number): number {
  let at = from
  while ((bytes[at] as number) >= ZERO && (bytes[at] as number) <= NINE) at++
  return at
}

function number(bytes: Uint8Array, from: number, to: number): number {
  let value = 0
  for (let at = from; at < to; at++) value = value * 10 + (bytes[at] as number) - ZERO
  return value
}

function bad(what: string): HitherError {
  return new HitherError('BAD_REPLY', `memcached's reply makes no sense: ${what}`)
}
