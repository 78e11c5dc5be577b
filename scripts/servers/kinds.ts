import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Program } from './find.ts'

/**
 * How to start a server program on a loopback port with its files in `dir`, and how to check that this server, and no other
 * program, listens on the port.
 */
export interface Kind {
  /** The protocol in the server's url. */
  readonly protocol: 'redis' | 'memcached' | 'nats'
  arguments(port: number, dir: string, logFile: string): string[]
  /** One line to send to the server; `isIts` checks the reply. */
  readonly question: string
  isIts(answer: string, pid: number, port: number): boolean
}

const redis: Kind = {
  protocol: 'redis',
  arguments: (port, dir, logFile) => [
    ...['--port', `${port}`, '--bind', '127.0.0.1', '--daemonize', 'no', '--save', '', '--appendonly', 'no'],
    ...['--dir', dir, '--logfile', logFile],
  ],
  question: 'INFO server',
  isIts: (answer, pid) => answer.includes(`process_id:${pid}\r\n`) || /^-(NOAUTH|NOPERM|DENIED)/.test(answer),
}

const memcached: Kind = {
  protocol: 'memcached',
  // memcached refuses to run as root without `-u root`.
  arguments: (port) => [
    ...['-l', '127.0.0.1', '-p', `${port}`, '-U', '0', '-m', '64', '-c', '1024'],
    ...(process.getuid?.() === 0 ? ['-u', 'root'] : []),
  ],
  question: 'stats',
  isIts: (answer, pid) => answer === `STAT pid ${pid}`,
}

const nats: Kind = {
  protocol: 'nats',
  arguments(port, dir, logFile) {
    const file = join(dir, 'nats.conf')
    // The system chooses the port of the WebSocket; the log names it.
    writeFileSync(
      file,
      `listen: "127.0.0.1:${port}"
server_name: "${nameOf(port)}"
log_file: "${logFile}"
jetstream { store_dir: "${dir}", max_memory_store: 256MB, max_file_store: 1GB }
websocket { listen: "127.0.0.1:-1", no_tls: true }
`,
    )
    return ['-c', file]
  },
  question: 'PING',
  isIts: (answer, _pid, port) =>
    answer.includes(`"server_name":"${nameOf(port)}"`) && answer.includes('"jetstream":true'),
}

const nameOf = (port: number): string => `hither-${process.pid}-${port}`

const garnet: Kind = {
  protocol: 'redis',
  arguments: (port, dir) => [
    ...['--port', `${port}`, '--bind', '127.0.0.1', '--checkpointdir', dir, '-q'],
    ...['--memory', '128m', '--page', '1m', '--index', '8m'],
  ],
  // Garnet does not know inline commands, so this is a RESP array.
  question: '*2\r\n$4\r\nINFO\r\n$6\r\nserver',
  isIts: (answer) => answer.includes('garnet_version:'),
}

export function kindOf(program: Program): Kind {
  if (program === 'nats') return nats
  if (program === 'garnet') return garnet
  return program.startsWith('memcached') ? memcached : redis
}
