/**
 * Compares the store over the package's TCP transport with other clients: `npm run bench:tcp`.
 *
 * GET hits and an operation on a separate Redis on loopback, with keys of about 12 bytes and values of 100. The others, each on
 * its own connection: ioredis with its defaults, and a hand-written socket that writes once a tick and reads only strings and
 * integers, as the fastest client that returns a promise per call.
 */
import { connect as connectSocket } from 'node:net'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { tcpStore } from '../adapters/tcp/index.ts'
import { startServer } from '../scripts/servers.ts'
import { type Operation, scriptOf } from '../src/protocol/operation.ts'
import type { Transport } from '../src/store/transport.ts'
import { callers, type Gate, measure, type Row, report } from './support.ts'

const { values: flags } = parseArgs({ options: { only: { type: 'string' } } })

const KEYS = 1000
const key = (i: number): string => `bench:key:${i % KEYS}`

/** A counter with a bound: the smallest operation that reads, decides and writes. */
const take: Operation<readonly [limit: number], number> = {
  name: 'bench.take',
  effect: 'once',
  lua: `
    local count = tonumber(redis.call('GET', KEYS[1]) or '0')
    if count >= tonumber(ARGV[1]) then return -1 end
    return redis.call('INCR', KEYS[1])`,
  apply(current, [limit]) {
    const count = Number(current ?? 0)
    if (count >= limit) return { next: current, ttl: 'keep', reply: -1 }
    return { next: String(count + 1), ttl: 'keep', reply: count + 1 }
  },
}

/** A hand-written client that pipelines. It reads only strings and integers, and no errors. */
async function handWritten(port: number): Promise<(...args: string[]) => Promise<string>> {
  const socket = connectSocket(port, '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.setNoDelay(true)
  let waiting: ((reply: string) => void)[] = []
  let next = 0
  let out = ''
  let rest = ''
  socket.on('data', (chunk: Buffer) => {
    const text = rest + chunk.toString('latin1')
    let at = 0
    for (;;) {
      const line = text.indexOf('\r\n', at)
      if (line < 0) break
      const isString = text[at] === '$'
      const end = isString ? line + 2 + Number(text.slice(at + 1, line)) : line
      if (isString && text.length < end + 2) break
      ;(waiting[next++] as (reply: string) => void)(text.slice(isString ? line + 2 : at + 1, end))
      at = end + 2
    }
    rest = text.slice(at)
    if (next === waiting.length) {
      waiting = []
      next = 0
    }
  })
  const flush = (): void => {
    socket.write(out, 'latin1')
    out = ''
  }
  return (...args) =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (out === '') queueMicrotask(flush)
      let text = `*${args.length}\r\n`
      for (const arg of args) text += `$${arg.length}\r\n${arg}\r\n`
      out += text
    })
}

const server = await startServer('redis7')
const plain = new Redis(server.url)
const store = tcpStore({ url: server.url })
const transport = store.transport as Transport
const raw = await handWritten(server.port)
await store.ready()
for (let i = 0; i < KEYS; i++) await store.set(key(i), 'x'.repeat(100))
const answers = [await store.get(key(1)), await plain.get(key(1)), await raw('GET', key(1))]
if (new Set(answers).size > 1) throw new Error('they disagree')
const sha = (await plain.script('LOAD', scriptOf(take))) as string

type Op = (i: number) => Promise<unknown>

const rows: Row[] = []
const rounds = Number(process.env.BENCH_ROUNDS ?? 101)

/** Measures several clients alternately, in short rounds, since disturbances of the machine come and go within milliseconds. */
const compare = async (
  label: string,
  count: number,
  ops: Readonly<Record<string, Op>>,
  gates: readonly (readonly [name: string, against: string, atLeast?: number | undefined])[],
): Promise<void> => {
  const name = `${label}, ${count} caller${count > 1 ? 's' : ''}`
  if (flags.only !== undefined && !name.startsWith(flags.only)) return
  const each = count === 1 ? 100 : count === 1000 ? 5000 : 3200
  const options = count === 1 ? { rounds: rounds * 4, warmUp: 300 } : { rounds, warmUp: 20 }
  const cases = Object.entries(ops).map(([who, op]) => callers(`${name}: ${who}`, count, each, op))
  const asked = gates.map(
    ([who, against, atLeast]): Gate => ({
      name: `${name}: ${who}`,
      against: `${name}: ${against}`,
      ...(atLeast === undefined ? {} : { atLeast }),
    }),
  )
  rows.push(...(await measure(cases, asked, options)))
}

const gets: Record<string, Op> = {
  ioredis: (i) => plain.get(key(i)),
  'by hand': (i) => raw('GET', key(i)),
  transport: (i) => transport.send({ args: ['GET', key(i)], effect: 'read' }),
  store: (i) => store.get(key(i)),
}
const operations: Record<string, Op> = {
  ioredis: (i) => plain.evalsha(sha, 1, `bench:count:${i % KEYS}`, 1e9),
  'by hand': (i) => raw('EVALSHA', sha, '1', `bench:count:${i % KEYS}`, '1000000000'),
  transport: (i) => transport.send({ args: ['EVALSHA', sha, 1, `bench:count:${i % KEYS}`, 1e9], effect: 'once' }),
  store: (i) => store.run(take, `bench:count:${i % KEYS}`, [1e9]),
}

await compare('get', 1, gets, [
  ['store', 'ioredis', 0.95],
  ['store', 'by hand'],
  ['transport', 'by hand'],
])
for (const count of [64, 1000]) {
  await compare('get', count, gets, [
    ['store', 'ioredis', 2],
    ['transport', 'ioredis', count === 64 ? 2 : undefined],
    ['transport', 'by hand'],
    ['store', 'by hand'],
  ])
}
await compare('EVALSHA', 1, operations, [
  ['store', 'ioredis'],
  ['store', 'by hand'],
])
await compare('EVALSHA', 64, operations, [
  ['store', 'ioredis', 2.5],
  ['transport', 'ioredis'],
  ['store', 'by hand'],
])

report('tcpStore beside ioredis 6.0.0 and a socket by hand, one Redis 7 on loopback', rows)
await store.close()
await plain.quit()
await server.stop()
process.exit()
