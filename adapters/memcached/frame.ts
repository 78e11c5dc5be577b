import { decodeText } from '#socket'
import { utf8Length } from '../../src/protocol/text.ts'

/**
 * Client flags of a value that has a frame before it: `<end> <bytes> <key>`, the end of its lifetime in milliseconds since
 * the epoch (base 36, 0: the server alone ends it) and, for a key that was hashed, its length and itself. The number is
 * none that another client sets.
 */
export const FRAMED = 0x68697468

/** A value as it lies on the server. */
export interface Item {
  readonly bytes: Uint8Array
  readonly from: number
  readonly to: number
  /** When its lifetime ends by its frame, in epoch milliseconds; 0: it says nothing. */
  readonly endMs: number
}

export function frame(endMs: number, hashedKey: string): string {
  return `${endMs.toString(36)} ${utf8Length(hashedKey)} ${hashedKey}`
}

/** The whole key of a framed item; empty where it was not hashed. */
export function hashedKeyOf(bytes: Uint8Array, from: number, to: number): string {
  const first = bytes.indexOf(0x20, from)
  const second = bytes.indexOf(0x20, first + 1)
  if (first < from || second < first || second >= to || second - from > 32) return ''
  const end = second + 1 + Number(decodeText(bytes, first + 1, second))
  return end <= to ? decodeText(bytes, second + 1, end) : ''
}

/** The value within its frame; undefined where the frame is another key's, or broken. */
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

/** The value of a reply, which lies at `from` to `to` of its bytes, with these client flags. */
export function itemOf(
  { bytes, from, to }: Pick<Item, 'bytes' | 'from' | 'to'>,
  flags: number,
  hashedKey: string,
): Item | undefined {
  if (flags === FRAMED) return unframe(bytes, from, to, hashedKey)
  return hashedKey ? undefined : { bytes, from, to, endMs: 0 }
}

/** Text of a value. A number that another client has decremented is padded with spaces by the server. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  const text = decodeText(bytes, from, to)
  return bytes[to - 1] === 0x20 && /^\d{1,20} +$/.test(text) ? text.trimEnd() : text
}
