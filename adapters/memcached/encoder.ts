import type { WireKey } from './wire.ts'

/** A command without its key and number. */
export interface Written {
  readonly verb: 'mg' | 'ms' | 'md' | 'ma' | 'mn'
  /** The text after the key, each word after a space. */
  readonly flags: string
  /** The value, for `ms`. */
  readonly body: Uint8Array | undefined
}

/** Encodes commands as bytes. */
export interface Encoder {
  /** `opaque` has six digits: see `nextOpaque`. */
  add(command: Written, key: WireKey, opaque: number): void
  /** Returns the bytes added since the last call, in order. They are never changed afterwards. */
  take(): readonly Uint8Array[]
}

const NOTHING = new Uint8Array(0)
const BLOCK_BYTES = 16_384
/** Largest value that is copied into the bytes of its command. A larger one is written from its own buffer. */
const MAX_COPIED = 4096
/** Most bytes of a command that are neither key nor flags nor value. */
const OTHER_BYTES = 24

/** Digits of each command's number. */
export const OPAQUE_DIGITS = 6
/** The number after `opaque`. A number is used again after 900,000 commands. */
export function nextOpaque(opaque: number): number {
  return opaque === 999_999 ? 100_000 : opaque + 1
}

/** On Node, writing text byte by byte costs a quarter of joining strings and letting the socket encode them. */
export function createEncoder(): Encoder {
  let chunks: Uint8Array[] = []
  let block = NOTHING
  /** The bytes not yet taken are those from `from` to `at`. */
  let from = 0
  let at = 0
  const cut = (): void => {
    if (at > from) chunks.push(block.subarray(from, at))
    from = at
  }
  return {
    add({ verb, flags, body }, { text, flag }, opaque) {
      const isCopied = body !== undefined && body.length <= MAX_COPIED
      const size = text.length + flags.length + OTHER_BYTES + (isCopied ? body.length : 0)
      if (at + size > block.length) {
        cut()
        block = new Uint8Array(Math.max(BLOCK_BYTES, size))
        from = at = 0
      }
      at = put(block, at, verb)
      if (text) {
        at = put(block, put(block, put(block, at, ' '), text), flags)
        at = putDigits(block, put(block, put(block, put(block, at, ' k'), flag), ' O'), opaque)
      }
      at = put(block, at, '\r\n')
      if (!body) return
      if (isCopied) {
        block.set(body, at)
        at += body.length
      } else {
        cut()
        chunks.push(body)
      }
      at = put(block, at, '\r\n')
    },
    take() {
      cut()
      // The next tick starts a new block, so that its commands lie in one: a write of two buffers takes Node much longer.
      if (block.length - at < BLOCK_BYTES / 4) block = NOTHING
      const taken = chunks
      chunks = []
      return taken
    },
  }
}

/** Writes `text`, which is ASCII, and returns the offset after it. */
function put(bytes: Uint8Array, from: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[from + i] = text.charCodeAt(i)
  return from + text.length
}

/** Writes `number` in six digits, and returns the offset after it. */
function putDigits(bytes: Uint8Array, from: number, number: number): number {
  let rest = number
  for (let at = from + OPAQUE_DIGITS - 1; at >= from; at--) {
    bytes[at] = 48 + (rest % 10)
    rest = (rest / 10) | 0
  }
  return from + OPAQUE_DIGITS
}
