/** The public suite (http-tests/cache-tests at REVISION) against `examples/reverse-proxy`, in its forms. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { freePort } from '../../../scripts/servers.ts'

export const REVISION = 'b55b8bd'
const root = fileURLToPath(new URL('../../../', import.meta.url))

export interface Outcome {
  readonly suite: string
  readonly id: string
  readonly kind: 'required' | 'optimal' | 'check'
  /** `pass`, `fail`, `optional_fail`, `dependency_fail`, `setup_fail`, `retry`, `harness_fail`; for a check, `yes` or `no`. */
  readonly outcome: string
  readonly reason: string
}

export interface Score {
  readonly required: number
  readonly optimal: number
  readonly check: number
  readonly fails: number
  /** Required and optimal tests that did not pass. */
  readonly missed: readonly Outcome[]
}

export interface Running {
  readonly url: string
  stop(): Promise<void>
}

async function running(child: ChildProcess, url: string, stop = async (): Promise<void> => {}): Promise<Running> {
  const ended = once(child, 'exit')
  let printed = ''
  child.stderr?.on('data', (text) => {
    if (process.env.HITHER_SUITE_LOG) process.stderr.write(text)
    printed += text
  })
  for (let tries = 0; ; tries++) {
    const isUp = await fetch(url).then(
      () => true,
      () => false,
    )
    if (isUp) break
    if (child.exitCode !== null || tries > 600) throw new Error(`${child.spawnargs.at(-1)} did not start: ${printed}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return {
    url,
    async stop() {
      child.kill('SIGTERM')
      await ended
      await stop()
    },
  }
}

/** Starts the suite's own origin, on this machine alone. */
export async function startOrigin(): Promise<Running> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'hither-suite-'))
  const preload = join(root, 'test/http/suite/listen-on-loopback.mjs')
  const env = {
    ...process.env,
    npm_config_protocol: 'http',
    npm_config_port: `${port}`,
    npm_config_pidfile: join(folder, 'pid'),
  }
  const child = spawn(process.execPath, ['--import', preload, 'test-engine/server/server.mjs'], {
    cwd: join(root, 'test/http/cache-tests'),
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return running(child, `http://127.0.0.1:${port}`, () => rm(folder, { recursive: true, force: true }))
}

/** Starts `examples/reverse-proxy` on Node, from the sources. `env`: STORE, PROFILE and what a store needs. */
export async function startProxy(origin: string, env: Readonly<Record<string, string>>): Promise<Running> {
  const port = await freePort()
  const args = ['--no-warnings', '--import', './scripts/from-source.ts', 'examples/reverse-proxy/index.ts']
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, PORT: `${port}`, ORIGIN: origin, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  return running(child, `http://127.0.0.1:${port}`)
}

/** Starts the same proxy as a Worker, in workerd. */
async function startWorker(origin: string, bindings: Readonly<Record<string, string>>): Promise<Running> {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'examples/reverse-proxy/worker.ts')],
    absWorkingDir: root,
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    conditions: ['workerd'],
    external: ['cloudflare:workers'],
    alias: { '#background': join(root, 'adapters/cloudflare/background.ts') },
    tsconfig: join(root, 'tsconfig.json'),
    logLevel: 'silent',
  })
  const script = (outputFiles[0] as { text: string }).text
  const worker = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script,
      bindings: { ...bindings, ORIGIN: origin },
      compatibilityDate: '2026-10-01',
      compatibilityFlags: ['enable_request_signal'],
      host: '127.0.0.1',
      port: 0,
      cf: false,
      // Connects to the Worker itself: the emulator's own front compresses what passes through it.
      unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
    }),
  )
  await worker.ready
  const url = await worker.unsafeGetDirectURL()
  return { url: url.origin, stop: () => worker.dispose() }
}

/** Runs the suite. `only` is a pattern of test names; the dependencies of tests do not count then. */
export async function runSuite(url: string, only?: string): Promise<readonly Outcome[]> {
  const args = ['--no-warnings', 'test/http/suite/client.mjs', url, process.env.HITHER_SUITE_CHUNK ?? '50']
  const { stdout } = await promisify(execFile)(process.execPath, only ? [...args, only] : args, {
    cwd: root,
    maxBuffer: 64 * 1024 * 1024,
  })
  return JSON.parse(stdout.slice(stdout.lastIndexOf('\n[{') + 1)) as Outcome[]
}

export interface Form {
  readonly name: string
  readonly profile: 'safe' | 'full'
  /** Fewest passes that are allowed, of 160 required and 105 optimal tests, and most failures. */
  readonly least: { readonly required: number; readonly optimal: number; readonly fails: number }
  start(origin: string): Promise<Running>
}

/** Every form of the proxy that is scored. `redisUrl` is that of a server, and `rest` is where REST reaches that server. */
export function formsOf(redisUrl: string, rest: { readonly url: string; readonly token: string }): readonly Form[] {
  const byRest = { STORE: 'rest', UPSTASH_REDIS_REST_URL: rest.url, UPSTASH_REDIS_REST_TOKEN: rest.token }
  const node = (name: string, env: Readonly<Record<string, string>>, profile: 'safe' | 'full'): Form => ({
    name: `Node, ${name}`,
    profile,
    least: profile === 'full' ? { required: 159, optimal: 97, fails: 1 } : { required: 150, optimal: 76, fails: 1 },
    start: (origin) => startProxy(origin, { ...env, PROFILE: profile }),
  })
  const worker = (name: string, env: Readonly<Record<string, string>>): Form => ({
    name: `workerd, ${name}`,
    profile: 'full',
    least: { required: 157, optimal: 94, fails: 1 },
    start: (origin) => startWorker(origin, { ...env, PROFILE: 'full' }),
  })
  return [
    node('memory', { STORE: 'memory' }, 'full'),
    node('Redis over TCP', { STORE: redisUrl }, 'full'),
    node('Redis over REST', byRest, 'full'),
    node('memory', { STORE: 'memory' }, 'safe'),
    worker('memory', { STORE: 'memory' }),
    worker('Redis over REST', byRest),
  ]
}

export function scoreOf(outcomes: readonly Outcome[]): Score {
  const count = (kind: string, outcome: string): number =>
    outcomes.filter((one) => one.kind === kind && one.outcome === outcome).length
  return {
    required: count('required', 'pass'),
    optimal: count('optimal', 'pass'),
    check: count('check', 'yes'),
    fails: count('required', 'fail'),
    missed: outcomes.filter(({ kind, outcome }) => kind !== 'check' && outcome !== 'pass'),
  }
}
