import { connect, createServer, type Server, type Socket } from 'node:net'

/** A proxy before several servers that counts the waves of requests, over however many connections they go. */
export interface WaveProxy {
  readonly ports: readonly number[]
  /** Number of waves. A wave begins with a request after a reply was delivered; requests sent before the next reply join it. */
  readonly waves: number
  stop(): Promise<void>
}

/** Replies are held until none has come for this many milliseconds, so that the replies to one wave arrive together. */
const HOLD_MS = 20

export async function createWaveProxy(targets: readonly number[]): Promise<WaveProxy> {
  let waves = 0
  let answered = true
  const held: (() => void)[] = []
  let timer: NodeJS.Timeout | undefined
  const deliver = (): void => {
    answered = true
    for (const write of held.splice(0)) write()
  }
  const sockets = new Set<Socket>()
  const tie = (socket: Socket, other: Socket): void => {
    sockets.add(socket)
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('close', () => other.destroy())
  }
  const listen = async (target: number): Promise<Server> => {
    const server = createServer((client) => {
      const upstream = connect(target, '127.0.0.1')
      tie(client, upstream)
      tie(upstream, client)
      client.on('data', (chunk: Buffer) => {
        if (answered) waves++
        answered = false
        upstream.write(chunk)
      })
      upstream.on('data', (chunk: Buffer) => {
        held.push(() => client.write(chunk))
        clearTimeout(timer)
        timer = setTimeout(deliver, HOLD_MS)
      })
    })
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    return server
  }
  const servers = await Promise.all(targets.map(listen))
  return {
    ports: servers.map((server) => (server.address() as { port: number }).port),
    get waves() {
      return waves
    },
    async stop() {
      clearTimeout(timer)
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}
