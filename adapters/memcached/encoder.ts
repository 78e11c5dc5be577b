import type { WireKey } from './wire.ts'

/** What is written of a command, beside its key and number. */
export interface Written {
  readonly verb: 'mg' | 'ms' | 'md' | 'ma' | 'mn'
  /** What follows the key; each word after a space. */
  readonly flags: string
  /** The value, for `ms`. */
  readonly body: Uint8Array | undefined
}

/** Makes commands into bytes. */
export interface Encoder {
  /** `opaque` has six digits: see `nextOpaque`. */
  add(command: Written, key: WireKey, opaque: number): void
  /** What was added since the last call, one after another. Nothing changes these bytes any more. */
  take(): readonly Uint8Array[]
}

const NOTHING = new Uint8Array(0)
const BLOCK_BYTES = 16_384
/** Largest value that is copied to the bytes of its command; a larger one is written from where it lies. */
const MAX_COPIED = 4096
/** Of a command, at the most, what is neither its key nor its flags nor its value. */
const OTHER_BYTES = 24

/** Digits of the number of each command. */
export const OPAQUE_DIGITS = 6
/** The number after this one, which is used again after 900,000 others. */
export function nextOpaque(opaque: number): number {
  return opaque === 999_999 ? 100_000 : opaque + 1
}

/** On Node, to put text byte by byte costs a quarter of what it costs to join texts and to have the socket encode them. */
export function createEncoder(): Encoder {
  let chunks: Uint8Array[] = []
  let block = NOTHING
  /** What was not taken yet lies from `from` to `at`. */
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
      // A tick's commands lie in one block: two would be two buffers of one write, which takes Node much longer.
      if (block.length - at < BLOCK_BYTES / 4) block = NOTHING
      const taken = chunks
      chunks = []
      return taken
    },
  }
}

/** Puts `text`, which is ASCII, and returns where it ends. */
function put(bytes: Uint8Array, from: number, text: string): number {
  for (let i = 0; i < text.length; i++) bytes[from + i] = text.charCodeAt(i)
  return from + text.length
}

/** Puts a number, and returns where it ends. */
function putDigits(bytes: Uint8Array, from: number, number: number): number {
  let rest = number
  for (let at = from + OPAQUE_DIGITS - 1; at >= from; at--) {
    bytes[at] = 48 + (rest % 10)
    rest = (rest / 10) | 0
  }
  return from + OPAQUE_DIGITS
}
