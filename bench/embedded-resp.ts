/**
 * Compares the development server with a Redis 8, over RESP: redis-benchmark without and with pipelines, alternating between the
 * two in each round; and how long `hither dev` takes until its first reply. Each rate comes with a ratio of processor time for a
 * request, which also holds on a machine that is busy with other work. Linux only.
 *
 *   npm run bench:embedded-resp -- [ROUNDS] [REQUESTS]
 *   npm run bench:embedded-resp -- --only start
 */
import { execFile, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs, promisify } from 'node:util'
import { find } from '../scripts/servers/find.ts'
import { ask, freePort, startServer } from '../scripts/servers.ts'

const { values, positionals } = parseArgs({ options: { only: { type: 'string' } }, allowPositionals: true })
const rounds = Number(positionals[0] ?? 3)
const requests = positionals[1] ?? '20000'
const run = promisify(execFile)
const TESTS = ['GET', 'SET', 'INCR', 'LPUSH', 'HSET', 'ZADD', 'XADD']
const cli = fileURLToPath(new URL('../dist/cli/hither.js', import.meta.url))
const devArgs = (port: number): string[] => [cli, 'dev', '--port', '0', '--redis-port', `${port}`]
/** The smallest such server in Node. The time above that of this one is the time that `hither dev` itself takes. */
const PONG = `require('net').createServer((s) => s.on('error', () => {}).on('data', () => s.write('+PONG\\r\\n'))).listen(+process.argv[1])`
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number

const { command = [] } = (await find('redis8')) ?? {}
const program = [...command.slice(0, -1), `${dirname(command.at(-1) as string)}/redis-benchmark`]

/** Processor time that a process has used, in ticks of 10 ms. */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

/** Requests per second, and requests per tick of the server's processor time. */
async function measure(port: number, pid: number, pipeline: string, name: string): Promise<[number, number]> {
  const [file = '', ...before] = program
  const args = ['-p', `${port}`, '-n', requests, '-P', pipeline, '--csv', '-t', name.toLowerCase()]
  const start = ticks(pid)
  const { stdout } = await run(file, [...before, ...args])
  const rate = Number(/^"\w+[^"]*","([\d.]+)"/m.exec(stdout)?.[1])
  return [rate, Number(requests) / Math.max(1, ticks(pid) - start)]
}

/** Processor time that the threads of a process have used, in milliseconds, since ticks are too coarse for a start. */
function cpuMs(pid: number): number {
  const threads = readdirSync(`/proc/${pid}/task`)
  const times = threads.map((id) => readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ', 1)[0])
  return times.reduce((sum, ns) => sum + Number(ns) / 1e6, 0)
}

/** Starts `hither dev`, or another program that takes a port; resolves once it has sent its first reply over RESP. */
async function startDev(
  argsFor: (port: number) => string[] = devArgs,
): Promise<{ port: number; pid: number; ms: number; cpuMs: number; stop(): void }> {
  const port = await freePort()
  const start = performance.now()
  const child = spawn(process.execPath, argsFor(port), { stdio: 'ignore' })
  while ((await ask(port, 'PING').catch(() => '')) !== '+PONG') await new Promise((resolve) => setTimeout(resolve, 2))
  const pid = child.pid as number
  return { port, pid, ms: performance.now() - start, cpuMs: cpuMs(pid), stop: () => child.kill() }
}

/** Prints how long a program takes until its first reply. */
async function measureStart(name: string, argsFor: (port: number) => string[]): Promise<void> {
  const starts: number[] = []
  const work: number[] = []
  for (let i = 0; i < 4 * rounds; i++) {
    const started = await startDev(argsFor)
    starts.push(started.ms)
    work.push(started.cpuMs)
    started.stop()
  }
  const [best, middle] = [Math.min(...starts), median(starts)].map((ms) => ms.toFixed(0))
  console.log(
    `${name}: first answer after ${best} ms at best, ${middle} ms in the middle; ${median(work).toFixed(0)} ms of processor time`,
  )
}
await measureStart('hither dev', devArgs)
await measureStart('a server of Node that says PONG', (port) => ['-e', PONG, `${port}`])
if (values.only === 'start') process.exit(0)

const server = await startServer('redis8')
const dev = await startDev()
for (const pipeline of ['1', '64']) {
  for (const name of TESTS) {
    const rates: number[] = []
    const works: number[] = []
    for (let round = 0; round < rounds; round++) {
      const own = await measure(dev.port, dev.pid, pipeline, name)
      const redis = await measure(server.port, server.pid, pipeline, name)
      rates.push(own[0] / redis[0])
      works.push(own[1] / redis[1])
    }
    const [rate, work] = [median(rates), median(works)].map((ratio) => ratio.toFixed(2))
    console.log(
      `-P ${pipeline} ${name}: ${rate} of redis-server's rate, ${work} of its requests for the same processor time`,
    )
  }
}
dev.stop()
await server.stop()
