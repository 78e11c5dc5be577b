import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { HitherError } from 'hither'
import type { Gateway } from 'hither/gateway'
import { respond } from './respond.ts'

export interface ServeOptions {
  /** 0 asks the system for a free one. @default 0 */
  readonly port?: number
  /** @default '127.0.0.1' */
  readonly host?: string
  /** Connections open at a time; one more is answered 503 with `Retry-After` and closed. @default 10_000 */
  readonly maxConnections?: number
  /** A connection on which nothing moves for so long during a request is closed, in milliseconds. @default 30_000 */
  readonly idleMs?: number
  /**
   * How long a connection stays open without a request, in milliseconds. Behind a proxy: longer than the proxy keeps its
   * own. @default 60_000
   */
  readonly keepAliveMs?: number
  /** Names and addresses, without a port, that a request may have in `Host`; any other is 421. @default any */
  readonly hosts?: readonly string[]
}

export interface Served {
  /** Such as `http://127.0.0.1:8079`. */
  readonly url: string
  readonly port: number
  /** Takes no new connection, ends streams, lets requests under way end for up to `graceMs`, then closes what is left. */
  stop(graceMs?: number): Promise<void>
}

const HEADERS_MS = 10_000
/** Longest time for a whole request to arrive; the gateway's own bound on its body comes first. */
const REQUEST_MS = 60_000
const FULL = 'HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'

/**
 * node:http, without an `import` of it where Node gives it otherwise (from 20.16 on): an import reads each of its exports,
 * and the one named WebSocket loads a whole client of HTTP, which takes longer than all else at a start.
 */
const nodeHttp = async (): Promise<typeof import('node:http')> =>
  process.getBuiltinModule?.('node:http') ?? (await import('node:http'))

/**
 * Serves a gateway over node:http with keep-alive. Large answers and streams are sent as fast as their clients read.
 * Rejects when the port cannot be had, and with `INVALID_ARGUMENT` for a number that makes no sense.
 */
export async function serve(gateway: Gateway, options: ServeOptions = {}): Promise<Served> {
  const { port = 0, host = '127.0.0.1', maxConnections = 10_000, idleMs = 30_000, keepAliveMs = 60_000 } = options
  checkNumbers({ maxConnections, idleMs, keepAliveMs })
  if (options.hosts !== undefined && !Array.isArray(options.hosts)) {
    throw new HitherError('INVALID_ARGUMENT', 'hosts is a list of host names')
  }
  const hosts = options.hosts && new Set(options.hosts.map((name) => name.toLowerCase()))
  let stopping = false
  const connections = new Set<Socket>()
  const eventStreams = new Set<() => void>()
  const state = { isStopping: () => stopping, eventStreams, hosts }
  const { createServer } = await nodeHttp()
  const server = createServer(
    { headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS, connectionsCheckingInterval: 2000, noDelay: true },
    (incoming, outgoing) => {
      respond(gateway, incoming, outgoing, state).catch(() => outgoing.destroy())
    },
  )
  server.keepAliveTimeout = keepAliveMs
  server.timeout = idleMs
  answerBadRequests(server)
  server.on('connection', (socket) => {
    if (connections.size >= maxConnections) return void socket.on('error', () => {}).end(FULL)
    connections.add(socket)
    socket.once('close', () => connections.delete(socket))
  })
  const bound = await listen(server, port, host)
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
        for (const end of [...eventStreams]) end()
        server.closeIdleConnections()
        // Node takes a connection that was opened in advance, and never used, for one with a request.
        for (const socket of connections) if (socket.bytesRead === 0) socket.destroy()
      }),
  }
}

function checkNumbers(options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(Number.isSafeInteger(value) && value > 0)) {
      throw new HitherError('INVALID_ARGUMENT', `${name} is a whole number above 0`)
    }
  }
}

function listen(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve((server.address() as AddressInfo).port)
    })
  })
}

/** What node:http refuses before there is a request is answered as JSON too: headers that are too large, or none. */
function answerBadRequests(server: Server): void {
  /** Connections with an answer under way, into which nothing else may be written. */
  const answering = new WeakMap<Socket, number>()
  server.on('request', ({ socket }, outgoing) => {
    answering.set(socket, (answering.get(socket) ?? 0) + 1)
    outgoing.once('close', () => answering.set(socket, (answering.get(socket) ?? 1) - 1))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'ECONNRESET' || !socket.writable || answering.get(socket as Socket)) return void socket.destroy()
    const [status, reason] = BAD_REQUESTS[error.code ?? ''] ?? ['400 Bad Request', 'the request is no HTTP/1.1']
    const body = JSON.stringify({ error: `ERR ${reason}` })
    const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\n`
    socket.end(`${head}connection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  })
}

/** By Node's code. */
const BAD_REQUESTS: Readonly<Record<string, readonly [status: string, reason: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'the request line and headers are too large: send a long command by body',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long'],
}
