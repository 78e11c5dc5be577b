import { connect, type Socket } from 'node:net'
import { openPort } from '../../support/reopening-port.ts'

/** A fault proxy on loopback that passes bytes and knows no protocol. */
export interface ByteProxy {
  readonly port: number
  /** Drops all bytes from the server, on open and new connections: commands run, and their replies are lost. */
  mute(): void
  /** Starts to `mute` when a client sends bytes that match. */
  muteFrom(pattern: RegExp): void
  /** Holds all bytes in both directions, on open and new connections. */
  stall(): void
  /** Closes the port and every connection, so that the next connect is refused. */
  refuse(): Promise<void>
  /** Resets every connection. */
  cut(): void
  /** Ends every fault. After `mute` it cuts all connections, since bytes were lost. */
  pass(): Promise<void>
  stop(): Promise<void>
}

export async function createByteProxy(target: number): Promise<ByteProxy> {
  const pairs = new Set<readonly [client: Socket, server: Socket]>()
  let mode: 'pass' | 'mute' | 'stall' = 'pass'
  let starts: RegExp | undefined
  const serve = (client: Socket): void => {
    const server = connect(target, '127.0.0.1')
    const pair = [client, server] as const
    pairs.add(pair)
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      from.setNoDelay(true)
      from.on('error', () => {})
      from.on('data', (bytes: Buffer) => {
        if (mode === 'mute' && from === server) return
        if (from === client && starts?.test(bytes.toString('latin1'))) mode = 'mute'
        to.write(bytes)
      })
      from.on('close', () => {
        pairs.delete(pair)
        to.destroy()
      })
      if (mode === 'stall') from.pause()
    }
  }
  const cut = (): void => {
    for (const [client, server] of [...pairs]) {
      client.resetAndDestroy()
      server.destroy()
    }
    pairs.clear()
  }
  const refuse = async (): Promise<void> => {
    const closed = listener.close()
    cut()
    await closed
  }
  const listener = await openPort(serve)
  return {
    port: listener.port,
    cut,
    refuse,
    mute() {
      mode = 'mute'
    },
    muteFrom(pattern) {
      starts = pattern
    },
    stall() {
      mode = 'stall'
      for (const pair of pairs) for (const socket of pair) socket.pause()
    },
    async pass() {
      const hasLost = mode === 'mute'
      mode = 'pass'
      starts = undefined
      if (hasLost) cut()
      for (const pair of pairs) for (const socket of pair) socket.resume()
      await listener.open()
    },
    stop: refuse,
  }
}
