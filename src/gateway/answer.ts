import { concat } from '../protocol/bytes.ts'
import { setQuietTimer } from '../runtime/clock.ts'
import { ReplyError, type Wire } from '../store/transport.ts'
import type { Budget } from './budget.ts'
import { type Encoded, encodeReply, type Piece, SMALL } from './encode.ts'
import { type GatewayAnswer, JSON_TYPE } from './messages.ts'
import type { Format } from './target.ts'

export interface AnswerOptions {
  readonly format: Format
  /** Whether the response is the list of replies of a pipeline or a transaction. */
  readonly isBatch: boolean
  /** Most bytes of this response. */
  readonly maxBytes: number
  /** Bytes that all responses may hold together. */
  readonly budget: Budget
  /** How long the response waits for its reader to take the next piece, in milliseconds. */
  readonly timeoutMs: number
}

/** The response to one request. It collects replies as they arrive. */
export interface Answer {
  /** Stores a reply in its place. A reply that does not fit becomes `TOOLARGE` there. Never throws. */
  put(at: number, reply: Wire): void
  /** Counts bytes that are held for this response besides the stored replies. Returns false if there is no room. */
  hold(bytes: number): boolean
  unhold(bytes: number): void
  /** Whether all responses together have reached their bound. This response then drops its replies and takes no more. */
  overflowed(): boolean
  /** Returns the response. Later replies are ignored. */
  finish(): GatewayAnswer
  /** Drops all replies, because nobody waits for the response. */
  drop(): void
}

const utf8 = new TextEncoder()

export function createAnswer({ format, isBatch, maxBytes, budget, timeoutMs }: AnswerOptions): Answer {
  const places: Encoded[] = []
  let status = 200
  let bytes = 0
  let overflowed = false
  let over = false

  const drop = (): void => {
    over = true
    places.length = 0
    budget.give(bytes)
    bytes = 0
  }
  const hold = (more: number): boolean => {
    if (over || bytes + more > maxBytes) return false
    if (!budget.take(more)) {
      overflowed = true
      drop()
      return false
    }
    bytes += more
    return true
  }
  const unhold = (less: number): void => {
    if (over) return
    bytes -= less
    budget.give(less)
  }
  const keep = (at: number, encoded: Encoded | undefined): boolean => {
    if (!encoded || !hold(encoded.bytes)) return false
    places[at] = encoded
    return true
  }

  return {
    overflowed: () => overflowed,
    hold,
    unhold,
    drop,
    put(at, reply) {
      if (over) return
      if (!isBatch) status = reply instanceof ReplyError ? 400 : 200
      if (keep(at, encodeReply(reply, format, maxBytes - bytes)) || over) return
      if (!isBatch) status = 400
      // Not counted: this error is as short as the bytes that any request may hold besides its response.
      places[at] = encodeReply(tooLarge(maxBytes), format, Number.POSITIVE_INFINITY) as Encoded
    },
    finish() {
      over = true
      const pieces = [...join(places, format, isBatch)]
      const type = format === 'resp2' ? 'application/octet-stream' : JSON_TYPE
      const headers = { 'content-type': type }
      if (bytes <= SMALL) {
        budget.give(bytes)
        return { status, headers, body: whole(pieces, format) }
      }
      const chunks = toChunks(pieces)
      const length = chunks.reduce((sum, { length }) => sum + length, 0)
      const release = (): void => budget.give(bytes)
      return {
        status,
        headers: { ...headers, 'content-length': `${length}` },
        body: streamOf(chunks, release, timeoutMs),
      }
    },
  }
}

export function tooLarge(maxBytes: number): ReplyError {
  return new ReplyError(`TOOLARGE the command ran; with its reply the answer would have more than ${maxBytes} bytes`)
}

function* join(places: readonly Encoded[], format: Format, isBatch: boolean): Generator<Piece> {
  if (isBatch) yield format === 'resp2' ? `*${places.length}\r\n` : '['
  for (const [at, { pieces }] of places.entries()) {
    if (at > 0 && format !== 'resp2') yield ','
    yield* pieces
  }
  if (isBatch && format !== 'resp2') yield ']'
}

function whole(pieces: readonly Piece[], format: Format): string | Uint8Array<ArrayBuffer> {
  if (format !== 'resp2') return pieces.join('')
  const chunks = toChunks(pieces)
  return chunks.length === 1 ? (chunks[0] as Uint8Array<ArrayBuffer>) : concat(chunks)
}

/** The pieces as bytes, with neighbouring texts joined. */
function toChunks(pieces: readonly Piece[]): Uint8Array<ArrayBuffer>[] {
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let text = ''
  const flush = (): void => {
    if (text) chunks.push(utf8.encode(text))
    text = ''
  }
  for (const piece of pieces) {
    if (typeof piece === 'string') text += piece
    if (typeof piece !== 'string' || text.length > SMALL) flush()
    if (typeof piece !== 'string') chunks.push(piece)
  }
  flush()
  return chunks
}

/**
 * A stream that gives the chunks as they are read. `release` is called once: after the last chunk, when the reader cancels, or
 * when the reader takes nothing for `timeoutMs`, which fails the stream.
 */
function streamOf(
  chunks: Uint8Array<ArrayBuffer>[],
  release: () => void,
  timeoutMs: number,
): ReadableStream<Uint8Array> {
  let next = 0
  let from = 0
  let cancelTimer: (() => void) | undefined
  let ended = false
  const end = (): void => {
    if (ended) return
    ended = true
    cancelTimer?.()
    chunks.length = 0
    release()
  }
  const wait = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
    cancelTimer?.()
    const expire = (): void => {
      end()
      controller.error(new Error('the answer was not read in time'))
    }
    cancelTimer = setQuietTimer(expire, timeoutMs)
  }
  return new ReadableStream<Uint8Array>(
    {
      start: wait,
      pull(controller) {
        wait(controller)
        const chunk = chunks[next] as Uint8Array<ArrayBuffer>
        controller.enqueue(chunk.subarray(from, from + SMALL))
        from += SMALL
        if (from >= chunk.length) {
          from = 0
          next++
        }
        if (next < chunks.length) return
        end()
        controller.close()
      },
      cancel: end,
    },
    { highWaterMark: 0 },
  )
}
