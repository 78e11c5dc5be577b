import { Buffer } from 'node:buffer'
import { connect as connectTcp, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** The address of a socket, and its TLS options. */
export interface SocketTarget {
  readonly host: string
  readonly port: number
  /** Path of a Unix socket, in place of host and port. */
  readonly path?: string
  /** The version of IP to use; 0 or absent: either. */
  readonly family?: number
  /** Options of `node:tls`. Present if the connection is encrypted. */
  readonly tls?: object
}

/** Callbacks of a socket. `onEnd` is called once, also if the socket never opened; nothing is called after it. */
export interface SocketEvents {
  /** A server accepted the TCP connection, before the TLS handshake. Not every runtime reports this. */
  onReached?(): void
  onOpen(): void
  onData(bytes: Uint8Array): void
  /** Bytes may be written again after `write` returned false. */
  onDrain(): void
  onEnd(cause: unknown): void
}

export interface OpenedSocket {
  /**
   * Strings are written as UTF-8; `ascii`: they have no other characters. Returns false if no more should be written
   * before `onDrain`.
   */
  write(chunks: readonly (string | Uint8Array)[], ascii?: boolean): boolean
  destroy(): void
}

const KEEP_ALIVE_MS = 30_000

/** Opens a socket of this runtime: TCP, TLS or a Unix socket. */
export function openSocket(target: SocketTarget, events: SocketEvents): OpenedSocket {
  const { host, port, path, family, tls } = target
  const { servername } = (tls ?? {}) as { readonly servername?: unknown }
  // Node refuses it only after it has begun to connect, and nobody would handle the errors of that socket.
  if (servername && typeof servername !== 'string')
    throw Object.assign(new TypeError('tls.servername is a text'), { code: 'ERR_INVALID_ARG_TYPE' })
  const to = path ? { path } : { host, port, ...(family ? { family } : {}) }
  const socket: Socket = tls
    ? connectTls({ ...to, ...(isIP(host) ? {} : { servername: host }), ...tls })
    : connectTcp(to)
  let failure: unknown
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  socket.on(tls ? 'secureConnect' : 'connect', () => events.onOpen())
  if (tls) socket.once('connect', () => events.onReached?.())
  socket.on('data', (bytes: Buffer) => events.onData(bytes))
  socket.on('drain', () => events.onDrain())
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('end', () => socket.destroy())
  socket.on('close', () => events.onEnd(failure))
  return {
    write(chunks, ascii) {
      const encoding = ascii ? 'latin1' : 'utf8'
      if (chunks.length > 1) socket.cork()
      let more = true
      for (const chunk of chunks) more = typeof chunk === 'string' ? socket.write(chunk, encoding) : socket.write(chunk)
      if (chunks.length > 1) socket.uncork()
      return more
    },
    destroy: () => socket.destroy(),
  }
}

/** The text of the UTF-8 bytes from `from` to before `to`. */
export function decodeText(bytes: Uint8Array, from: number, to: number): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('utf8', from, to)
}

/** Length of the text in bytes of UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text)
}
