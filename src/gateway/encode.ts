import { toBase64 } from '../protocol/base64.ts'
import { ReplyError, type Wire } from '../store/transport.ts'
import { isText, toItem, toJson } from './reply.ts'
import { toResp2, writeResp2 } from './resp2.ts'
import type { Format } from './target.ts'

/** A part of a response: text if it is short. */
export type Piece = string | Uint8Array<ArrayBuffer>

/** One reply in the form in which it is sent. */
export interface Encoded {
  readonly pieces: readonly Piece[]
  /** Roughly the bytes of the pieces. */
  readonly bytes: number
}

/** Up to this many bytes a reply is encoded in one step, and a response is one text. */
export const SMALL = 65_536
/** UTF-16 units of a string that are escaped in one step. */
const SLICE = 32_768
/** Bytes that are turned into base64 in one step: a multiple of three. */
const BASE64_SLICE = 49_152

const utf8 = new TextEncoder()

/** Encodes a reply. Undefined if it would hold more than `room` bytes, which is found before that memory is used. */
export function encodeReply(reply: Wire, format: Format, room: number): Encoded | undefined {
  const least = weightOf(reply, room)
  if (least > room) return undefined
  if (least <= SMALL) {
    const piece = format === 'resp2' ? toResp2(reply) : JSON.stringify(toItem(reply, format === 'base64'))
    return piece.length > room ? undefined : { pieces: [piece], bytes: piece.length }
  }
  const writer = createWriter(room)
  if (format === 'resp2') writeResp2(reply, writer.add)
  else writeItem(reply, format === 'base64', writer)
  return writer.end()
}

/** Least number of bytes of a reply in any format. Stops counting once it is past `most`. */
export function weightOf(reply: Wire, most: number): number {
  if (reply === null || typeof reply === 'number') return 4
  if (typeof reply === 'bigint') return 20
  if (typeof reply === 'string' || reply instanceof Uint8Array) return reply.length
  if (reply instanceof ReplyError) return reply.message.length
  let sum = 2 * reply.length
  for (const part of reply) {
    if (sum > most) break
    sum += weightOf(part, most - sum)
  }
  return sum
}

interface Writer {
  add(piece: string | Uint8Array): void
  /** Whether there is no room for more pieces. */
  isFull(): boolean
  end(): Encoded | undefined
}

/** Collects pieces of about 64 KiB as bytes, up to `room` bytes in all. */
function createWriter(room: number): Writer {
  let pieces: Piece[] = []
  let bytes = 0
  let text = ''
  let full = false
  const flush = (): void => {
    if (text) push(utf8.encode(text))
    text = ''
  }
  const push = (piece: Uint8Array<ArrayBuffer>): void => {
    bytes += piece.length
    pieces.push(piece)
    if (bytes <= room) return
    full = true
    pieces = []
  }
  return {
    isFull: () => full,
    add(piece) {
      if (full) return
      if (typeof piece === 'string') text += piece
      else {
        flush()
        push(piece as Uint8Array<ArrayBuffer>)
      }
      if (text.length > SMALL) flush()
    },
    end() {
      flush()
      return full ? undefined : { pieces, bytes }
    },
  }
}

/** As `toItem`, for a reply that is too large for one text. */
function writeItem(reply: Wire, base64: boolean, writer: Writer): void {
  const isError = reply instanceof ReplyError
  writer.add(isError ? '{"error":' : '{"result":')
  if (isError) writeText(reply.message, writer)
  else writeJson(reply, base64, writer)
  writer.add('}')
}

function writeJson(reply: Wire, base64: boolean, writer: Writer): void {
  if (Array.isArray(reply)) writeList(reply, base64, writer)
  else if (!isText(reply) || reply.length <= SLICE) writer.add(JSON.stringify(toJson(reply, base64)))
  else if (base64) writeBase64(typeof reply === 'string' ? utf8.encode(reply) : reply, writer)
  else writeText(toJson(reply, false) as string, writer)
}

function writeList(list: readonly Wire[], base64: boolean, writer: Writer): void {
  writer.add('[')
  for (const [i, part] of list.entries()) {
    if (writer.isFull()) return
    if (i > 0) writer.add(',')
    writeJson(part, base64, writer)
  }
  writer.add(']')
}

/** Writes a JSON string in slices. If 100 MB were escaped in one step, the result might exceed the longest string. */
function writeText(text: string, writer: Writer): void {
  writer.add('"')
  for (let at = 0; at < text.length && !writer.isFull(); ) {
    let to = Math.min(at + SLICE, text.length)
    const last = text.charCodeAt(to - 1)
    // Keeps the two halves of a surrogate pair together.
    if (to < text.length && last >= 0xd800 && last < 0xdc00) to--
    writer.add(JSON.stringify(text.slice(at, to)).slice(1, -1))
    at = to
  }
  writer.add('"')
}

function writeBase64(bytes: Uint8Array, writer: Writer): void {
  writer.add('"')
  for (let at = 0; at < bytes.length && !writer.isFull(); at += BASE64_SLICE) {
    writer.add(toBase64(bytes.subarray(at, at + BASE64_SLICE)))
  }
  writer.add('"')
}
