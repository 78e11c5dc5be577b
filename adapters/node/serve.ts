import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'

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

/** Serves a fetch handler over node:http with keep-alive. Rejects when the port cannot be had. */
export async function serve(
  handler: (request: Request) => Response | Promise<Response>,
  options: ServeOptions = {},
): Promise<Served> {
  const { port = 0, host = '127.0.0.1' } = options
  const server = createServer((incoming, outgoing) => {
    answer(handler, incoming, outgoing).catch(() => outgoing.destroy())
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
  handler: (request: Request) => Response | Promise<Response>,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const { method = 'GET', headers } = incoming
  const url = new URL(incoming.url ?? '/', `http://${headers.host ?? 'localhost'}`)
  const init: RequestInit & { duplex?: 'half' } = { method, headers: toHeaders(incoming) }
  const hasBody = method !== 'GET' && method !== 'HEAD'
  if (hasBody) {
    init.body = Readable.toWeb(incoming) as ReadableStream
    init.duplex = 'half'
  }
  const response = await handler(new Request(url, init))
  const body = Buffer.from(await response.arrayBuffer())
  const head = Object.fromEntries(response.headers)
  if (method !== 'HEAD') head['content-length'] = String(body.byteLength)
  // A body that was refused half-way is not read on: the connection ends with the answer.
  if (hasBody && !incoming.readableEnded) head.connection = 'close'
  outgoing.writeHead(response.status, head)
  outgoing.end(body)
}

function toHeaders(incoming: IncomingMessage): Headers {
  const headers = new Headers()
  for (let i = 0; i < incoming.rawHeaders.length; i += 2) {
    headers.append(incoming.rawHeaders[i] as string, incoming.rawHeaders[i + 1] as string)
  }
  return headers
}
