/** A fault proxy on loopback between a REST client and its server, which is a URL or a fetch handler. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

/** What the proxy does with a request. */
export type HttpFault =
  /** Passes the request on; once the whole response has come, cuts the connection and delivers nothing of the response. */
  | 'drop'
  /** Cuts the connection; the server never sees the request. */
  | 'cut'
  /** Never responds; the server never sees the request. */
  | 'stall'
  /** Passes the request on, and never responds. */
  | 'stall-after'
  /** Responds like this; the server sees the request only if `executed` is true. */
  | {
      readonly status: number
      readonly headers?: Record<string, string>
      readonly body?: string
      readonly executed?: boolean
    }

/** 429, with `Retry-After` in whole seconds. */
export const tooManyRequests = (retryAfterS: number): HttpFault => ({
  status: 429,
  headers: { 'Retry-After': `${retryAfterS}`, 'Content-Type': 'application/json' },
  body: '{"error":"too many requests"}',
})
/** 500 with a JSON error, from a server that did not run the command. */
export const serverError: HttpFault = { status: 500, body: '{"error":"internal error"}' }
/** 200 with a page instead of JSON, as a captive portal responds. */
export const notJson: HttpFault = {
  status: 200,
  headers: { 'Content-Type': 'text/html' },
  body: '<!doctype html><title>Welcome</title>',
}

export interface HttpProxyRequest {
  readonly method: string
  /** The path, with its query. */
  readonly path: string
  readonly headers: Headers
  readonly body: string
}

export interface HttpProxyStats {
  readonly connections: number
  readonly requests: number
  /** Requests to which the server responded. */
  readonly executed: number
  /** Responses that were lost. */
  readonly dropped: number
}

export interface HttpProxy {
  /** `http://127.0.0.1:<port>` */
  readonly url: string
  readonly stats: HttpProxyStats
  /** Applies a fault to the next requests that match, then passes again. @default times 1, when always */
  fail(fault: HttpFault, options?: { times?: number; when?: (request: HttpProxyRequest) => boolean }): void
  /** Lets the server run requests, and loses the responses: of the next `which` requests, or of all that match until `pass`. */
  dropReplies(which: number | ((request: HttpProxyRequest) => boolean)): void
  /** Delays each response by so many milliseconds. */
  latency(ms: number): void
  /** Ends every connection at once by a reset; new ones are served. */
  cut(): void
  /** Closes the port and every connection: the next connect is refused. */
  refuse(): Promise<void>
  /** Ends every fault. Stalled requests never get a response; a refused port listens again. */
  pass(): Promise<void>
  stop(): Promise<void>
}

/** Where requests go: the base URL of a server, or the server itself. */
export type HttpTarget = string | ((request: Request) => Response | Promise<Response>)

export async function createHttpProxy(target: HttpTarget): Promise<HttpProxy> {
  const stats = { connections: 0, requests: 0, executed: 0, dropped: 0 }
  let faults: { fault: HttpFault; left: number; when: (request: HttpProxyRequest) => boolean }[] = []
  let delayMs = 0

  const forward = async (request: HttpProxyRequest): Promise<{ response: Response; body: Buffer }> => {
    const base = typeof target === 'string' ? target : 'http://127.0.0.1'
    const headers = new Headers(request.headers)
    for (const name of ['host', 'connection', 'content-length', 'transfer-encoding']) headers.delete(name)
    const { method } = request
    const init = { method, headers, ...(method === 'GET' || method === 'HEAD' ? {} : { body: request.body }) }
    const url = new URL(request.path, base)
    const response = typeof target === 'string' ? await fetch(url, init) : await target(new Request(url, init))
    const body = Buffer.from(await response.arrayBuffer())
    stats.executed++
    return { response, body }
  }

  const handle = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of incoming) chunks.push(chunk as Buffer)
    stats.requests++
    const request: HttpProxyRequest = {
      method: incoming.method ?? 'GET',
      path: incoming.url ?? '/',
      headers: new Headers(Object.entries(incoming.headers).map(([name, value]) => [name, String(value)])),
      body: Buffer.concat(chunks).toString(),
    }
    const found = faults.find((each) => each.left > 0 && each.when(request))
    if (found) found.left--
    const fault = found?.fault
    if (fault === 'cut') return void incoming.socket.resetAndDestroy()
    if (fault === 'stall') return
    const answer = typeof fault === 'object' ? fault : undefined
    const real = answer && !answer.executed ? undefined : await forward(request)
    if (fault === 'stall-after') return
    if (fault === 'drop') {
      stats.dropped++
      return void incoming.socket.resetAndDestroy()
    }
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
    if (answer) {
      if (real) stats.dropped++
      outgoing.writeHead(answer.status, answer.headers ?? { 'Content-Type': 'application/json' }).end(answer.body)
    } else if (real) {
      const headers = Object.fromEntries(real.response.headers)
      for (const name of ['content-length', 'content-encoding', 'transfer-encoding', 'connection']) {
        delete headers[name]
      }
      outgoing.writeHead(real.response.status, headers).end(real.body)
    }
  }

  const sockets = new Set<Socket>()
  let listener: Server | undefined
  let port = 0
  const listen = async (): Promise<void> => {
    const server = createServer((incoming, outgoing) => {
      handle(incoming, outgoing).catch(() => incoming.socket.destroy())
    })
    server.on('connection', (socket) => {
      stats.connections++
      sockets.add(socket)
      socket.on('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', resolve)
    })
    port = (server.address() as AddressInfo).port
    listener = server
  }
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy()
  }
  const refuse = async (): Promise<void> => {
    const closing = listener
    listener = undefined
    const closed = closing && new Promise((resolve) => closing.close(resolve))
    cut()
    await closed
  }
  await listen()

  const fail: HttpProxy['fail'] = (fault, { times = 1, when = () => true } = {}) => {
    faults = faults.filter((each) => each.left > 0)
    faults.push({ fault, left: times, when })
  }
  return {
    url: `http://127.0.0.1:${port}`,
    get stats() {
      return { ...stats }
    },
    fail,
    dropReplies: (which) =>
      typeof which === 'number'
        ? fail('drop', { times: which })
        : fail('drop', { times: Number.POSITIVE_INFINITY, when: which }),
    latency(ms) {
      delayMs = ms
    },
    cut,
    refuse,
    async pass() {
      faults = []
      delayMs = 0
      if (!listener) await listen()
    },
    stop: refuse,
  }
}
