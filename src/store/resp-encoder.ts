import { utf8Length } from '../protocol/text.ts'
import type { Command } from './transport.ts'

/** Length at which a chunk of text is closed and the next begun, in UTF-16 units. */
const CHUNK = 1_000_000

/** The RESP header of a short argument, by the argument's length. Made once. */
const HEADS: readonly string[] = Array.from({ length: 64 }, (_, length) => `$${length}\r\n`)

/** Collects commands as RESP until they are written. */
export interface Encoder {
  add(args: Command['args']): void
  /** About how much was added since the last `take`, in bytes. */
  size(): number
  /** Returns what was added since the last `take`, in the order to write it. `ascii`: all of its text is ASCII. */
  take(): { readonly chunks: readonly (string | Uint8Array)[]; readonly ascii: boolean }
}

/**
 * Encodes commands as RESP. Text stays text, so that one write carries many commands; bytes stay as they are. A lone
 * surrogate is sent as U+FFFD.
 */
export function createEncoder(byteLength: (text: string) => number = utf8Length): Encoder {
  let chunks: (string | Uint8Array)[] = []
  let text = ''
  let ascii = true
  let size = 0
  return {
    add(args) {
      text += `*${args.length}\r\n`
      for (const arg of args) {
        if (typeof arg === 'object') {
          chunks.push(`${text}$${arg.length}\r\n`, arg)
          text = '\r\n'
          size += arg.length
          continue
        }
        const word = typeof arg === 'string' ? arg : String(arg)
        const length = byteLength(word)
        if (length !== word.length) ascii = false
        text += `${HEADS[length] ?? `$${length}\r\n`}${word}\r\n`
        size += length
      }
      size += 16 * args.length
      if (text.length > CHUNK) {
        chunks.push(text)
        text = ''
      }
    },
    size: () => size,
    take() {
      if (text) chunks.push(text)
      const taken = { chunks, ascii }
      chunks = []
      text = ''
      ascii = true
      size = 0
      return taken
    },
  }
}
