/**
 * Parses RESP. `createParser` is one machine, and so longer than functions may be elsewhere: its readers share their state, and
 * passing the state from one to another would slow down every reply.
 *
 * A chunk is read to its end, each time by the reader that the state asks for. While `left` is not negative, `readString`
 * continues a string of known length. While `past` is not negative, `readPast` skips a simple string or an error that is too
 * long. Otherwise `readLine` reads one line and `line` parses it: into a value, the start of a string (`begin`), or the start of
 * an array (`open`). `put` adds a value to the innermost open array (`top`), and passes a reply that is whole to `onReply` or
 * `onPush`. `held` keeps the start of a line or string whose end is in a later chunk. A reply that passes a bound (`pass`) is
 * read to its end, but not kept.
 */
import { HitherError } from '../errors.ts'
import { ReplyError, type Wire } from './transport.ts'

/** Most levels of nested arrays that are kept. */
const MAX_DEPTH = 64
/** Most levels that are read at all: a script nests some thousands at most. */
const MAX_NESTED = 100_000
/** Longest line, in bytes. Simple strings and errors may be longer, up to the length of any string. */
const MAX_LINE = 65_536
/** Most elements of one reply that are kept, those of inner arrays included. */
const MAX_ELEMENTS = 1_048_576
/** Longest array that any server sends. */
const MAX_LENGTH = 2 ** 32
/** Longest string that any Redis sends, in bytes. */
const MAX_STRING = 2 ** 29
/** By default, one reply may have so many values of the largest size, but no more than `MAX_STRING` bytes. */
const MAX_VALUES = 64
/** Largest buffer that is kept for the next line or string, in bytes. */
const KEPT = 65_536

const CR = 13
const LF = 10
const DASH = 45
const PLUS = 43
const ZERO = 48

export interface ParserOptions {
  /**
   * Called with each reply, in order. `bytes`: how much of the reply was kept, in bytes on the wire. An error that it throws
   * ends the parser, as bad input does.
   */
  onReply(reply: Wire, bytes: number): void
  /** Called with each push message of RESP3. */
  onPush?(message: Wire): void
  /** Called as each reply begins. Returns whether its strings stay bytes. @default false */
  wantsBytes?(): boolean
  /** Longest string or error that is kept, in bytes. A `ReplyError` takes the place of a longer one. @default 8388608 */
  readonly maxValueBytes?: number
  /** Most bytes of one reply that are kept, those of inner arrays included. @default 64 values of the largest size, or 512 MiB */
  readonly maxTotalBytes?: number
  /** Text of the bytes from `from` to before `to`. @default TextDecoder */
  decode?(bytes: Uint8Array, from: number, to: number): string
}

/** An array that is not whole yet. */
interface Frame {
  readonly kind: 'array' | 'push' | 'attribute'
  readonly items: Wire[]
  left: number
  readonly below: Frame | undefined
}

/**
 * Parses RESP2 and RESP3 as it arrives, in chunks of any size, in time linear in their bytes. Maps and sets become flat arrays,
 * booleans 1 and 0, doubles their text: the forms that RESP2 has in their place. Integers beyond 2^53 become `bigint`.
 *
 * A reply past a bound (depth 64, 1,048,576 elements, 64 values of the largest size or 512 MiB) is read but not kept: a
 * `ReplyError` `TOOLARGE` takes its place, and the replies behind it are not affected. The returned function throws `BAD_REPLY`
 * for input that is not RESP, and for a number or length of more than 64 KiB; the connection is then unusable. It allocates
 * memory for bytes that have arrived, and none for a length that is only announced.
 * https://redis.io/docs/latest/develop/reference/protocol-spec/
 */
export function createParser(options: ParserOptions): (chunk: Uint8Array) => void {
  const { onReply, onPush, wantsBytes, maxValueBytes = 8 * 1024 * 1024, decode = defaultDecode } = options
  const largest = Math.min(options.maxTotalBytes ?? MAX_VALUES * maxValueBytes, MAX_STRING) + MAX_LINE
  /** The part of an unfinished line or string that has arrived. */
  let held = new Uint8Array(0)
  let heldLength = 0
  /** Bytes of the current string that are still to come, its line end included; −1 between strings. */
  let left = -1
  let string: 'text' | 'error' | 'verbatim' | 'skipped' = 'text'
  /** Bytes skipped so far of a simple string or an error that is too long; −1 while there is none. */
  let past = -1
  let top: Frame | undefined
  let depth = 0
  let elements = 0
  let size = 0
  let bytes = false
  /** Which bound the current reply has passed, `''` if none. Nothing more of such a reply is kept. */
  let passed = ''
  let broken = false

  const hold = (chunk: Uint8Array, from: number, to: number, most: number): void => {
    const length = heldLength + to - from
    if (length > held.length) {
      const larger = new Uint8Array(Math.min(Math.max(length, 2 * held.length, 256), most))
      larger.set(held.subarray(0, heldLength))
      held = larger
    }
    held.set(chunk.subarray(from, to), heldLength)
    heldLength = length
  }
  const release = (): void => {
    heldLength = 0
    if (held.length > KEPT) held = new Uint8Array(0)
  }

  const pass = (bound: string): void => {
    passed ||= bound
    for (let frame = top; frame; frame = frame.below) frame.items.length = 0
  }
  const weigh = (more: number): void => {
    size += more
    if (size > largest && !passed) pass('too large')
  }

  /** Adds a value to the innermost open array, closes the arrays that are whole with it, and passes on a whole reply. */
  const put = (given: Wire): void => {
    let value = given
    for (let frame = top; frame; frame = top) {
      if (!passed) frame.items.push(value)
      if (--frame.left > 0) return
      top = frame.below
      depth--
      // An attribute is dropped. The value that it describes comes after it.
      if (frame.kind === 'attribute') return
      value = frame.items
      if (frame.kind !== 'push') continue
      if (passed) throw badReply(`a message ${passed}`)
      elements = size = 0
      return void onPush?.(value)
    }
    if (passed) value = new ReplyError(`TOOLARGE the reply is ${passed} and was not kept`)
    const kept = passed ? 0 : size
    elements = size = 0
    passed = ''
    onReply(value, kept)
  }
  const open = (kind: Frame['kind'], length: number): Wire | undefined => {
    if (length < 0 || length > MAX_LENGTH) throw badReply('a length that is no number')
    elements += length
    if (elements > MAX_ELEMENTS && !passed) pass('of too many elements')
    if (length === 0) return kind === 'array' ? [] : undefined
    if (++depth > MAX_DEPTH && !passed) pass('too deep')
    if (depth > MAX_NESTED) throw badReply('arrays without end')
    top = { kind, items: [], left: length, below: top }
    return undefined
  }
  const text = (buffer: Uint8Array, from: number, to: number): string | Uint8Array =>
    bytes ? new Uint8Array(buffer.subarray(from, to)) : decode(buffer, from, to)

  /** Parses one line without its end. Returns its value, or undefined if the value is still to come. */
  const line = (buffer: Uint8Array, from: number, to: number): Wire | undefined => {
    const at = from + 1
    switch (buffer[from]) {
      case 0x24: // $ string
        return begin('text', buffer, at, to)
      case 0x2a: {
        // * array
        const length = lengthOf(buffer, at, to)
        return length < 0 ? null : open('array', length)
      }
      case 0x3a: // : integer
      case 0x28: // ( big number
        return integer(buffer, at, to)
      case 0x2b: // + simple string
      case 0x2c: // , double
        return text(buffer, at, to)
      case 0x2d: // - error
        return new ReplyError(decode(buffer, at, to))
      case 0x5f: // _ null
        if (to !== at) break
        return null
      case 0x23: // # boolean
        if (to !== at + 1 || (buffer[at] !== 0x74 && buffer[at] !== 0x66)) break
        return buffer[at] === 0x74 ? 1 : 0
      case 0x21: // ! error of any length
        return begin('error', buffer, at, to)
      case 0x3d: // = text with its format before it
        return begin('verbatim', buffer, at, to)
      case 0x7e: // ~ set
        return open('array', lengthOf(buffer, at, to))
      case 0x25: // % map
        return open('array', 2 * lengthOf(buffer, at, to))
      case 0x7c: // | attribute
        return open('attribute', 2 * lengthOf(buffer, at, to))
      case 0x3e: // > push
        if (top) break
        return open('push', lengthOf(buffer, at, to))
    }
    throw badReply('what is no reply of Redis')
  }
  const take = (buffer: Uint8Array, from: number, to: number): void => {
    if (!top) bytes = wantsBytes?.() === true
    weigh(to - from)
    const value = line(buffer, from, to)
    if (value !== undefined) put(value)
  }
  /** Begins a string, of which `left` bytes are still to come. Returns null for a null of RESP2. */
  const begin = (kind: typeof string, buffer: Uint8Array, from: number, to: number): null | undefined => {
    const length = lengthOf(buffer, from, to)
    if (length < 0) return null
    if (length > MAX_STRING) throw badReply('a string that is too long')
    if (length <= maxValueBytes) weigh(length)
    string = length > maxValueBytes || passed ? 'skipped' : kind
    left = length + 2
    return undefined
  }
  const end = (buffer: Uint8Array, from: number, to: number): void => {
    if (string === 'text') put(text(buffer, from, to))
    else if (string === 'error') put(new ReplyError(decode(buffer, from, to)))
    else if (to - from < 4 || buffer[from + 3] !== 0x3a) throw badReply('what is no reply of Redis')
    else put(text(buffer, from + 4, to))
  }

  /** Continues a string. Returns the index where it stopped. */
  const readString = (chunk: Uint8Array, from: number): number => {
    const to = Math.min(from + left, chunk.length)
    const whole = to - from === left
    if (whole && heldLength === 0 && string !== 'skipped') {
      if (chunk[to - 2] !== CR || chunk[to - 1] !== LF) throw badReply('a string without its end')
      left = -1
      end(chunk, from, to - 2)
      return to
    }
    if (string !== 'skipped') hold(chunk, from, to, heldLength + left)
    // Of a string that is not kept, hold the last two bytes, to check its line end.
    else hold(chunk, Math.max(from, to - Math.max(0, 2 - (left - (to - from)))), to, 2)
    left -= to - from
    if (!whole) return to
    left = -1
    const buffer = held
    const length = heldLength
    if (buffer[length - 2] !== CR || buffer[length - 1] !== LF) throw badReply('a string without its end')
    release()
    if (string === 'skipped') put(tooLarge())
    else end(buffer, 0, length - 2)
    return to
  }
  const tooLarge = (): ReplyError => new ReplyError(`TOOLARGE a value of more than ${maxValueBytes} bytes was not read`)

  /** Continues to skip a line. Returns the index where it stopped. Holds the last byte, which may be half of the line end. */
  const readPast = (chunk: Uint8Array, from: number): number => {
    const lf = chunk.indexOf(LF, from)
    const to = lf < 0 ? chunk.length : lf + 1
    past += to - from
    if (past > MAX_STRING) throw badReply('a string that is too long')
    const before = lf > from ? chunk[lf - 1] : heldLength > 0 ? held[0] : undefined
    heldLength = 0
    if (lf < 0) hold(chunk, to - 1, to, 1)
    else if (before !== CR) throw badReply('a line without its end')
    else {
      past = -1
      release()
      if (!top) bytes = wantsBytes?.() === true
      put(tooLarge())
    }
    return to
  }

  /** Continues a line. Returns the index where it stopped. */
  const readLine = (chunk: Uint8Array, from: number): number => {
    let to = from
    // The chunk begins between the two bytes of the line end.
    if (heldLength > 0 && held[heldLength - 1] === CR) to = from - 1
    else while (to < chunk.length && chunk[to] !== CR) to++
    const type = heldLength > 0 ? held[0] : chunk[from]
    const most = type === PLUS || type === DASH ? Math.max(MAX_LINE, maxValueBytes) : MAX_LINE
    if (to - from + heldLength > most) {
      if (type !== PLUS && type !== DASH) throw badReply('a line that is too long')
      past = heldLength
      heldLength = 0
      return from
    }
    if (to + 1 >= chunk.length) {
      hold(chunk, from, chunk.length, most + 1)
      return chunk.length
    }
    if (chunk[to + 1] !== LF) throw badReply('a line without its end')
    if (heldLength === 0) take(chunk, from, to)
    else {
      if (to > from) hold(chunk, from, to, most + 1)
      const buffer = held
      const length = to < from ? heldLength - 1 : heldLength
      release()
      take(buffer, 0, length)
    }
    return to + 2
  }

  return (chunk) => {
    if (broken) throw badReply('more after what it could not read')
    try {
      for (let at = 0; at < chunk.length; ) {
        at = left >= 0 ? readString(chunk, at) : past >= 0 ? readPast(chunk, at) : readLine(chunk, at)
      }
    } catch (error) {
      broken = true
      held = new Uint8Array(0)
      top = undefined
      throw error
    }
  }
}

/** The length after a type byte; −1 for a null of RESP2. */
function lengthOf(buffer: Uint8Array, from: number, to: number): number {
  let length = 0
  for (let i = from; i < to; i++) {
    const digit = (buffer[i] as number) - ZERO
    if (digit < 0 || digit > 9) {
      const isNull = to - from === 2 && buffer[from] === DASH && buffer[from + 1] === ZERO + 1
      if (isNull) return -1
      throw badReply('a length that is no number')
    }
    length = length * 10 + digit
  }
  if (from === to || to - from > 15) throw badReply('a length that is no number')
  return length
}

function integer(buffer: Uint8Array, from: number, to: number): number | bigint {
  // If the number is empty, the bytes from `from` on are not its own. The check of `start` against `to` then throws.
  const sign = buffer[from] === DASH ? -1 : 1
  const start = sign < 0 || buffer[from] === 0x2b ? from + 1 : from
  let value = 0
  for (let i = start; i < to; i++) {
    const digit = (buffer[i] as number) - ZERO
    if (digit < 0 || digit > 9) throw badReply('a number that is none')
    value = value * 10 + digit
  }
  // No number of RESP3 needs more digits, and the time to turn them into a `bigint` grows with the square of their count.
  if (start >= to || to - start > 4096) throw badReply('a number that is none')
  if (value <= Number.MAX_SAFE_INTEGER) return sign * value || 0
  const exact = BigInt(defaultDecode(buffer, start, to))
  return sign < 0 ? -exact : exact
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })
function defaultDecode(bytes: Uint8Array, from: number, to: number): string {
  return utf8.decode(bytes.subarray(from, to))
}

function badReply(what: string): HitherError {
  return new HitherError('BAD_REPLY', `the server sent ${what}: check that host and port are those of a Redis`, {
    maybeExecuted: true,
  })
}
