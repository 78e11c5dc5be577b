import { connect } from 'cloudflare:sockets'

interface SocketTarget {
  readonly host: string
  readonly port: number
  readonly path?: string
  readonly tls?: object
}

interface SocketEvents {
  onOpen(): void
  onData(bytes: Uint8Array): void
  onDrain(): void
  onEnd(cause: unknown): void
}

interface OpenedSocket {
  write(chunks: readonly (string | Uint8Array)[]): boolean
  destroy(): void
}

/** Bytes that may wait in the socket before `write` returns false, which asks the caller to pause. */
const MAX_WAITING = 1_048_576
const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** A socket of Workers. It belongs to the request that opened it, trusts only public authorities, and has no Unix form. */
export function openSocket({ host, port, path, tls }: SocketTarget, events: SocketEvents): OpenedSocket {
  if (path) throw new TypeError('Workers have no Unix sockets')
  if (tls && Object.keys(tls).length > 0)
    throw new TypeError('Workers take no TLS options: they trust public authorities')
  const socket = connect({ hostname: host, port }, { secureTransport: tls ? 'on' : 'off', allowHalfOpen: false })
  const writer = socket.writable.getWriter()
  let ended = false
  let waiting = 0
  const end = (cause?: unknown): void => {
    if (ended) return
    ended = true
    socket.close().catch(() => {})
    events.onEnd(cause)
  }
  const read = async (): Promise<void> => {
    await socket.opened
    if (!ended) events.onOpen()
    const reader = socket.readable.getReader()
    while (!ended) {
      const { done, value } = await reader.read()
      if (done) return
      if (!ended) events.onData(value)
    }
  }
  read().then(() => end(), end)
  return {
    write(chunks) {
      const parts = chunks.map((chunk) => (typeof chunk === 'string' ? encoder.encode(chunk) : chunk))
      const size = parts.reduce((sum, part) => sum + part.length, 0)
      const bytes = parts.length === 1 ? (parts[0] as Uint8Array) : new Uint8Array(size)
      if (parts.length > 1) {
        let at = 0
        for (const part of parts) {
          bytes.set(part, at)
          at += part.length
        }
      }
      const isFull = (): boolean => waiting > MAX_WAITING
      waiting += size
      writer.write(bytes).then(() => {
        const wasFull = isFull()
        waiting -= size
        if (wasFull && !isFull() && !ended) events.onDrain()
      }, end)
      return !isFull()
    },
    destroy: () => end(),
  }
}

/** Bytes of UTF-8 as text. */
export function decodeText(bytes: Uint8Array, from: number, to: number): string {
  return decoder.decode(bytes.subarray(from, to))
}

/** Bytes of the text in UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length
}
