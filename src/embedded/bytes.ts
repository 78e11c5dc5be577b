/**
 * Inside the engine a string holds bytes: each UTF-16 unit is one byte, 0 to 255. Such strings compare, hash and join as
 * bytes do, and JavaScript stores them with one byte a unit. These functions convert between text and such strings.
 */

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const PIECE = 8192

// biome-ignore lint/suspicious/noControlCharactersInRegex: the range is that of ASCII
const beyondAscii = /[^\x00-\x7f]/

/** The bytes of `text` in UTF-8, one unit a byte. A lone surrogate becomes U+FFFD. */
export function fromText(text: string): string {
  return beyondAscii.test(text) ? fromBytes(encoder.encode(text)) : text
}

/** Bytes as a string with one unit a byte. */
export function fromBytes(bytes: Uint8Array, from: number = 0, to: number = bytes.length): string {
  if (to - from <= PIECE) return String.fromCharCode.apply(null, bytes.subarray(from, to) as unknown as number[])
  let text = ''
  for (let at = from; at < to; at += PIECE) text += fromBytes(bytes, at, Math.min(at + PIECE, to))
  return text
}

export function toBytes(binary: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}

/** Decodes bytes of UTF-8 as text. Invalid bytes become U+FFFD. */
export function toText(binary: string): string {
  return beyondAscii.test(binary) ? decoder.decode(toBytes(binary)) : binary
}
