import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Gateway, GatewayAnswer, GatewayBody } from 'hither/gateway'

export interface ServeOptions {
  /** 0 asks the system for a free one. @default 0 */
  readonly port?: number
  /** @default '127.0.0.1' */
  readonly host?: string
  /** Connections open at a time; one more is answered 503 with `Retry-After` and closed. @default 10_000 */
  readonly maxConnections?: number
  /** A connection on which nothing moves for so long during a request is closed, in milliseconds. @default 30_000 */
  readonly idleMs?: number
}

export interface Served {
  /** Such as `http://127.0.0.1:8079`. */
  readonly url: string
  readonly port: number
  /** Takes no new connection, ends streams, lets requests under way end for up to `graceMs`, then closes what is left. */
  stop(graceMs?: number): Promise<void>
}

/** How long a body that was refused half-way is read and thrown away, so that its sender sees the answer. */
const DISCARD_MS = 2000
const HEADERS_MS = 10_000
/** Longest time for a whole request to arrive; the gateway's own bound on its body comes first. */
const REQUEST_MS = 60_000
const FULL = 'HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'

/**
 * Serves a gateway over node:http with keep-alive. A stream is sent as it comes, as fast as its client reads. Rejects when the port cannot be had.
 */
export async function serve(gateway: Gateway, options: ServeOptions = {}): Promise<Served> {
  const { port = 0, host = '127.0.0.1', maxConnections = 10_000, idleMs = 30_000 } = options
  let stopping = false
  const connections = new Set<Socket>()
  const streams = new Set<() => void>()
  const server = createServer(
    { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, connectionsCheckingInterval: 2000, noDelay: true },
    (incoming, outgoing) => {
      answer(gateway, incoming, outgoing, () => stopping, streams).catch(() => outgoing.destroy())
    },
  )
  server.keepAliveTimeout = 60_000
  server.timeout = idleMs
  server.on('connection', (socket) => {
    if (connections.size >= maxConnections) return void socket.on('error', () => {}).end(FULL)
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
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
        for (const end of [...streams]) end()
        server.closeIdleConnections()
        // Node takes a connection that was opened in advance, and never used, for one with a request.
        for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
      }),
  }
}

async function answer(
  gateway: Gateway,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  isStopping: () => boolean,
  streams: Set<() => void>,
): Promise<void> {
  const { method = 'GET', url = '/', headers } = incoming
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const request = {
    method,
    target: url,
    header: (name: string) => headers[name] as string | undefined,
    body: hasBody ? toBody(incoming) : null,
  }
  const answered: GatewayAnswer = isHost(headers.host)
    ? await gateway.handle(request)
    : { status: 400, headers: {}, body: null }
  const { status, body } = answered
  for (const [name, value] of Object.entries(answered.headers)) outgoing.setHeader(name, value)
  outgoing.statusCode = status
  if (body instanceof ReadableStream) {
    // It ends with its stream, so that a gateway that stops does not wait for the client.
    outgoing.setHeader('connection', 'close')
    return pump(body, outgoing, streams)
  }
  if (method !== 'HEAD') outgoing.setHeader('content-length', body === null ? 0 : Buffer.byteLength(body))
  const rest = hasBody && !incoming.complete
  // The connection of a body that was refused half-way ends with the answer: what follows is no request.
  if (rest || isStopping()) outgoing.setHeader('connection', 'close')
  if (!rest) return void outgoing.end(body ?? '')
  outgoing.flushHeaders()
  outgoing.write(body ?? '')
  await discard(incoming)
  outgoing.end()
}

/** Sends a stream as fast as its client reads, until either ends. */
async function pump(
  body: ReadableStream<Uint8Array>,
  outgoing: ServerResponse,
  streams: Set<() => void>,
): Promise<void> {
  const reader = body.getReader()
  const end = (): void => void reader.cancel().catch(() => {})
  streams.add(end)
  outgoing.on('close', end)
  try {
    // Its client may have left while the stream was opened.
    if (!outgoing.destroyed) outgoing.flushHeaders()
    while (!outgoing.destroyed) {
      const { done, value } = await reader.read()
      if (done || outgoing.destroyed) break
      if (!outgoing.write(value)) await drained(outgoing)
    }
  } finally {
    end()
    streams.delete(end)
    outgoing.end()
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done).off('close', done)
      resolve()
    }
    outgoing.on('drain', done).on('close', done)
  })
}

/** A host is a host: what else the header may hold would become a part of a url. */
function isHost(host = 'localhost'): boolean {
  return /^[\w.:[\]-]+$/.test(host)
}

let turn: Promise<undefined> | undefined
/** Requests that arrived in one turn of the loop go on together, so that their commands share a write to Redis. */
function nextTurn(): Promise<undefined> {
  turn ??= new Promise((resolve) => {
    setImmediate(() => {
      turn = undefined
      resolve(undefined)
    })
  })
  return turn
}

/** Cancelling it leaves the connection open for the answer; unread, it reads nothing. */
function toBody(incoming: IncomingMessage): GatewayBody {
  let cancelled = false
  let wake = (): void => {}
  return {
    next: () =>
      new Promise((resolve, reject) => {
        wake = (): void => {
          const chunk: Buffer | null = cancelled ? null : incoming.read()
          const ended = cancelled || incoming.readableEnded || incoming.destroyed
          if (chunk === null && !ended) return
          incoming.off('readable', wake).off('end', wake).off('close', wake)
          if (chunk !== null) resolve(chunk)
          else if (incoming.complete && !cancelled) resolve(nextTurn())
          else reject(new Error('the body ended early'))
        }
        incoming.on('readable', wake).on('end', wake).on('close', wake)
        wake()
      }),
    async cancel() {
      cancelled = true
      wake()
    },
  }
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
