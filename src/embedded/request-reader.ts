import { fromBytes } from './bytes.ts'

/** Longest inline request, and longest line with a length, in bytes. */
const MAX_INLINE = 65_536
const MAX_WORDS = 1_048_576
const MAX_BULK = 536_870_912
/** Limits before AUTH, as on a server. */
const MAX_WORDS_UNKNOWN = 10
const MAX_BULK_UNKNOWN = 16_384
const CR = 13
const LF = 10
const NEAR = 16

/** The client sent bytes that are not a request. The connection cannot be used any more. */
export class ProtocolError {
  readonly message: string
  constructor(message: string) {
    this.message = `ERR Protocol error: ${message}`
  }
}

export interface RequestReader {
  /** Reads a chunk, and calls `onRequest` for each whole request. Throws a `ProtocolError`. */
  feed(chunk: Uint8Array): void
}

export interface ReaderOptions {
  onRequest(args: readonly string[]): void
  isKnown(): boolean
  /** Decodes the bytes from `from` up to, but not including, `to`, with one unit a byte. */
  decode?(bytes: Uint8Array, from: number, to: number): string
}

/**
 * Reads the requests of one connection, multi-bulk and inline, from chunks of any size. It allocates memory only for bytes that
 * have arrived.
 */
export function createRequestReader({ onRequest, isKnown, decode = fromBytes }: ReaderOptions): RequestReader {
  let rest: Uint8Array = new Uint8Array(0)
  let restLength = 0
  let args: string[] = []
  /** Words that are still missing from the request; 0 between requests. */
  let missing = 0
  /** Bytes of the current word; −1: its length has not been read yet. */
  let bulk = -1
  /** The parts of a long word, and their bytes in all. */
  let pieces: string[] = []
  let got = 0

  /** Offset of the line feed that ends the line at `from`, or −1. */
  const lineEnd = (bytes: Uint8Array, from: number, length: number, what: string): number => {
    // Lines with a length are short. A loop over the first bytes is faster than a call that searches.
    const near = Math.min(length, from + NEAR)
    for (let at = from; at < near; at++) if (bytes[at] === LF) return at
    const at = bytes.indexOf(LF, near)
    if (at >= 0 && at < length) return at
    if (length - from > MAX_INLINE) throw new ProtocolError(what)
    return -1
  }
  const number = (bytes: Uint8Array, from: number, to: number): number => {
    const end = to > from && bytes[to - 1] === CR ? to - 1 : to
    let value = 0
    let at = from
    const negative = bytes[at] === 0x2d
    if (negative) at++
    if (at >= end || end - at > 10) return Number.NaN
    for (; at < end; at++) {
      const digit = (bytes[at] as number) - 48
      if (digit < 0 || digit > 9) return Number.NaN
      value = value * 10 + digit
    }
    return negative ? -value : value
  }
  const finish = (): void => {
    const request = args
    args = []
    onRequest(request)
  }

  /** Reads as much of `bytes` as it can. Returns the offset at which it stopped. */
  const read = (bytes: Uint8Array, length: number): number => {
    let at = 0
    while (at < length) {
      if (missing === 0) {
        const isMulti = bytes[at] === 0x2a
        const end = lineEnd(bytes, at, length, isMulti ? 'too big mbulk count string' : 'too big inline request')
        if (end < 0) return at
        if (!isMulti) {
          const line = decode(bytes, at, end > at && bytes[end - 1] === CR ? end - 1 : end)
          at = end + 1
          args = splitInline(line)
          if (args.length > 0) finish()
          continue
        }
        const count = number(bytes, at + 1, end)
        if (Number.isNaN(count) || count > MAX_WORDS * 1024) throw new ProtocolError('invalid multibulk length')
        if (count > MAX_WORDS_UNKNOWN && !isKnown()) throw new ProtocolError('unauthenticated multibulk length')
        at = end + 1
        missing = Math.max(0, count)
        args = []
        continue
      }
      if (bulk < 0) {
        const end = lineEnd(bytes, at, length, 'too big bulk count string')
        if (end < 0) return at
        if (bytes[at] !== 0x24) throw new ProtocolError(`expected '$', got '${decode(bytes, at, at + 1)}'`)
        bulk = number(bytes, at + 1, end)
        if (Number.isNaN(bulk) || bulk < 0 || bulk > MAX_BULK) throw new ProtocolError('invalid bulk length')
        if (bulk > MAX_BULK_UNKNOWN && !isKnown()) throw new ProtocolError('unauthenticated bulk length')
        at = end + 1
      }
      if (got === 0 && length - at >= bulk + 2) {
        args.push(decode(bytes, at, at + bulk))
        at += bulk + 2
      } else {
        const take = Math.min(length - at, Math.max(0, bulk - got))
        if (take > 0) pieces.push(decode(bytes, at, at + take))
        at += take
        got += take
        if (got < bulk || length - at < 2) return at
        at += 2
        args.push(pieces.join(''))
        pieces = []
        got = 0
      }
      bulk = -1
      if (--missing === 0) finish()
    }
    return at
  }

  return {
    feed(chunk) {
      let bytes = chunk
      if (restLength > 0) {
        bytes = new Uint8Array(restLength + chunk.length)
        bytes.set(rest)
        bytes.set(chunk, restLength)
      }
      const at = read(bytes, bytes.length)
      restLength = bytes.length - at
      rest = restLength > 0 ? bytes.slice(at) : new Uint8Array(0)
    },
  }
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }

/** The words of an inline request, with quotes and escapes as redis-cli writes them. Throws a `ProtocolError`. */
function splitInline(text: string): string[] {
  // As on a server, where a line ends at its first NUL.
  const line = text.split('\0', 1)[0] as string
  const words: string[] = []
  let at = 0
  for (;;) {
    while (at < line.length && /\s/.test(line[at] as string)) at++
    if (at >= line.length) return words
    let word = ''
    let quote = ''
    for (; at < line.length; at++) {
      const char = line[at] as string
      if (!quote) {
        if (/\s/.test(char)) break
        if (char === '"' || char === "'") quote = char
        else word += char
        continue
      }
      const hex = quote === '"' ? /^\\x([0-9a-f]{2})/i.exec(line.slice(at, at + 4)) : null
      if (hex) {
        word += String.fromCharCode(Number.parseInt(hex[1] as string, 16))
        at += 3
      } else if (quote === '"' && char === '\\' && at + 1 < line.length) {
        const next = line[++at] as string
        word += ESCAPES[next] ?? next
      } else if (quote === "'" && char === '\\' && line[at + 1] === "'") {
        word += "'"
        at++
      } else if (char === quote) {
        if (at + 1 < line.length && !/\s/.test(line[at + 1] as string))
          throw new ProtocolError('unbalanced quotes in request')
        quote = ''
      } else word += char
    }
    if (quote) throw new ProtocolError('unbalanced quotes in request')
    words.push(word)
  }
}
