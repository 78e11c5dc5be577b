/**
 * The real servers that the tests run against: on loopback, on free ports, without root, with no data left afterwards.
 *
 *   node scripts/servers.ts start [NAME…]     start them, print NAME_URL=… lines, stop on SIGINT or SIGTERM
 *   node scripts/servers.ts install [NAME…]   only make sure that they can start (the one step that may download)
 *   node scripts/servers.ts list              print which of them are on this machine
 *
 * NAME: redis7 redis8 valkey cluster (three nodes that own a third of the slots each). Default: all of these.
 * `install` also takes memcached16, memcached, nats and garnet, which the tests of those stores start themselves.
 * Environment: HITHER_SERVERS_CACHE (the folder of downloads), HITHER_SKIP_SERVERS=valkey,… (servers to leave out, with a
 * notice), HITHER_REDIS7_SERVER, HITHER_REDIS8_SERVER, HITHER_VALKEY_SERVER (the path of the program to use).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Found, find, install, type Program, recipes } from './servers/find.ts'
import { type Kind, kindOf } from './servers/kinds.ts'

export type ServerName = 'redis7' | 'redis8' | 'valkey' | 'cluster'
export const allServers: readonly ServerName[] = ['redis7', 'redis8', 'valkey', 'cluster']

/** One server that this process started, and that ends with this process. */
export interface Server {
  readonly name: Program
  readonly url: string
  readonly port: number
  /** Id of the running process; changes with `restart`. */
  readonly pid: number
  /** Sends a signal, such as `SIGSTOP`, `SIGCONT` or `SIGKILL`. Resolves when a killed server is gone. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Starts the server again, empty and on the same port. Ends it first if it still runs. */
  restart(): Promise<void>
  stop(): Promise<void>
}

export interface ServerOptions {
  /** Further arguments, such as `['--requirepass', 'secret']`. */
  readonly args?: readonly string[]
  /** @default a free port */
  readonly port?: number
}

/** A port that is free at the moment; another program may take it before it is used. */
export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject).listen(0, '127.0.0.1', resolve)
  })
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  return typeof address === 'object' && address ? address.port : 0
}

/** Sends one inline command. Resolves to the raw reply, an error reply too; rejects if there is no reply within 2 s. */
export function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`))
    socket.setTimeout(2000, () => socket.destroy(new Error('no answer')))
    socket.on('error', reject).on('close', () => reject(new Error('closed')))
    socket.on('data', (data) => {
      text += data.toString('latin1')
      const end = text.indexOf('\r\n')
      if (end < 0) return
      const length = text.startsWith('$') ? Number(text.slice(1, end)) : -1
      if (length >= 0 && text.length < end + 2 + length) return
      resolve(length < 0 ? text.slice(0, end) : text.slice(end + 2, end + 2 + length))
      socket.destroy()
    })
  })
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function until(condition: () => Promise<boolean>, ms: number): Promise<boolean> {
  for (const end = performance.now() + ms; performance.now() < end; await pause(20)) {
    if (await condition().catch(() => false)) return true
  }
  return false
}

/**
 * The shell script between this process and a server. It starts the server, waits on a pipe from this process, and kills the
 * server once the pipe closes, which happens however this process ends. That ends a stopped (SIGSTOP) server too.
 */
const KEEPER =
  'dir=$1; shift; "$@" </dev/null >/dev/null 2>&1 & pid=$!; echo $pid; read -r _; kill -9 $pid; wait; rm -rf "$dir"'

interface Running {
  readonly keeper: ChildProcess
  readonly pid: number
  readonly log: () => string
}

async function launch({ command }: Found, kind: Kind, port: number, args: readonly string[]): Promise<Running> {
  const dir = mkdtempSync(join(tmpdir(), 'hither-server-'))
  const logFile = join(dir, 'log')
  const server = [...kind.arguments(port, dir, logFile), ...args]
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'hither-server', dir, ...command, ...server], {
    detached: true, // a Ctrl-C at the terminal reaches this process only
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const pid = await new Promise<number>((resolve, reject) => {
    keeper.once('error', reject).once('exit', () => reject(new Error('the server could not be started')))
    keeper.stdout.once('data', (data: Buffer) => resolve(Number(data.toString())))
  })
  keeper.unref()
  keeper.stdout.destroy()
  ;(keeper.stdin as unknown as { unref?(): void }).unref?.()
  keeper.stdin.on('error', () => undefined)
  const log = (): string => {
    try {
      return readFileSync(logFile, 'utf8')
    } catch {
      return ''
    }
  }
  return { keeper, pid, log }
}

function end({ keeper }: Running): Promise<void> {
  return new Promise((resolve) => {
    if (keeper.exitCode !== null || keeper.signalCode !== null) return resolve()
    keeper.ref()
    keeper.once('exit', () => resolve())
    keeper.stdin?.end()
  })
}

/** Starts a separate server on a free loopback port, for a test that stops, kills or configures it. */
export async function startServer(name: Program, options: ServerOptions = {}): Promise<Server> {
  const found = (await install([name])).get(name)
  if (!found) throw new Error(`${name} is not here`)
  const kind = kindOf(name)
  let port = 0
  const attempt = async (): Promise<Running> => {
    const started = await launch(found, kind, port, options.args ?? [])
    // A reply alone does not suffice, since another program may have taken the port meanwhile: the reply must be of our server.
    const ours = async (): Promise<boolean> => kind.isIts(await ask(port, kind.question), started.pid, port)
    const gone = (): boolean => /Failed listening|Fatal|FATAL|Bad directive/.test(started.log())
    await until(async () => gone() || (await ours()), 10_000)
    if (!gone() && (await ours().catch(() => false))) return started
    const tail = started.log().trim().split('\n').slice(-3).join('\n')
    await end(started)
    throw new Error(`${name} did not come up on port ${port}: ${tail || 'its log is empty'}`)
  }
  let running: Running | undefined
  for (let left = options.port === undefined ? 4 : 0; !running; left--) {
    port = options.port ?? (await freePort())
    running = await attempt().catch((error: unknown) => {
      if (left <= 0) throw error
      return undefined
    })
  }
  let current = running
  return {
    name,
    port,
    url: `${kind.protocol}://127.0.0.1:${port}`,
    get pid() {
      return current.pid
    },
    async kill(signal) {
      process.kill(current.pid, signal)
      if (signal === 'SIGKILL' || signal === 'SIGTERM') {
        await until(
          async () =>
            ask(port, kind.question).then(
              () => false,
              () => true,
            ),
          5000,
        )
      }
    },
    async restart() {
      await end(current)
      current = await attempt()
    },
    stop: () => end(current),
  }
}

/** A three-node Redis Cluster: each node owns a third of the slots and redirects for the rest. */
export interface ClusterServers {
  readonly nodes: readonly Server[]
  stop(): Promise<void>
}

/** `args`: further arguments of each node. */
export async function startCluster(name: Program = 'redis8', args: readonly string[] = []): Promise<ClusterServers> {
  const nodes: Server[] = []
  const buses: number[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.stop()))
  }
  const told = async (port: number, command: string): Promise<void> => {
    const reply = await ask(port, command)
    if (!reply.startsWith('+OK')) throw new Error(`the cluster node refused ${command}: ${reply}`)
  }
  try {
    for (let i = 0; i < 3; i++) {
      const bus = await freePort()
      const cluster = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`, '--cluster-announce-ip', '127.0.0.1']
      buses.push(bus)
      nodes.push(await startServer(name, { args: [...cluster, '--cluster-config-file', 'nodes.conf', ...args] }))
    }
    const slots = ['0 5460', '5461 10922', '10923 16383']
    for (const [i, node] of nodes.entries()) {
      await told(node.port, `CLUSTER SET-CONFIG-EPOCH ${i + 1}`)
      await told(node.port, `CLUSTER ADDSLOTSRANGE ${slots[i]}`)
    }
    const first = nodes[0] as Server
    for (let i = 1; i < 3; i++) await told(first.port, `CLUSTER MEET 127.0.0.1 ${nodes[i]?.port} ${buses[i]}`)
    const ready = async (): Promise<boolean> => {
      const all = await Promise.all(nodes.map((node) => ask(node.port, 'CLUSTER INFO')))
      return all.every((info) => /cluster_state:ok[^]*cluster_known_nodes:3[^]*cluster_size:3/.test(info))
    }
    if (!(await until(ready, 30_000))) throw new Error('the cluster did not form within 30 s')
    return { nodes, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Servers that run, and the environment variables by which a program finds them. */
export interface Servers {
  /** `REDIS7_URL`, `REDIS8_URL`, `VALKEY_URL`; `CLUSTER_NODES` as `host:port,host:port,host:port`. */
  readonly env: Record<string, string>
  stop(): Promise<void>
}

/** Starts the named servers, and downloads missing programs first. No server is left running when it rejects. */
export async function startServers(
  names: readonly ServerName[] = allServers,
  say: (line: string) => void = (line) => console.error(`servers: ${line}`),
): Promise<Servers> {
  const skipped = (process.env.HITHER_SKIP_SERVERS ?? '').split(',').filter(Boolean)
  for (const name of skipped) {
    if (!allServers.includes(name as ServerName)) throw new Error(`HITHER_SKIP_SERVERS: no server is called ${name}`)
    say(`${name} is left out, as HITHER_SKIP_SERVERS asks`)
  }
  const wanted = [...new Set(names)].filter((name) => !skipped.includes(name))
  const programs = new Set(wanted.map((name) => (name === 'cluster' ? 'redis8' : name)))
  // the cluster runs on Redis 7 if Redis 8 is left out
  const clusterOn: Program = skipped.includes('redis8') ? 'redis7' : 'redis8'
  if (wanted.includes('cluster') && clusterOn === 'redis7') programs.delete('redis8')
  if (wanted.includes('cluster')) programs.add(clusterOn)
  await install([...programs], say)

  const env: Record<string, string> = {}
  const stops: (() => Promise<void>)[] = []
  const start = async (name: ServerName): Promise<void> => {
    if (name === 'cluster') {
      const cluster = await startCluster(clusterOn)
      stops.push(cluster.stop)
      env.CLUSTER_NODES = cluster.nodes.map((node) => `127.0.0.1:${node.port}`).join(',')
    } else {
      const server = await startServer(name)
      stops.push(server.stop)
      env[`${name.toUpperCase()}_URL`] = server.url
    }
  }
  const stop = async (): Promise<void> => {
    await Promise.all(stops.splice(0).map((each) => each()))
  }
  const results = await Promise.allSettled(wanted.map(start))
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  return { env, stop }
}

function named(words: readonly string[]): ServerName[] {
  for (const word of words) {
    if (!allServers.includes(word as ServerName)) {
      throw new Error(`no server is called ${word}; known: ${allServers.join(' ')}`)
    }
  }
  return words.length > 0 ? (words as ServerName[]) : [...allServers]
}

async function main([verb, ...words]: readonly string[]): Promise<void> {
  const say = (line: string): void => console.error(`servers: ${line}`)
  const programs = Object.keys(recipes) as Program[]
  if (verb === 'list') {
    for (const program of programs) {
      const found = await find(program)
      console.log(found ? `${program} ${found.version} ${found.command.at(-1)}` : `${program} not here`)
    }
  } else if (verb === 'install') {
    const extra = words.filter((word): word is Program => programs.includes(word as Program))
    const listed =
      words.length > extra.length || words.length === 0
        ? named(words.filter((word) => !extra.includes(word as Program)))
        : []
    const asked: Program[] = [...extra, ...listed.map((name) => (name === 'cluster' ? 'redis8' : name))]
    for (const [program, { version }] of await install([...new Set(asked)], say)) console.log(`${program} ${version}`)
  } else if (verb === 'start') {
    const servers = await startServers(named(words), say)
    for (const [key, value] of Object.entries(servers.env)) console.log(`${key}=${value}`)
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => undefined, 1 << 30) // keeps the process alive
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
        process.once(signal, () => {
          clearInterval(timer)
          resolve()
        })
      }
    })
    await servers.stop()
  } else {
    console.error('usage: node scripts/servers.ts start|install|list [redis7] [redis8] [valkey] [cluster]')
    process.exitCode = 2
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(`servers: ${error instanceof Error ? error.message : String(error)}`)
    process.exitCode = 1
  })
}
