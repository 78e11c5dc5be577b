/**
 * Compares the store over a NATS bucket with `@nats-io/kv`: `npm run bench:nats`.
 *
 * Hits and puts on a separate nats-server on loopback, with a bucket in memory, keys of about 10 bytes and values of 100. Each of
 * the two has its own connection, on the same bucket.
 */
import { Kvm } from '@nats-io/kv'
import { connect } from '@nats-io/transport-node'
import { natsStore } from '../adapters/nats/index.ts'
import { startServer } from '../scripts/servers.ts'
import { callers, measure, type Row, report } from './support.ts'

const KEYS = 1000
const key = (i: number): string => `bench/key/${i % KEYS}`

const server = await startServer('nats')
const connection = await connect({ servers: server.url })
const store = natsStore({ servers: server.url, bucket: 'bench', storage: 'memory' })
await store.ready()
const kv = await new Kvm(connection).open('bench')
const value = 'x'.repeat(100)
for (let i = 0; i < KEYS; i++) await store.set(key(i), value)
if ((await kv.get(key(1)))?.string() !== (await store.get(key(1)))) throw new Error('they disagree')

const rows: Row[] = []
const rounds = Number(process.env.BENCH_ROUNDS ?? 101)
for (const [verb, ops] of Object.entries({
  get: { store: (i: number) => store.get(key(i)), kv: (i: number) => kv.get(key(i)) },
  set: { store: (i: number) => store.set(key(i), value), kv: (i: number) => kv.put(key(i), value) },
})) {
  for (const count of [1, 64]) {
    const name = `${verb}, ${count} caller${count > 1 ? 's' : ''}`
    const cases = Object.entries(ops).map(([who, op]) =>
      callers(`${name}: ${who}`, count, count === 1 ? 100 : 1920, op),
    )
    const gates = [{ name: `${name}: store`, against: `${name}: kv`, atLeast: 0.95 }]
    rows.push(...(await measure(cases, gates, { rounds, warmUp: 10 })))
  }
}
report('natsStore beside @nats-io/kv 3.4.0, one nats-server on loopback', rows)
await store.close()
await connection.close()
await server.stop()
process.exit()
