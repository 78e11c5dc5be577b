import { readFileSync } from 'node:fs'
import { HitherError } from 'hither'
import { createConnection, createTransport, Engine } from 'hither/embedded'
import { createGateway, type GatewayOptions } from 'hither/gateway'
import { lua } from 'hither/lua'
import { checkDevOptions } from './dev-options.ts'
import { serveResp } from './resp-server.ts'
import { serve } from './serve.ts'
import { checkSnapshot, loadSnapshot, saveSnapshot } from './snapshot.ts'

export interface StartDevOptions {
  /** Port of Upstash's REST; 0 takes a free port. @default 0 */
  readonly port?: number
  /** Port of RESP; 0 takes a free port. @default 0 */
  readonly redisPort?: number
  /** @default '127.0.0.1' */
  readonly host?: string
  /** Token of REST. @default a random one, in the result */
  readonly token?: string
  /** Password that clients of RESP must send first. @default none */
  readonly password?: string
  /** Most bytes of keys and values, roughly. @default no limit */
  readonly maxBytes?: number
  /** @default 'noeviction' */
  readonly evictionPolicy?: string
  /** File that keeps the data between runs: loaded at the start, written within 5 s of a change, and at the end. @default none */
  readonly snapshot?: string
  /** File of commands to run at the start if there is no data yet, one per line, as redis-cli reads them. @default none */
  readonly seed?: string
  /** Called with each command that a client sends, before it runs. */
  readonly onCommand?: (line: string) => void
  /** Called when the snapshot could not be written. @default not reported */
  readonly onError?: (error: Error) => void
  readonly onEvent?: GatewayOptions['onEvent']
  /** Host names that a REST request may have in `Host`. @default any */
  readonly hosts?: readonly string[]
}

export interface StartedDev {
  /** The address of Upstash's REST. */
  readonly url: string
  readonly token: string
  /** Such as `redis://127.0.0.1:6379`. */
  readonly redisUrl: string
  readonly engine: Engine
  /** Closes both ports, writes the snapshot, if there is one, and ends. Rejects if the snapshot cannot be written. */
  stop(): Promise<void>
}

const SAVE_MS = 5000

/** Runs the lines of a seed. Rejects with `INVALID_ARGUMENT` and the number of the first line that is refused. */
async function plant(engine: Engine, file: string): Promise<void> {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch {
    throw new HitherError('INVALID_ARGUMENT', 'the seed cannot be read')
  }
  let replies = ''
  let onReply = (): void => {}
  const connection = createConnection(engine, {
    write(part) {
      replies += part
      onReply()
    },
    end() {},
  })
  const { client } = connection
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (!line.trim() || line.startsWith('#')) continue
    replies = ''
    const answered = new Promise<void>((resolve) => {
      onReply = resolve
    })
    connection.feed(Buffer.from(`${line}\r\n`, 'latin1'))
    // Unblock a command that waits for a key: nothing would end its wait. The first script waits for the Lua runtime to open.
    if (client.waiting) engine.waiters.unblock(client, undefined)
    if (client.busy) await answered
    if (replies.startsWith('-'))
      throw new HitherError(
        'INVALID_ARGUMENT',
        `line ${i + 1} of the seed was refused: ${replies.slice(1, 40).split(' ', 3).join(' ').trim()}`,
      )
  }
  connection.close()
}

const isEmpty = ({ databases, scripts }: Engine): boolean =>
  scripts.libraries.size === 0 && databases.every((db) => db.entries.size === 0)

function keepSnapshots(engine: Engine, { snapshot, onError }: StartDevOptions): () => void {
  if (!snapshot) return () => {}
  let saved = engine.changes
  const timer = setInterval(() => {
    if (engine.changes === saved) return
    saved = engine.changes
    try {
      saveSnapshot(engine, snapshot)
    } catch (error) {
      onError?.(error as Error)
    }
  }, SAVE_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/** Adds the option's name, as `port`, to the error of a port that is not available. */
const namePort =
  (what: string) =>
  (error: unknown): never => {
    throw Object.assign(error as Error, { port: what })
  }

/**
 * A development server on the embedded engine: Upstash's REST and RESP on the same data, on free ports of this machine.
 * Rejects when a port is not available (`error.code` is Node's, `error.port` names the option), and with `INVALID_ARGUMENT`
 * for invalid options, a snapshot or a seed that cannot be read, and a snapshot that could not be written.
 */
export async function startDev(options: StartDevOptions = {}): Promise<StartedDev> {
  checkDevOptions(options)
  const { host = '127.0.0.1', token = crypto.randomUUID(), password, maxBytes, evictionPolicy } = options
  const engine = new Engine({
    lua,
    ...(password ? { password } : {}),
    ...(maxBytes ? { maxBytes } : {}),
    ...(evictionPolicy ? { evictionPolicy } : {}),
  })
  if (options.snapshot) {
    loadSnapshot(engine, options.snapshot)
    checkSnapshot(options.snapshot)
  }
  if (options.seed && isEmpty(engine)) await plant(engine, options.seed)
  const { onCommand } = options
  if (onCommand) {
    const monitor = engine.connect({ reply() {}, push: ({ items }) => onCommand(String(items[0])) })
    monitor.monitors = true
    engine.monitors.add(monitor)
  }
  const resp = await serveResp(engine, { host, port: options.redisPort ?? 0 }).catch(namePort('--redis-port'))
  engine.config.values.set('port', `${resp.port}`)
  const transport = createTransport(engine)
  const gateway = createGateway({
    transport,
    tokens: [{ token, role: 'admin', name: 'token' }],
    ...(options.onEvent ? { onEvent: options.onEvent } : {}),
  })
  const served = await serve(gateway, {
    host,
    port: options.port ?? 0,
    ...(options.hosts ? { hosts: options.hosts } : {}),
  }).catch(async (error: unknown) => {
    await resp.stop()
    throw namePort('--port')(error)
  })
  const endSnapshots = keepSnapshots(engine, options)
  let stopped = false
  return {
    url: served.url,
    token,
    redisUrl: resp.url,
    engine,
    async stop() {
      if (stopped) return
      stopped = true
      endSnapshots()
      await Promise.all([served.stop(1000), resp.stop()])
      try {
        if (options.snapshot) saveSnapshot(engine, options.snapshot)
      } finally {
        await transport.close()
        engine.close()
      }
    },
  }
}
