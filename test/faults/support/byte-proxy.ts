import { connect, type Socket } from 'node:net'
import { openPort } from '../../support/reopening-port.ts'

/** A fault proxy on loopback that knows no protocol. */
export interface ByteProxy {
  readonly port: number
  /** What the server says is dropped, on connections old and new: commands run, and their replies are lost. */
  mute(): void
  /** As `mute`, from the first bytes on that a client sends and that match. */
  muteFrom(pattern: RegExp): void
  /** No byte moves in either direction, on connections old and new. */
  stall(): void
  /** Closes the port and every connection: the next connect is refused. */
  refuse(): Promise<void>
  /** Ends every connection by a reset. */
  cut(): void
  /** Ends every fault. Connections that lost a byte are cut. */
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
