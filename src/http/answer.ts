import { type Story, statusMember } from './cache-status.ts'
import type { Chunks } from './chunks.ts'
import { bytesInline, type StoredResponse } from './entry.ts'
import { type Field, headersOf } from './fields.ts'
import { ageAt } from './freshness.ts'
import { type Part, partOf } from './ranges.ts'
import { isNotModified, trimTo304 } from './validate.ts'

/** The name of this cache in Cache-Status; false leaves the field out. */
export type StatusName = string | false

const ENCODED = { encodeBody: 'manual' } as ResponseInit
const NO_BODY: ReadonlySet<number> = new Set([204, 205, 304])

/**
 * Whether a response is final. A switch to WebSocket (101), which may hold a socket, and a network error (0) are not. They are
 * passed on unchanged: no new `Response` can be made of them.
 */
export const isFinal = ({ status }: Response): boolean => status >= 200

/** Appends to Cache-Status what this cache did, after the members of other caches. */
export function tellStatus(headers: Headers, name: StatusName, story: Story): void {
  if (name) headers.append('cache-status', statusMember(name, story))
}

/** A chunk of a stored body that was read before the body is sent. */
export interface ReadChunk {
  readonly id: string
  readonly index: number
  readonly bytes: Uint8Array
}

export interface AnswerRequest {
  readonly request: Request
  readonly stored: StoredResponse
  readonly story: Story
  readonly nowMs: number
  readonly name: StatusName
  readonly chunks: Chunks
  readonly first?: ReadChunk | undefined
  /** Whether a whole body gets a Content-Length that its response was stored without. */
  readonly addsLength: boolean
}

/** The usual hit, without a promise: the whole of a body that is stored inline. Undefined when `answerFrom` is needed. */
export function answerAtOnce(asked: AnswerRequest): Response | undefined {
  const { request, stored } = asked
  const inline = wantsWhole(request) && !NO_BODY.has(stored.status) ? bytesInline(stored.body) : undefined
  return inline === undefined ? undefined : answerWhole(asked, inline)
}

/**
 * Makes the response from a stored one: whole, a part, or 304. Resolves to undefined when the stored body is gone. Calls `onGone`
 * then, and also when a later chunk turns out to be gone while the body is sent. Rejects as the store does.
 */
export async function answerFrom(asked: AnswerRequest, onGone: () => unknown): Promise<Response | undefined> {
  const { request, stored, story, nowMs, name } = asked
  const headers = headersOf(stored.fields)
  const ageMs = Math.min(ageAt(stored, nowMs), 2 ** 31 * 1000)
  headers.set('age', `${Math.floor(ageMs / 1000)}`)
  tellStatus(headers, name, { ...story, ttl: Math.floor((stored.lifetimeMs - ageMs) / 1000) })
  if (stored.status === 200 && isNotModified(request.headers, headers, nowMs)) {
    trimTo304(headers)
    return new Response(null, { status: 304, headers })
  }
  if (NO_BODY.has(stored.status)) return new Response(null, { status: stored.status, headers })
  const isHead = request.method === 'HEAD'
  const { length } = stored
  const part = partFor(request, stored, headers)
  if (part === 'unsatisfiable') {
    for (const field of ['content-length', 'content-type', 'content-encoding']) headers.delete(field)
    headers.set('content-range', `bytes */${length}`)
    return new Response(null, { status: 416, headers })
  }
  const [from, to] = part === 'whole' ? [0, length] : [part.from, part.to]
  if (asked.addsLength || isHead || part !== 'whole') headers.set('content-length', `${to - from}`)
  if (isHead) return new Response(null, { status: stored.status, headers })
  const isPart = part !== 'whole'
  if (isPart) headers.set('content-range', `bytes ${from}-${to - 1}/${length}`)
  const body = await bodyOf(asked, [from, to], onGone)
  if (body === undefined) return undefined
  const sent = headers.has('content-type') ? body : untyped(body)
  return new Response(sent, { status: isPart ? 206 : stored.status, headers, ...encodedInit(headers) })
}

/** The part of a stored body that a request gets. */
function partFor({ method, headers: asked }: Request, { status, length }: StoredResponse, headers: Headers): Part {
  return status === 200 && method !== 'HEAD' && asked.has('range') ? partOf(asked, headers, length) : 'whole'
}

/** Whether a request is a GET without conditions and without a range. */
function wantsWhole({ method, headers }: Request): boolean {
  return method === 'GET' && !['if-none-match', 'if-modified-since', 'range'].some((name) => headers.has(name))
}

/** A response with the whole body. Its fields are passed as a plain object, so that no runtime copies them twice. */
function answerWhole({ stored, story, nowMs, name, addsLength }: AnswerRequest, body: BodyInit): Response {
  const { status, fields, length, lifetimeMs } = stored
  const ageMs = Math.min(ageAt(stored, nowMs), 2 ** 31 * 1000)
  const headers: Record<string, string> = {}
  const cookies: Field[] = []
  for (const field of fields) {
    if (field[0] === 'set-cookie') cookies.push(field)
    else headers[field[0]] = field[1]
  }
  headers.age = `${Math.floor(ageMs / 1000)}`
  if (addsLength) headers['content-length'] = `${length}`
  if (name) {
    const member = statusMember(name, { ...story, ttl: Math.floor((lifetimeMs - ageMs) / 1000) })
    headers['cache-status'] = headers['cache-status'] ? `${headers['cache-status']}, ${member}` : member
  }
  const all = cookies.length > 0 ? [...Object.entries(headers), ...(cookies as [string, string][])] : headers
  const encoded = headers['content-encoding'] === undefined ? {} : ENCODED
  return new Response(headers['content-type'] === undefined ? untyped(body) : body, {
    status,
    headers: all,
    ...encoded,
  })
}

/**
 * The body of a response without Content-Type, as a stream. A body that is text would add one; so would Bun to bytes, and a server,
 * @hono/node-server for one, to an empty body.
 */
function untyped(body: BodyInit): BodyInit | null {
  if (typeof body === 'object' && !ArrayBuffer.isView(body)) return body
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  if (bytes.byteLength === 0) return null
  return new ReadableStream({
    start(controller) {
      controller.enqueue(bytes)
      controller.close()
    },
  })
}

/** workerd would compress a body with Content-Encoding once more, unless `encodeBody` says that it is encoded already. */
function encodedInit(headers: Headers): ResponseInit {
  return headers.has('content-encoding') ? ENCODED : {}
}

/** A chunk of a stored body; undefined if it is gone, or not as long as it was when it was stored. */
async function readChunk(
  chunks: Chunks,
  { body, length }: StoredResponse,
  index: number,
): Promise<ReadChunk | undefined> {
  if (!('id' in body)) return undefined
  const { id, size } = body
  const bytes = await chunks.read(id, index)
  return bytes?.length === Math.min(size, length - index * size) ? { id, index, bytes } : undefined
}

/** Reads the first chunk that the response to a request needs. Undefined if it is gone. Rejects as the store does. */
export function readFirst({
  request,
  stored,
  chunks,
}: Pick<AnswerRequest, 'request' | 'stored' | 'chunks'>): Promise<ReadChunk | undefined> {
  const part = partFor(request, stored, headersOf(stored.fields))
  const { body } = stored
  return readChunk(chunks, stored, typeof part === 'object' && 'id' in body ? Math.floor(part.from / body.size) : 0)
}

async function bodyOf(
  { stored, chunks, first }: AnswerRequest,
  [from, to]: readonly [number, number],
  onGone: () => unknown,
): Promise<BodyInit | undefined> {
  const { body, length } = stored
  const inline = bytesInline(body)
  if (inline !== undefined) {
    if (to - from === length) return inline
    const bytes = typeof inline === 'string' ? new TextEncoder().encode(inline) : inline
    return bytes.slice(from, to)
  }
  if (!('id' in body)) return undefined
  const { id, size } = body
  let index = Math.floor(from / size)
  // The first chunk is read before the response is made: if it is gone, the origin can still be asked.
  let read = first?.id === id && first.index === index ? first : await readChunk(chunks, stored, index)
  if (!read) {
    onGone()
    return undefined
  }
  let at = index * size
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { bytes } = read ?? (await readChunk(chunks, stored, index)) ?? {}
        read = undefined
        // The stream fails, so that the client sees that the body was cut.
        if (!bytes) {
          onGone()
          throw new Error('a part of the stored body is gone')
        }
        const piece = bytes.subarray(Math.max(0, from - at), Math.min(bytes.length, to - at))
        at += bytes.length
        index++
        controller.enqueue(piece)
        if (at >= to) controller.close()
      },
    },
    { highWaterMark: 0 },
  )
}
