import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, type Server, startServer } from '../../scripts/servers.ts'

interface NatsWithWebSocket {
  readonly server: Server
  readonly webUrl: string
  stop(): Promise<void>
}

/** Starts a NATS server whose WebSocket keeps its port when the server is started again. */
export async function startNatsWithWebSocket(): Promise<NatsWithWebSocket> {
  const dir = mkdtempSync(join(tmpdir(), 'hither-nats-'))
  for (let left = 3; ; left--) {
    const [port, webPort] = [await freePort(), await freePort()]
    writeFileSync(
      join(dir, 'nats.conf'),
      `listen: "127.0.0.1:${port}"
server_name: "hither-${process.pid}-${port}"
jetstream { store_dir: "${dir}", max_memory_store: 256MB }
websocket { listen: "127.0.0.1:${webPort}", no_tls: true }
`,
    )
    try {
      const server = await startServer('nats', { port, args: ['-c', join(dir, 'nats.conf')] })
      return {
        server,
        webUrl: `ws://127.0.0.1:${webPort}`,
        async stop() {
          await server.stop()
          rmSync(dir, { recursive: true, force: true })
        },
      }
    } catch (error) {
      if (left === 0) throw error
    }
  }
}
