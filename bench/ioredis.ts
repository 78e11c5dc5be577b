/**
 * Compares the store over ioredis with the plain client: `npm run bench:ioredis`.
 *
 * GET hits on a separate Redis on loopback, with keys of about 12 bytes and values of 100. The store and plain ioredis have a
 * connection each, with the same settings.
 */
import { parseArgs } from 'node:util'
import type { Redis } from 'ioredis'
import { connect, ioredisStore } from '../adapters/ioredis/index.ts'
import { startServer } from '../scripts/servers.ts'
import type { Operation } from '../src/protocol/operation.ts'
import { scriptOf } from '../src/protocol/operation.ts'
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

const server = await startServer('redis7')
const plain = (await connect(server.url)) as unknown as Redis
const borrowed = await connect(server.url)
const store = ioredisStore(borrowed, { owned: true })
await store.ready()
for (let i = 0; i < KEYS; i++) await store.set(key(i), 'x'.repeat(100))
if ((await plain.get(key(1))) !== (await store.get(key(1)))) throw new Error('store and client disagree')
const sha = (await plain.script('LOAD', scriptOf(take))) as string

type Op = (i: number) => Promise<unknown>

const value = 'y'.repeat(100)
const rows: Row[] = []
const rounds = Number(process.env.BENCH_ROUNDS ?? 101)

/** Measures a pair alternately, in short rounds, since disturbances of the machine come and go within milliseconds. */
const pair = async (label: string, count: number, ours: Op, theirs: Op, atLeast?: number): Promise<void> => {
  const name = `${label}, ${count} caller${count > 1 ? 's' : ''}`
  if (flags.only !== undefined && !name.startsWith(flags.only)) return
  const against = `${name}, plain`
  const ops = count === 1 ? 100 : count === 1000 ? 5000 : 3200
  const options = count === 1 ? { rounds: rounds * 4, warmUp: 300 } : { rounds, warmUp: 10 }
  const gate: Gate = { name, against, ...(atLeast === undefined ? {} : { atLeast }) }
  rows.push(
    ...(await measure([callers(against, count, ops, theirs), callers(name, count, ops, ours)], [gate], options)),
  )
}
const get: Op = (i) => store.get(key(i))
const plainGet: Op = (i) => plain.get(key(i))
const set: Op = (i) => store.set(key(i), value)
const plainSet: Op = (i) => plain.set(key(i), value)

await pair('get', 1, get, plainGet, 0.95)
await pair('get', 64, get, plainGet, 2)
await pair('get', 1000, get, plainGet, 3.5)
// For information, without a gate: calls that cannot share an MGET, and a mix in which only some can.
await pair('set', 64, set, plainSet)
await pair(
  '9 get : 1 set',
  64,
  (i) => (i % 10 === 0 ? set(i) : get(i)),
  (i) => (i % 10 === 0 ? plainSet(i) : plainGet(i)),
)
await pair(
  'operation (EVALSHA)',
  64,
  (i) => store.run(take, `bench:count:${i % KEYS}`, [1e9]),
  (i) => plain.evalsha(sha, 1, `bench:count:${i % KEYS}`, 1e9),
)

report('ioredisStore(client) against the plain client (ioredis 6.0.0), one Redis 7 on loopback', rows)
await store.close()
await plain.quit()
await server.stop()
