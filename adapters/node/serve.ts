import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ServeOptions {
  /** 0 asks the system for a free one. @default 0 */
  readonly port?: number
  /** @default '127.0.0.1' */
  readonly host?: string
}

export interface Served {
  /** Such as `http://127.0.0.1:8079`. */
  readonly url: string
  readonly port: number
  /** Takes no new connection, lets requests under way end for up to `graceMs`, then closes what is left. */
  stop(graceMs?: number): Promise<void>
}

type Handler = (request: Request) => Response | Promise<Response>

/** How long a body that was refused half-way is read and thrown away, so that its sender sees the answer. */
const DISCARD_MS = 2000

/**
 * Serves a fetch handler over node:http with keep-alive; answers are sent whole, not streamed. Rejects when the port
 * cannot be had.
 */
export async function serve(handler: Handler, options: ServeOptions = {}): Promise<Served> {
  const { port = 0, host = '127.0.0.1' } = options
  let stopping = false
  const server = createServer((incoming, outgoing) => {
    answer(handler, incoming, outgoing, () => stopping).catch(() => outgoing.destroy())
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
  const bound = (server.address() as AddressInfo).port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    stop: (graceMs = 10_000) =>
      new Promise((resolve) => {
        stopping = true
        const cut = setTimeout(() => server.closeAllConnections(), graceMs)
        server.close(() => {
          clearTimeout(cut)
          resolve()
        })
        server.closeIdleConnections()
      }),
  }
}

async function answer(
  handler: Handler,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  isStopping: () => boolean,
): Promise<void> {
  const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD'
  const request = toRequest(incoming, hasBody)
  const response = typeof request === 'number' ? new Response(null, { status: request }) : await handler(request)
  const body = Buffer.from(await response.arrayBuffer())
  outgoing.statusCode = response.status
  outgoing.setHeaders(response.headers)
  if (incoming.method !== 'HEAD') outgoing.setHeader('content-length', body.byteLength)
  const rest = hasBody && !incoming.readableEnded
  // The connection of a body that was refused half-way ends with the answer: what follows is no request.
  if (rest || isStopping()) outgoing.setHeader('connection', 'close')
  if (rest) {
    outgoing.write(body)
    await discard(incoming)
    outgoing.end()
  } else outgoing.end(body)
}

/** The request in fetch's terms, or the status that says why it has none. */
function toRequest(incoming: IncomingMessage, hasBody: boolean): Request | number {
  const { method = 'GET', headers, url = '/' } = incoming
  // fetch knows no such request.
  if (/^(CONNECT|TRACE|TRACK)$/i.test(method)) return 405
  const init: RequestInit & { duplex?: 'half' } = { method, headers: toHeaders(incoming) }
  if (hasBody) {
    init.body = toStream(incoming)
    init.duplex = 'half'
  }
  try {
    // A path of two slashes is a path, not a host.
    if (!url.startsWith('/')) return new Request(url, init)
    // A host is a host: what else the header may hold would become a part of the path.
    const host = headers.host ?? 'localhost'
    return /^[\w.:[\]-]+$/.test(host) ? new Request(`http://${host}${url}`, init) : 400
  } catch {
    return 400
  }
}

/** Cancelling it leaves the connection open for the answer, unlike `Readable.toWeb`; unread, it reads nothing. */
function toStream(incoming: IncomingMessage): ReadableStream<Uint8Array> {
  const chunks: AsyncIterator<Buffer> = incoming.iterator({ destroyOnReturn: false })
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await chunks.next()
        if (done) controller.close()
        else controller.enqueue(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
      },
      async cancel() {
        await chunks.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}

function discard(incoming: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, DISCARD_MS)
    const end = (): void => {
      clearTimeout(timer)
      resolve()
    }
    if (incoming.complete || incoming.destroyed) return end()
    incoming.on('end', end).on('close', end).on('error', end).resume()
  })
}

function toHeaders(incoming: IncomingMessage): Headers {
  const headers = new Headers()
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i] as string, incoming.rawHeaders[i + 1] as string)
  }
  return headers
}
