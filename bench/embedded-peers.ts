/**
 * Compares the engine with the two other Redis substitutes on npm, which are installed into a separate folder for the run: how
 * many of the engine's commands ioredis-mock and js-redis-server know; GET and SET in this process, against ioredis-mock; and
 * redis-benchmark on `hither dev` and on js-redis-server, by the server's processor time for each request.
 * Linux only; needs a registry.
 *
 *   npm run bench:embedded-peers -- [REQUESTS]
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { find } from '../scripts/servers/find.ts'
import { ask, freePort } from '../scripts/servers.ts'
import { Engine, embeddedStore } from '../src/embedded/index.ts'

const PEERS = ['ioredis-mock@8.13.1', 'js-redis-server@0.3.0', 'ioredis@5.11.1']
const requests = process.argv[2] ?? '50000'
const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'hither-peers-'))
writeFileSync(join(folder, 'package.json'), '{"private":true}')
const installed = await run('npm', ['install', '--no-audit', '--no-fund', ...PEERS], { cwd: folder }).then(
  () => true,
  () => false,
)
if (!installed) {
  console.log(`cannot install ${PEERS.join(', ')}: this bench needs a registry of npm`)
  rmSync(folder, { recursive: true })
  process.exit(0)
}

/** SHUTDOWN is left out, since it would end the server. */
const names = [...new Engine().table.keys()].filter((name) => name !== 'shutdown')

type Mock = Record<string, (...args: string[]) => Promise<unknown>>
const mockFile = pathToFileURL(join(folder, 'node_modules/ioredis-mock/lib/index.js')).href
const { default: IoredisMock } = (await import(mockFile)) as { default: new () => Mock }
const mock = new IoredisMock()
let known = 0
for (const name of names) {
  // A command that is not supported may throw instead of returning a promise.
  const reply = await (async () => mock[name]?.())().catch((error: Error) => error.message)
  if (mock[name] && !/Unsupported command/.test(String(reply))) known++
}
console.log(`ioredis-mock knows ${known} of the engine's ${names.length} commands`)

async function perSecond(call: (i: number) => Promise<unknown>): Promise<number> {
  const start = process.cpuUsage()
  for (let i = 0; i < 20_000; i++) await call(i)
  const { user, system } = process.cpuUsage(start)
  return 20_000 / ((user + system) / 1e6)
}
const store = embeddedStore()
const rates = { engine: [0, 0], mock: [0, 0] }
for (let round = 0; round < 3; round++) {
  rates.engine = [
    await perSecond((i) => store.set(`k${i % 100}`, 'value')),
    await perSecond((i) => store.get(`k${i % 100}`)),
  ]
  rates.mock = [
    await perSecond((i) => mock.set?.(`k${i % 100}`, 'value') as Promise<unknown>),
    await perSecond((i) => mock.get?.(`k${i % 100}`) as Promise<unknown>),
  ]
}
for (const [i, name] of ['SET', 'GET'].entries()) {
  const [own = 0, other = 0] = [rates.engine[i], rates.mock[i]]
  console.log(
    `${name} in process: ${(own / other).toFixed(1)} times ioredis-mock, ${Math.round(own)} calls a second of processor time`,
  )
}

const cpuUs = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce(
    (sum, id) => sum + Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ', 1)[0]) / 1e3,
    0,
  )
const { command = [] } = (await find('redis8')) ?? {}
const [file = '', ...before] = [...command.slice(0, -1), `${dirname(command.at(-1) as string)}/redis-benchmark`]

async function start(args: (port: number) => string[]): Promise<{ port: number; pid: number; stop(): void }> {
  const port = await freePort()
  const child = spawn(process.execPath, args(port), { stdio: 'ignore' })
  while ((await ask(port, 'PING').catch(() => '')) !== '+PONG') await new Promise((resolve) => setTimeout(resolve, 20))
  return { port, pid: child.pid as number, stop: () => child.kill() }
}
const hither = fileURLToPath(new URL('../dist/cli/hither.js', import.meta.url))
const peer = join(folder, 'node_modules/js-redis-server/dist/cli.js')
const dev = await start((port) => [hither, 'dev', '--port', '0', '--redis-port', `${port}`])
const other = await start((port) => [peer, '--port', `${port}`])
let answered = 0
for (const name of names) {
  const reply = await ask(other.port, name.toUpperCase()).catch(() => '-ERR unknown command')
  if (!/unknown command/i.test(reply)) answered++
}
console.log(`js-redis-server knows ${answered} of the engine's ${names.length} commands`)
for (const pipeline of ['1', '64']) {
  for (const name of ['set', 'get', 'incr', 'hset']) {
    const costs: number[] = []
    for (const { port, pid } of [dev, other]) {
      const args = ['-p', `${port}`, '-n', requests, '-P', pipeline, '--csv', '-t', name]
      await run(file, [...before, ...args])
      const from = cpuUs(pid)
      await run(file, [...before, ...args])
      costs.push((cpuUs(pid) - from) / Number(requests))
    }
    const [own = 0, theirs = 0] = costs
    console.log(
      `-P ${pipeline} ${name.toUpperCase()}: ${own.toFixed(1)} µs a request, js-redis-server ${theirs.toFixed(1)}`,
    )
  }
}
dev.stop()
other.stop()
rmSync(folder, { recursive: true })
process.exit(0)
