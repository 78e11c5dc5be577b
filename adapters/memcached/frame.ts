import { decodeText } from '#socket'
import { utf8Length } from '../../src/protocol/text.ts'

/**
 * Client flags of a value with a frame before it: `<end> <bytes> <key>`. `end` is the end of the lifetime in epoch
 * milliseconds, in base 36; 0 means that only the server ends it. `bytes` and `key` are the length and text of a key that was
 * stored under its digest, else 0 and empty. No other client sets this number.
 */
export const FRAMED = 0x68697468

/** A value within the bytes of a reply. */
export interface Item {
  readonly bytes: Uint8Array
  readonly from: number
  readonly to: number
  /** End of the lifetime by the frame, in epoch milliseconds; 0 where there is no frame, or the frame names no end. */
  readonly endMs: number
}

export function frame(endMs: number, hashedKey: string): string {
  return `${endMs.toString(36)} ${utf8Length(hashedKey)} ${hashedKey}`
}

/** The whole key of a framed item; empty where it was not stored under a digest. */
export function hashedKeyOf(bytes: Uint8Array, from: number, to: number): string {
  const first = bytes.indexOf(0x20, from)
  const second = bytes.indexOf(0x20, first + 1)
  if (first < from || second < first || second >= to || second - from > 32) return ''
  const end = second + 1 + Number(decodeText(bytes, first + 1, second))
  return end <= to ? decodeText(bytes, second + 1, end) : ''
}

/** The value behind its frame; undefined where the frame is another key's, or broken. */
function unframe(bytes: Uint8Array, from: number, to: number, hashedKey: string): Item | undefined {
  const first = bytes.indexOf(0x20, from)
  const second = bytes.indexOf(0x20, first + 1)
  if (first < from || second < first || second >= to || second - from > 32) return undefined
  const endMs = Number.parseInt(decodeText(bytes, from, first), 36)
  const start = second + 1
  const value = start + Number(decodeText(bytes, first + 1, second))
  if (!(endMs >= 0 && value >= start && value <= to) || decodeText(bytes, start, value) !== hashedKey) return undefined
  return { bytes, from: value, to, endMs }
}

/** The value at `from` to `to` of a reply, by its client flags. Undefined where it is another key's, or its frame is broken. */
export function itemOf(
  { bytes, from, to }: Pick<Item, 'bytes' | 'from' | 'to'>,
  flags: number,
  hashedKey: string,
): Item | undefined {
  if (flags === FRAMED) return unframe(bytes, from, to, hashedKey)
  return hashedKey ? undefined : { bytes, from, to, endMs: 0 }
}

/** Text of a value. The server pads a number with spaces when another client decrements it; these are cut off. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  const text = decodeText(bytes, from, to)
  return bytes[to - 1] === 0x20 && /^\d{1,20} +$/.test(text) ? text.trimEnd() : text
}
