import type { Client, Engine } from './contracts.ts'
import { encode, type Reply, replyOf } from './reply.ts'
import { createRequestReader, ProtocolError } from './request-reader.ts'

/** The side of a connection that the engine writes to. */
export interface Socket {
  /** Writes a string with one unit a byte. */
  write(bytes: string): void
  /** Closes the connection once all bytes have been sent. */
  end(): void
  readonly address?: string
  /** Decodes bytes as text with one unit a byte. @default `fromBytes` */
  decode?(bytes: Uint8Array, from: number, to: number): string
}

/** A connection that speaks RESP. */
export interface Connection {
  readonly client: Client
  feed(chunk: Uint8Array): void
  /** Call when the other side has disconnected. */
  close(): void
  /** Number of commands that wait for the one under way. */
  readonly pending: number
}

/** Replies are written once they have this many bytes, or when the chunk of requests is done. */
const FLUSH = 262_144

function encodeOrRefuse(reply: Reply, resp: 2 | 3): string {
  try {
    return encode(reply, resp)
  } catch (error) {
    return encode(replyOf(error), resp)
  }
}

/** Connects a socket to an engine by RESP. Replies are sent in the order of the requests. */
export function createConnection(engine: Engine, socket: Socket): Connection {
  let text = ''
  let feeding = false
  let ended = false
  const flush = (): void => {
    if (text === '' || ended) return
    const full = text
    text = ''
    socket.write(full)
  }
  const add = (part: string): void => {
    if (part.length > FLUSH) flush()
    text += part
    if (!feeding || text.length > FLUSH) flush()
  }
  const client = engine.connect({
    reply: (reply) => add(encodeOrRefuse(reply, client.resp)),
    push(message) {
      const isMonitor = client.monitors && message.items.length === 1
      add(isMonitor ? `+${message.items[0]}\r\n` : encode(message, client.resp))
    },
    close() {
      flush()
      ended = true
      socket.end()
    },
  })
  if (socket.address) client.address = socket.address
  const reader = createRequestReader({
    onRequest(args) {
      if (!ended) client.submit(args)
    },
    isKnown: () => client.user !== undefined,
    ...(socket.decode ? { decode: socket.decode } : {}),
  })
  return {
    client,
    get pending() {
      return client.pending
    },
    feed(chunk) {
      if (ended) return
      feeding = true
      try {
        reader.feed(chunk)
      } catch (error) {
        if (!(error instanceof ProtocolError)) throw error
        text += `-${error.message}\r\n`
        flush()
        ended = true
        socket.end()
      } finally {
        feeding = false
        flush()
      }
    },
    close() {
      ended = true
      engine.disconnect(client)
    },
  }
}
