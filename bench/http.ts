/**
 * `npm run bench:http`: hits of `cacheResponse()` beside the same handler without it, each in its own process; the time to
 * the first byte of a hit of 10 MB; memory while 100 bodies of 10 MB stream through. BENCH_ROUNDS sets the rounds.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { median } from './support.ts'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 15)
const CONNECTIONS = 16
const ROUND_MS = 500
const FIRST_GATE = 0.6

interface Running {
  readonly child: ChildProcess
  readonly port: number
}

async function start(kind: string): Promise<Running> {
  const path = fileURLToPath(new URL('http-server.ts', import.meta.url))
  const child = fork(path, [kind], { execArgv: ['--no-warnings', '--import', './scripts/from-source.ts'] })
  const [port] = (await once(child, 'message')) as [number]
  return { child, port }
}

/** Asks on one connection, again and again, until `endMs`; resolves to how many whole answers came. */
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

async function rateOf({ port }: Running): Promise<number> {
  const startMs = performance.now()
  const counts = await Promise.all(
    Array.from({ length: CONNECTIONS }, () => hammer(port, '/small', startMs + ROUND_MS)),
  )
  return (counts.reduce((sum, count) => sum + count) * 1000) / (performance.now() - startMs)
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

const kinds = ['constant', 'near', 'store']
const servers = new Map<string, Running>()
for (const kind of kinds) servers.set(kind, await start(kind))
const server = (kind: string): Running => servers.get(kind) as Running
for (const kind of kinds) for (let i = 0; i < 3; i++) await rateOf(server(kind))
const ratios: Record<string, number[]> = { near: [], store: [] }
const rates: Record<string, number[]> = { constant: [], near: [], store: [] }
for (let round = 0; round < ROUNDS; round++) {
  const rate: Record<string, number> = {}
  for (const kind of kinds) {
    rate[kind] = await rateOf(server(kind))
    rates[kind]?.push(rate[kind])
  }
  for (const kind of ['near', 'store']) ratios[kind]?.push((rate[kind] as number) / (rate.constant as number))
}
console.log('| hits | per second | × the handler alone | gate |\n|---|---|---|---|')
for (const kind of kinds) {
  const ratio = kind === 'constant' ? 1 : median(ratios[kind] as number[])
  const gate = kind === 'near' ? `≥ ${FIRST_GATE} ${ratio >= FIRST_GATE ? 'pass' : 'FAIL'}` : ''
  console.log(`| ${kind} | ${Math.round(median(rates[kind] as number[]))} | ${ratio.toFixed(2)} | ${gate} |`)
}
await firstByteMs(server('store'))
const first = []
for (let i = 0; i < 9; i++) first.push(await firstByteMs(server('store')))
console.log(`\nfirst byte of a hit of 10 MB: ${median(first).toFixed(1)} ms`)

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
