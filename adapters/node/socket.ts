import { Buffer } from 'node:buffer'
import { connect as connectTcp, isIP, type Socket as NodeSocket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Where to connect: a path for a Unix socket, a host and port otherwise. `family` 0 takes IPv4 or IPv6. */
export interface Target {
  readonly host: string
  readonly port: number
  readonly path: string
  readonly family: number
  readonly tls: boolean
}

export interface SocketEvents {
  /** Bytes may be written; over TLS once the server has proved itself. */
  onConnect(): void
  onData(chunk: Uint8Array): void
  /** What was written has left, after a `write` that returned false. */
  onDrain(): void
  /** Called once, whatever ends it. `reason` is a code such as `ECONNREFUSED`. */
  onClose(reason: string, cause: Error | undefined): void
}

export interface Socket {
  /** False: wait for `onDrain`. `ascii`: the text has no other character. */
  write(chunk: string | Uint8Array, ascii: boolean): boolean
  /** Holds writes back until `uncork`, so that they leave together. */
  cork(): void
  uncork(): void
  destroy(): void
}

const KEEP_ALIVE_MS = 30_000

/** Opens a TCP, TLS or Unix socket. `tls` goes to `node:tls` as it is. Never throws. */
export function dial(target: Target, tls: object, events: SocketEvents): Socket {
  const { host, port, path, family } = target
  const to = path ? { path } : { host, port, ...(family > 0 ? { family } : {}) }
  const socket: NodeSocket = target.tls
    ? connectTls({ ...to, ...(isIP(host) ? {} : { servername: host }), ...tls })
    : connectTcp(to)
  let failure: (Error & { readonly code?: string }) | undefined
  socket.setNoDelay(true)
  socket.setKeepAlive(true, KEEP_ALIVE_MS)
  socket.on(target.tls ? 'secureConnect' : 'connect', events.onConnect)
  socket.on('data', events.onData)
  socket.on('drain', events.onDrain)
  socket.on('error', (error) => {
    failure = error
  })
  socket.on('close', () => events.onClose(failure?.code ?? failure?.name ?? 'closed by the server', failure))
  return {
    write: (chunk, ascii) =>
      typeof chunk === 'string' ? socket.write(chunk, ascii ? 'latin1' : 'utf8') : socket.write(chunk),
    cork: () => socket.cork(),
    uncork: () => socket.uncork(),
    destroy: () => void socket.destroy(),
  }
}

/** Bytes of the text in UTF-8. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text)
}

/** Text of the bytes from `from` to before `to`. */
export function decode(bytes: Uint8Array, from: number, to: number): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return buffer.toString('utf8', from, to)
}
