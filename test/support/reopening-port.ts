import { createServer, type Server, type Socket } from 'node:net'

/** A port on loopback that can be closed, and opened again with the same number. */
export interface ReopeningPort {
  readonly port: number
  /** Opens the port again. Has no effect while it is open. */
  open(): Promise<void>
  /** Closes the port, so that it refuses connections. Resolves once the open connections have ended. */
  close(): Promise<void>
}

/** Opens a free port and passes its connections to `serve`. */
export async function openPort(serve: (client: Socket) => void): Promise<ReopeningPort> {
  let listener: Server | undefined
  let port = 0
  const open = async (): Promise<void> => {
    if (listener) return
    const started = createServer(serve)
    await new Promise<void>((resolve, reject) => {
      started.once('error', reject).listen(port, '127.0.0.1', resolve)
    })
    const address = started.address()
    port = typeof address === 'object' && address ? address.port : 0
    listener = started
  }
  await open()
  return {
    port,
    open,
    async close() {
      const closing = listener
      listener = undefined
      if (closing) await new Promise((resolve) => closing.close(resolve))
    },
  }
}
