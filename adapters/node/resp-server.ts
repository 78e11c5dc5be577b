import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createConnection, type Engine } from 'hither/embedded'

export interface RespServerOptions {
  /** 0 takes a free port. @default 0 */
  readonly port?: number
  /** @default '127.0.0.1' */
  readonly host?: string
  /** Most connections open at a time; one more gets an error and is closed. @default 10_000 */
  readonly maxConnections?: number
}

export interface RespServer {
  /** Such as `redis://127.0.0.1:6379`. */
  readonly url: string
  readonly port: number
  /** Closes the port and every connection. */
  stop(): Promise<void>
}

/** Most requests that wait for an earlier one of their connection, and most bytes of replies that a client has not read. */
const MAX_PENDING = 1000
const MAX_UNREAD = 256 * 1024 * 1024
/**
 * Bytes of replies that a client has not read, beyond which no more of its requests are read. A client that writes a whole
 * pipeline before it reads would otherwise wait for this side, and this side for the client.
 */
const MAX_WAITING = MAX_UNREAD / 2
/** How long a client that was refused has to close its connection, in milliseconds. */
const REFUSED_MS = 1000

/** V8 copies a slice that is this short. A longer slice would keep alive the whole string that it was cut from. */
const SHORT = 12
const WINDOW = 4096

/**
 * Bytes as Latin-1 text. A request that arrived in two parts is joined into a plain Uint8Array, whose own `toString` would give
 * numbers.
 */
const latin1 = (bytes: Uint8Array, from: number, to: number): string =>
  (bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString(
    'latin1',
    from,
    to,
  )

/**
 * Turns the words of requests into strings. Short words are cut from one string of the bytes around them, since a call of
 * `toString` for each of them costs more than the command itself.
 */
function createDecoder(): (bytes: Uint8Array, from: number, to: number) => string {
  let window: Uint8Array | undefined
  let start = 0
  let text = ''
  return (bytes, from, to) => {
    if (to - from > SHORT) return latin1(bytes, from, to)
    if (bytes !== window || from < start || to > start + text.length) {
      window = bytes
      start = from
      text = latin1(bytes, from, Math.min(bytes.length, from + WINDOW))
    }
    return text.slice(from - start, to - start)
  }
}
const decode = createDecoder()

function serveSocket(engine: Engine, socket: Socket): () => void {
  socket.setNoDelay(true)
  const connection = createConnection(engine, {
    write(text) {
      socket.write(text, 'latin1')
      // A client that sends commands and never reads replies would fill the memory of this process.
      if (socket.writableLength > MAX_UNREAD) socket.destroy()
    },
    end: () => void socket.end(),
    address: `${socket.remoteAddress}:${socket.remotePort}`,
    decode,
  })
  socket.on('data', (chunk) => {
    connection.feed(chunk)
    const isFull = (): boolean => connection.pending > MAX_PENDING || socket.writableLength > MAX_WAITING
    if (isFull()) {
      socket.pause()
      const resume = (): void => {
        if (isFull()) return void setTimeout(resume, 5)
        socket.resume()
      }
      setTimeout(resume, 1)
    }
  })
  socket.on('error', () => socket.destroy())
  socket.once('close', () => connection.close())
  return () => socket.destroy()
}

/** What the client sends is dropped until it ends its side, at most `REFUSED_MS`. */
function refuse(socket: Socket): void {
  const timer = setTimeout(() => socket.destroy(), REFUSED_MS)
  socket.on('error', () => {}).once('close', () => clearTimeout(timer))
  socket.resume().end('-ERR max number of clients reached\r\n')
}

/** Serves an engine to clients that speak RESP. Rejects when the port is not available. */
export async function serveResp(engine: Engine, options: RespServerOptions = {}): Promise<RespServer> {
  const { port = 0, host = '127.0.0.1', maxConnections = 10_000 } = options
  const open = new Set<() => void>()
  const server = createServer((socket) => {
    if (open.size >= maxConnections) return refuse(socket)
    const end = serveSocket(engine, socket)
    open.add(end)
    socket.once('close', () => open.delete(end))
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
    url: `redis://${host.includes(':') ? `[${host}]` : host}:${bound}`,
    port: bound,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const end of open) end()
      }),
  }
}
