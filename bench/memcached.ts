/**
 * Compares the store over memcached with other clients: `npm run bench:memcached`.
 *
 * Hits on a separate memcached on loopback, with keys of about 12 bytes and values of 100. The others, each on its own
 * connection: `memcache`, `memjs`, and a hand-written socket that knows only `mg`, writes once a tick and checks nothing.
 */
import { connect as connectSocket } from 'node:net'
import { Memcache } from 'memcache'
import memjs from 'memjs'
import { memcachedStore } from '../adapters/memcached/index.ts'
import { startServer } from '../scripts/servers.ts'
import { callers, type Gate, measure, type Row, report } from './support.ts'

const KEYS = 1000
const key = (i: number): string => `bench:key:${i % KEYS}`

/** A hand-written client that can only get, by the meta protocol. */
async function handWritten(port: number): Promise<(key: string) => Promise<string>> {
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
      const end = line + 2 + Number(text.slice(at + 3, line))
      if (text.length < end + 2) break
      ;(waiting[next++] as (reply: string) => void)(text.slice(line + 2, end))
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
  return (name) =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (out === '') queueMicrotask(flush)
      out += `mg ${name} v\r\n`
    })
}

const server = await startServer('memcached')
const address = `127.0.0.1:${server.port}`
const store = memcachedStore({ servers: [server.url] })
const raw = await handWritten(server.port)
const memcache = new Memcache({ nodes: [address] })
const other = memjs.Client.create(address)
for (let i = 0; i < KEYS; i++) await store.set(key(i), 'x'.repeat(100))
const answers = [
  await store.get(key(1)),
  await raw(key(1)),
  await memcache.get(key(1)),
  String((await other.get(key(1)))?.value),
]
if (new Set(answers).size > 1) throw new Error('they disagree')

const rows: Row[] = []
const rounds = Number(process.env.BENCH_ROUNDS ?? 101)
for (const count of [1, 64, 1000]) {
  const name = `get, ${count} caller${count > 1 ? 's' : ''}`
  const each = count === 1 ? 100 : count === 64 ? 3200 : 5000
  const cases = Object.entries({
    store: (i: number) => store.get(key(i)),
    'by hand': (i: number) => raw(key(i)),
    memcache: (i: number) => memcache.get(key(i)),
    memjs: (i: number) => other.get(key(i)),
  }).map(([who, op]) => callers(`${name}: ${who}`, count, each, op))
  const gate = (against: string, atLeast: number): Gate => ({
    name: `${name}: store`,
    against: `${name}: ${against}`,
    ...(count === 64 ? { atLeast } : {}),
  })
  const gates = [gate('by hand', 0.85), gate('memcache', 2), gate('memjs', 2)]
  rows.push(...(await measure(cases, gates, { rounds, warmUp: 20 })))
}
report('memcachedStore beside memcache 1.10.0, memjs 1.3.2 and a socket by hand, one memcached on loopback', rows)
await store.close()
await server.stop()
process.exit()
