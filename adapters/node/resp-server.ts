import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createConnection, type Engine } from 'hither/embedded'

export interface RespServerOptions {
  /** 0 asks the system for a free one. @default 0 */
  readonly port?: number
  /** @default '127.0.0.1' */
  readonly host?: string
  /** Connections open at a time; one more is told so and closed. @default 10_000 */
  readonly maxConnections?: number
}

export interface RespServer {
  /** Such as `redis://127.0.0.1:6379`. */
  readonly url: string
  readonly port: number
  /** Closes the port and every connection. */
  stop(): Promise<void>
}

/** Bytes of requests that wait for an earlier one of their connection, and of replies that a client does not read. */
const MAX_PENDING = 1000
const MAX_UNREAD = 256 * 1024 * 1024

/** V8 copies a slice of a string that is this short; a longer one would keep the whole string it was cut from. */
const SHORT = 12
const WINDOW = 4096

/** The reader joins the parts of a request that came in two into an array that is no Buffer: its `toString` writes numbers. */
const latin1 = (bytes: Uint8Array, from: number, to: number): string =>
  (bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)).toString(
    'latin1',
    from,
    to,
  )

/**
 * Turns words of requests into strings. Short words are cut from a string of the bytes around them, since a call of
 * `toString` for each costs more than the command does.
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
      // Who asks and never reads would fill the memory of this process.
      if (socket.writableLength > MAX_UNREAD) socket.destroy()
    },
    end: () => void socket.end(),
    address: `${socket.remoteAddress}:${socket.remotePort}`,
    decode,
  })
  socket.on('data', (chunk) => {
    connection.feed(chunk)
    if (connection.pending > MAX_PENDING || socket.writableNeedDrain) {
      socket.pause()
      const resume = (): void => {
        if (connection.pending > MAX_PENDING || socket.writableNeedDrain) return void setTimeout(resume, 5)
        socket.resume()
      }
      setTimeout(resume, 1)
    }
  })
  socket.on('error', () => socket.destroy())
  socket.once('close', () => connection.close())
  return () => socket.destroy()
}

/** Serves an engine to clients that speak RESP. Rejects when the port cannot be had. */
export async function serveResp(engine: Engine, options: RespServerOptions = {}): Promise<RespServer> {
  const { port = 0, host = '127.0.0.1', maxConnections = 10_000 } = options
  const open = new Set<() => void>()
  const server = createServer((socket) => {
    if (open.size >= maxConnections) return void socket.end('-ERR max number of clients reached\r\n')
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
