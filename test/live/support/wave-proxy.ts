import { connect, createServer, type Socket } from 'node:net'

/** In front of some servers: counts the waves of requests that pass, however many connections they use. */
export interface WaveProxy {
  readonly ports: readonly number[]
  /** Requests that were written after an answer had come. Those written together, to one server or to several, are one. */
  readonly waves: number
  stop(): Promise<void>
}

export async function createWaveProxy(targets: readonly number[]): Promise<WaveProxy> {
  let waves = 0
  let answered = true
  const sockets = new Set<Socket>()
  const listen = async (target: number) => {
    const server = createServer((client) => {
      const upstream = connect(target, '127.0.0.1')
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from)
        from.setNoDelay(true)
        from.on('error', () => {})
        from.on('close', () => to.destroy())
        from.on('data', (chunk: Buffer) => {
          if (from === client && answered) waves++
          answered = from === upstream
          to.write(chunk)
        })
      }
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
      for (const socket of sockets) socket.destroy()
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
    },
  }
}
