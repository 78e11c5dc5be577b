/**
 * The development server beside a Redis 8, over RESP: redis-benchmark without and with pipelines, round by round by turns,
 * and how long `hither dev` takes to its first answer. Beside each rate stands how much processor time a request took, as
 * a ratio, too: that one holds on a machine that has other work to do. Linux only.
 *
 *   npm run bench:embedded-resp -- [ROUNDS] [REQUESTS]
 */
import { execFile, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { find } from '../scripts/servers/find.ts'
import { ask, freePort, startServer } from '../scripts/servers.ts'

const rounds = Number(process.argv[2] ?? 3)
const requests = process.argv[3] ?? '20000'
const run = promisify(execFile)
const TESTS = ['GET', 'SET', 'INCR', 'LPUSH', 'HSET', 'ZADD', 'XADD']
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number

const { command = [] } = (await find('redis8')) ?? {}
const program = [...command.slice(0, -1), `${dirname(command.at(-1) as string)}/redis-benchmark`]

/** Processor time that a process has had, in ticks of 10 ms. */
function ticks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return Number(fields[11]) + Number(fields[12])
}

/** Requests a second, and for each tick of processor time. */
async function measure(port: number, pid: number, pipeline: string, name: string): Promise<[number, number]> {
  const [file = '', ...before] = program
  const args = ['-p', `${port}`, '-n', requests, '-P', pipeline, '--csv', '-t', name.toLowerCase()]
  const start = ticks(pid)
  const { stdout } = await run(file, [...before, ...args])
  const rate = Number(/^"\w+[^"]*","([\d.]+)"/m.exec(stdout)?.[1])
  return [rate, Number(requests) / Math.max(1, ticks(pid) - start)]
}

/** Starts the command; resolves with the milliseconds to its first answer over RESP. */
async function startDev(): Promise<{ port: number; pid: number; ms: number; cpuMs: number; stop(): void }> {
  const port = await freePort()
  const cli = fileURLToPath(new URL('../dist/cli/hither.js', import.meta.url))
  const start = performance.now()
  const child = spawn(process.execPath, [cli, 'dev', '--port', '0', '--redis-port', `${port}`], { stdio: 'ignore' })
  while ((await ask(port, 'PING').catch(() => '')) !== '+PONG') await new Promise((resolve) => setTimeout(resolve, 2))
  const pid = child.pid as number
  return { port, pid, ms: performance.now() - start, cpuMs: 10 * ticks(pid), stop: () => child.kill() }
}

const starts: number[] = []
const cpu: number[] = []
for (let i = 0; i < 2 * rounds; i++) {
  const dev = await startDev()
  starts.push(dev.ms)
  cpu.push(dev.cpuMs)
  dev.stop()
}
console.log(
  `first answer after ${Math.min(...starts).toFixed(0)} ms at best, ${median(starts).toFixed(0)} ms in the middle; ${median(cpu)} ms of processor time`,
)

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
