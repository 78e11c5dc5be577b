import { Agent, request as ask, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { ReadableStream as NodeStream } from 'node:stream/web'
import { endToEnd, targetOf } from './proxy.ts'

/** An idle connection is reused for one second only: the origin may close it just when a request is sent. */
const agent = new Agent({ keepAlive: true, maxSockets: 256, timeout: 1000 })
const NO_BODY = new Set([204, 205, 304])

/** Receives interim responses of the origin: 102, 103. */
export type OnInterim = (status: number, headers: Readonly<Record<string, string | string[] | undefined>>) => void

export interface UpstreamOptions {
  readonly onInterim?: OnInterim
  /** A body for a GET, which a `Request` cannot have; null: the request has no body and no field that announces one. @default the request's */
  readonly body?: Readable | null
}

/**
 * Sends a request to an `http:` origin and resolves to the response with its body as the origin sent it. `fetch` would decode
 * the body, change some fields and refuse some methods. Rejects where the head of the response does not arrive whole.
 */
export function upstream(
  request: Request,
  origin: string,
  { onInterim, body }: UpstreamOptions = {},
): Promise<Response> {
  return new Promise((resolve, reject) => {
    const headers = endToEnd(request.headers)
    // The host of the cache's key: the target of a request may name another host than its Host field.
    headers.set('host', new URL(request.url).host)
    const source = body === undefined && request.body ? Readable.fromWeb(request.body as NodeStream<Uint8Array>) : body
    if (!source) headers.delete('content-length')
    else if (!headers.has('content-length')) headers.set('transfer-encoding', 'chunked')
    const target = targetOf(request, origin)
    const outgoing = ask(target, {
      // Given a URL, Node would leave out a trailing `?`.
      path: target.replace(/^[^:]+:\/\/[^/]*/, ''),
      method: request.method,
      headers: Object.fromEntries(headers),
      agent,
      signal: request.signal,
    })
    outgoing.on('error', reject)
    // The client did not ask to switch protocols: without this the request would never end.
    outgoing.on('upgrade', (_, socket) => {
      socket.destroy()
      reject(new Error('the origin has changed the protocol'))
    })
    outgoing.on('information', (information) => onInterim?.(information.statusCode, information.headers))
    outgoing.on('response', (incoming) => {
      try {
        resolve(responseOf(incoming))
      } catch (error) {
        incoming.destroy()
        reject(error)
      }
    })
    if (source) source.on('error', (error) => outgoing.destroy(error)).pipe(outgoing)
    else outgoing.end()
  })
}

function responseOf(incoming: IncomingMessage): Response {
  const headers = new Headers()
  const raw = incoming.rawHeaders
  for (let i = 0; i < raw.length; i += 2) headers.append(raw[i] as string, raw[i + 1] as string)
  const status = incoming.statusCode as number
  const hasBody = !NO_BODY.has(status) && incoming.headers['content-length'] !== '0'
  if (!hasBody) incoming.resume()
  const body = hasBody ? (Readable.toWeb(incoming) as unknown as ReadableStream<Uint8Array>) : null
  return new Response(body, { status, statusText: incoming.statusMessage ?? '', headers: endToEnd(headers) })
}
