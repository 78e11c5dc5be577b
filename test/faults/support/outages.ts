import type { Server } from '../../../scripts/servers.ts'
import { pause } from './ways.ts'

/** Kills the server, and starts it again after `ms`, without its data. */
export async function kill(server: Server, ms: number): Promise<void> {
  await server.kill('SIGKILL')
  await pause(ms)
  await server.restart()
}

/** Stops the servers for `ms`. Commands sent to them meanwhile run afterwards. */
export async function freeze(servers: readonly Server[], ms: number): Promise<void> {
  await Promise.all(servers.map((server) => server.kill('SIGSTOP')))
  try {
    await pause(ms)
  } finally {
    await Promise.all(servers.map((server) => server.kill('SIGCONT')))
  }
}
