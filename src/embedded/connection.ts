import type { Client, Engine } from './contracts.ts'
import { encode } from './reply.ts'
import { createRequestReader, ProtocolError } from './request-reader.ts'

/** Where a connection's bytes go. */
export interface Socket {
  /** One unit a byte. */
  write(bytes: string): void
  /** Closes once what was written has left. */
  end(): void
  readonly address?: string
  /** How bytes become text of one unit a byte. @default by the platform's means */
  decode?(bytes: Uint8Array, from: number, to: number): string
}

/** One connection that speaks RESP. */
export interface Connection {
  readonly client: Client
  feed(chunk: Uint8Array): void
  /** The other side is gone. */
  close(): void
  /** Commands that wait for the one under way. */
  readonly pending: number
}

/** Longest text of replies that is held before it is written, in bytes. */
const FLUSH = 262_144

/** Lets a connection speak RESP with an engine: bytes in, bytes out, replies in the order of the requests. */
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
    text += part
    if (!feeding || text.length > FLUSH) flush()
  }
  const client = engine.connect({
    reply: (reply) => add(encode(reply, client.resp)),
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
