import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { Counts, Job, Told } from './worker.ts'

const { default: workerd } = createRequire(import.meta.url)('workerd') as { default: string }
const at = (path: string): string => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

export interface Worker {
  /** Sends one request. Rejects unless the Worker responds with 200. */
  ask(job: Job): Promise<Told>
  /** Resolves to what its isolate has counted. */
  counts(): Promise<Counts>
  /** Resolves to the outcome of each way to pass the runtime's `waitUntil` to a cache. */
  contexts(): Promise<Readonly<Record<string, string>>>
  stop(): Promise<void>
}

export interface WorkerOptions {
  /** The path of its source, from the root of the repository. */
  readonly entry: string
  /** Bundled with the condition `workerd`, or as by a bundler that does not know that condition. */
  readonly by: 'workerd' | 'default'
  readonly bindings: Readonly<Record<string, string>>
  /** Durable Objects: binding → name of the class that the Worker exports. */
  readonly objects?: Readonly<Record<string, string>>
}

/** Builds a Worker from the sources, and runs it in a separate workerd without `nodejs_compat`. */
export async function startWorkerd({ entry, by, bindings, objects = {} }: WorkerOptions): Promise<{
  readonly url: string
  stop(): Promise<void>
}> {
  const folder = mkdtempSync(join(tmpdir(), 'hither-worker-'))
  await build({
    entryPoints: [at(entry)],
    outfile: join(folder, 'worker.mjs'),
    bundle: true,
    format: 'esm',
    target: 'es2022',
    external: ['cloudflare:*', 'node:*'],
    alias: {
      '#background': at(`adapters/${by === 'workerd' ? 'cloudflare' : 'node'}/background.ts`),
      '#socket': at('adapters/cloudflare/socket.ts'),
      hither: at('src/index.ts'),
      'hither/http': at('src/http/index.ts'),
      'hither/memory': at('adapters/memory/index.ts'),
      'hither/cloudflare': at('adapters/cloudflare/index.ts'),
      'hither/near': at('src/near/index.ts'),
      'hither/rate-limit': at('src/rate-limit/index.ts'),
      'hither/tcp': at('adapters/tcp/index.ts'),
      'hither/refresh': at('src/cache/refresh.ts'),
      'hither/upstash': at('adapters/upstash/index.ts'),
    },
  })
  const text = (value: string): string => JSON.stringify(value)
  const classes = Object.values(objects)
  const all = [
    ...Object.entries(bindings).map(([name, value]) => `(name = ${text(name)}, text = ${text(value)})`),
    ...Object.entries(objects).map(([name, of]) => `(name = ${text(name)}, durableObjectNamespace = ${text(of)})`),
  ]
  const config = `
    using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [
        (name = "main", worker = .worker),
        (name = "internet", network = (allow = ["private"])),
      ],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")],
    );
    const worker :Workerd.Worker = (
      modules = [(name = "worker.mjs", esModule = embed "worker.mjs")],
      compatibilityDate = "2025-09-01",
      compatibilityFlags = ["nodejs_als"],
      bindings = [${all}],
      durableObjectNamespaces = [${classes.map((name) => `(className = ${text(name)}, uniqueKey = ${text(name)}, enableSql = true)`)}],
      durableObjectStorage = (inMemory = void),
    );`
  writeFileSync(join(folder, 'config.capnp'), config)
  const child: ChildProcess = spawn(workerd, ['serve', '--control-fd=3', join(folder, 'config.capnp')], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  })
  // workerd also warns there of every promise whose request has ended. These tests are about such promises.
  let said = ''
  child.stderr?.on('data', (data: Buffer) => {
    said = (said + data.toString()).slice(-2000)
  })
  const ended = once(child, 'exit')
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true })
  }
  const lines = createInterface({ input: child.stdio[3] as Readable })
  const [line] = (await Promise.race([once(lines, 'line'), ended.then(() => [''])])) as [string]
  const { port } = JSON.parse(line || '{}') as { port?: number }
  if (port === undefined) {
    await stop()
    throw new Error(`workerd did not start: ${said}`)
  }
  return { url: `http://127.0.0.1:${port}/`, stop }
}

/** Runs `worker.ts` in a separate workerd. */
export async function startWorker(
  rest: { readonly url: string; readonly token: string },
  by: WorkerOptions['by'],
): Promise<Worker> {
  const { url, stop } = await startWorkerd({
    entry: 'test/runtimes/requests/worker.ts',
    by,
    bindings: { REST_URL: rest.url, REST_TOKEN: rest.token },
  })
  const read = async <T>(init?: RequestInit): Promise<T> => {
    const response = await fetch(url, init)
    if (!response.ok) throw new Error(`${response.status}: ${(await response.text()).slice(0, 300)}`)
    return (await response.json()) as T
  }
  return {
    ask: (job) => read<Told>({ method: 'POST', body: JSON.stringify(job) }),
    counts: () => read<Counts>(),
    contexts: () => read({ method: 'PUT' }),
    stop,
  }
}
