import { connect, createServer, type Server, type Socket } from 'node:net'

/** In front of some servers: counts the waves of requests that pass, however many connections they use. */
export interface WaveProxy {
  readonly ports: readonly number[]
  /** Requests that were written after an answer had come. Those written together, to one server or to several, are one. */
  readonly waves: number
  stop(): Promise<void>
}

/** Answers are held until none has come for so long, so that those of one wave arrive together. */
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
