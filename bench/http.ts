/**
 * `npm run bench:http` compares hits of `cacheResponse()` with the same handler without it, and with other caches, each in its
 * own process. It also measures the time to the first byte of a hit of 10 MB, and the memory while 100 bodies of 10 MB stream
 * through. BENCH_ROUNDS sets the number of rounds; NGINX is the path of nginx, by default `nginx`. Rates are per second of the
 * server's own CPU time, which other programs of the machine do not change.
 */
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../scripts/servers.ts'
import { median } from './support.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 15)
const CONNECTIONS = 16
const ROUND_MS = 500
const FIRST_GATE = 0.6

interface Running {
  readonly child: ChildProcess
  readonly port: number
}

async function start(kind: string, origin = ''): Promise<Running> {
  const path = fileURLToPath(new URL('http-server.ts', import.meta.url))
  const execArgv = ['--no-warnings', '--import', './scripts/from-source.ts']
  const child = fork(path, [kind], { execArgv, env: { ...process.env, ORIGIN: origin } })
  const [port] = (await once(child, 'message')) as [number]
  return { child, port }
}

const folder = mkdtempSync(join(tmpdir(), 'hither-nginx-'))

/** nginx with proxy_cache in front of the handlers, in one process; undefined if this machine has no nginx. */
async function startNginx(origin: string): Promise<Running | undefined> {
  const program = process.env.NGINX ?? 'nginx'
  try {
    execFileSync(program, ['-v'], { stdio: 'ignore' })
  } catch {
    return undefined
  }
  const port = await freePort()
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  )
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/pid; error_log /dev/null;
events { worker_connections 512; }
http { access_log off; ${paths.join(' ')} proxy_cache_path ${folder}/cache keys_zone=z:10m; keepalive_requests 1000000;
server { listen 127.0.0.1:${port}; location = /small { proxy_pass ${origin}/cached; proxy_cache z; } } }`,
  )
  const child = spawn(program, ['-p', folder, '-c', join(folder, 'nginx.conf')], { stdio: 'ignore' })
  for (let tries = 0; tries < 100; tries++) {
    const isUp = await fetch(`http://127.0.0.1:${port}/small`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (isUp) return { child, port }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error('nginx did not start')
}

/** CPU seconds that a process has used. */
function cpuSeconds({ child }: Running): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** Sends one request after another on one connection until `endMs`; resolves to how many whole responses came. */
function hammer(port: number, path: string, endMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let count = 0
    let text = ''
    const socket: Socket = connect(port, '127.0.0.1')
    const ask = (): unknown => socket.write(`GET ${path} HTTP/1.1\r\nHost: a.example\r\n\r\n`)
    socket.setNoDelay(true).setEncoding('latin1')
    socket.on('connect', ask).on('error', reject)
    socket.on('data', (data) => {
      text += data
      const head = text.indexOf('\r\n\r\n')
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? Number.NaN)
      const isWhole = head > 0 && (Number.isNaN(length) ? text.endsWith('0\r\n\r\n') : text.length >= head + 4 + length)
      if (!isWhole) return
      text = ''
      count++
      if (performance.now() < endMs) ask()
      else {
        socket.destroy()
        resolve(count)
      }
    })
  })
}

/** Responses per second of the server's CPU time, and per second of the clock. */
async function rateOf(running: Running): Promise<{ readonly perCpu: number; readonly perClock: number }> {
  const [startMs, startCpu] = [performance.now(), cpuSeconds(running)]
  const counts = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => hammer(running.port, '/small', startMs + ROUND_MS)),
  )
  const count = counts.reduce((sum, one) => sum + one)
  return {
    perCpu: count / Math.max(0.01, cpuSeconds(running) - startCpu),
    perClock: (count * 1000) / (performance.now() - startMs),
  }
}

async function firstByteMs({ port }: Running): Promise<number> {
  const startMs = performance.now()
  const response = await fetch(`http://127.0.0.1:${port}/large`)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  await reader.read()
  const ms = performance.now() - startMs
  while (!(await reader.read()).done);
  return ms
}

async function rssOf({ child }: Running): Promise<number> {
  child.send('rss')
  return ((await once(child, 'message')) as [number])[0]
}

const servers = new Map<string, Running>()
for (const kind of ['constant', 'near', 'store']) servers.set(kind, await start(kind))
const server = (kind: string): Running => servers.get(kind) as Running
const origin = `http://127.0.0.1:${server('constant').port}`
for (const kind of ['http-cache-semantics', 'hono/cache', 'undici']) servers.set(kind, await start(kind, origin))
const nginx = await startNginx(origin)
if (nginx) servers.set('nginx proxy_cache', nginx)
else console.log('nginx: not on this machine; NGINX is its path')
const kinds = [...servers.keys()]
for (const kind of kinds) for (let i = 0; i < 3; i++) await rateOf(server(kind))
const rates = new Map<string, { readonly perCpu: number; readonly perClock: number; readonly ratio: number }[]>()
for (const kind of kinds) rates.set(kind, [])
for (let round = 0; round < ROUNDS; round++) {
  let constant = 0
  for (const kind of kinds) {
    const rate = await rateOf(server(kind))
    if (kind === 'constant') constant = rate.perCpu
    rates.get(kind)?.push({ ...rate, ratio: rate.perCpu / constant })
  }
}
const middle = (kind: string, of: 'perCpu' | 'perClock' | 'ratio'): number =>
  median((rates.get(kind) ?? []).map((rate) => rate[of]))
console.log('| hits | per second of its CPU | per second | × the handler alone | gate |\n|---|---|---|---|---|')
for (const kind of kinds) {
  const ratio = middle(kind, 'ratio')
  const gate = kind === 'near' ? `≥ ${FIRST_GATE} ${ratio >= FIRST_GATE ? 'pass' : 'FAIL'}` : ''
  const [perCpu, perClock] = [Math.round(middle(kind, 'perCpu')), Math.round(middle(kind, 'perClock'))]
  console.log(`| ${kind} | ${perCpu} | ${perClock} | ${ratio.toFixed(2)} | ${gate} |`)
}
if (nginx) {
  const ratio = middle('near', 'perCpu') / middle('nginx proxy_cache', 'perCpu')
  console.log(`\nnear × nginx proxy_cache: ${ratio.toFixed(2)} (asked: ≥ 0.5)`)
}
await firstByteMs(server('store'))
const first: number[] = []
const plain: number[] = []
for (let i = 0; i < 9; i++) {
  plain.push(await firstByteMs(server('constant')))
  first.push(await firstByteMs(server('store')))
}
const [hitMs, plainMs] = [median(first).toFixed(1), median(plain).toFixed(1)]
console.log(`\nfirst byte of a hit of 10 MB: ${hitMs} ms; of the same bytes from the handler alone: ${plainMs} ms`)

const before = await rssOf(server('store'))
let most = before
const streams = Array.from({ length: 100 }, async (_, i) => {
  const response = await fetch(`http://127.0.0.1:${server('store').port}/stream/${i}`)
  const reader = (response.body as ReadableStream<Uint8Array>).getReader()
  while (!(await reader.read()).done);
})
let isDone = false
const watch = (async () => {
  while (!isDone) {
    most = Math.max(most, await rssOf(server('store')))
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
})()
await Promise.all(streams)
isDone = true
await watch
const mb = (bytes: number): string => (bytes / 1e6).toFixed(0)
console.log(
  `memory while 100 bodies of 10 MB are stored (the store keeps 200 MB): ${mb(before)} MB before, ${mb(most)} MB at most`,
)
for (const { child } of servers.values()) child.kill()
rmSync(folder, { recursive: true, force: true })
