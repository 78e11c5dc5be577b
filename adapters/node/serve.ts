import type { Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { HitherError } from 'hither'
import type { Gateway } from 'hither/gateway'
import { respond } from './respond.ts'

export interface ServeOptions {
  /** 0 takes a free port. @default 0 */
  readonly port?: number
  /** @default '127.0.0.1' */
  readonly host?: string
  /** Most connections open at a time; one more gets a 503 with `Retry-After` and is closed. @default 10_000 */
  readonly maxConnections?: number
  /** A connection with no traffic for so long during a request is closed, in milliseconds. @default 30_000 */
  readonly idleMs?: number
  /**
   * How long a connection stays open without a request, in milliseconds. Behind a proxy, choose more than the proxy's own
   * limit. @default 60_000
   */
  readonly keepAliveMs?: number
  /** Names and addresses, without a port, that a request may have in `Host`; any other is 421. @default any */
  readonly hosts?: readonly string[]
}

export interface Served {
  /** Such as `http://127.0.0.1:8079`. */
  readonly url: string
  readonly port: number
  /** Accepts no new connection, ends streams, waits up to `graceMs` for requests under way, then closes the rest. */
  stop(graceMs?: number): Promise<void>
}

const HEADERS_MS = 10_000
/** Longest time for a whole request to arrive, in milliseconds. The gateway's own limit for a body is shorter by default. */
const REQUEST_MS = 60_000
const FULL = 'HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n'

/**
 * Gets node:http without an `import`, where Node has `getBuiltinModule` (from 20.16 on). An import reads each export, and that of
 * the export WebSocket loads a whole HTTP client, which takes longer than the rest of a start.
 */
const nodeHttp = async (): Promise<typeof import('node:http')> =>
  process.getBuiltinModule?.('node:http') ?? (await import('node:http'))

/**
 * Serves a gateway over node:http with keep-alive. Large responses and streams are sent as fast as their clients read.
 * Rejects when the port is not available, and with `INVALID_ARGUMENT` for an invalid option.
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
      // node:http also reads the requests of a connection that was refused. They must not run: the client may send them again.
      // Nobody responds to them, so the connection is ended here.
      const { socket } = incoming
      if (!connections.has(socket)) return void incoming.resume().once('end', () => socket.destroySoon())
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
        // Node counts a connection that was opened in advance and never used as one with a request, so it does not close it.
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

/** Responds with JSON to input that node:http refuses before there is a request, such as headers that are too large. */
function answerBadRequests(server: Server): void {
  /** Connections with a response under way, into which nothing else may be written: how many responses each has. */
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

/** Status and reason by Node's error code. */
const BAD_REQUESTS: Readonly<Record<string, readonly [status: string, reason: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'the request line and headers are too large: send a long command by body',
  ],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'the request took too long'],
}
