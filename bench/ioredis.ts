/**
 * The store over TCP beside the client it borrows: `npm run bench:ioredis`.
 *
 * GET hits on a Redis of its own on loopback, keys of some 12 bytes, values of 100; the store and plain ioredis have
 * a connection each, of the same settings.
 */
import { parseArgs } from 'node:util'
import type { Redis } from 'ioredis'
import { connect, ioredisStore } from '../adapters/ioredis/index.ts'
import { startServer } from '../scripts/servers.ts'
import type { Operation } from '../src/protocol/operation.ts'
import { scriptOf } from '../src/protocol/operation.ts'
import { type Case, callers, type Gate, measure, report } from './support.ts'

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

const groups: { count: number; ops: number; atLeast?: number }[] = [
  { count: 1, ops: 500, atLeast: 0.95 },
  { count: 64, ops: 64 * 50, atLeast: 2 },
  { count: 1000, ops: 1000 * 5, atLeast: 3.5 },
]
const value = 'y'.repeat(100)
const cases: Case[] = []
const gates: Gate[] = []
const pair = (label: string, count: number, ops: number, ours: Op, theirs: Op, atLeast?: number): void => {
  cases.push(callers(`${label}, plain`, count, ops, theirs), callers(label, count, ops, ours))
  gates.push({ name: label, against: `${label}, plain`, ...(atLeast === undefined ? {} : { atLeast }) })
}
type Op = (i: number) => Promise<unknown>

for (const { count, ops, atLeast } of groups) {
  pair(
    `get, ${count} callers`,
    count,
    ops,
    (i) => store.get(key(i)),
    (i) => plain.get(key(i)),
    atLeast,
  )
}
// For information: what shares no MGET, and what only partly does.
pair(
  'set, 64 callers',
  64,
  3200,
  (i) => store.set(key(i), value),
  (i) => plain.set(key(i), value),
)
const mixed =
  (get: Op, set: Op): Op =>
  (i) =>
    i % 10 === 0 ? set(i) : get(i)
pair(
  '9 get : 1 set, 64 callers',
  64,
  3200,
  mixed(
    (i) => store.get(key(i)),
    (i) => store.set(key(i), value),
  ),
  mixed(
    (i) => plain.get(key(i)),
    (i) => plain.set(key(i), value),
  ),
)
pair(
  'operation (EVALSHA), 64 callers',
  64,
  3200,
  (i) => store.run(take, `bench:count:${i % KEYS}`, [1e9]),
  (i) => plain.evalsha(sha, 1, `bench:count:${i % KEYS}`, 1e9),
)

const chosen = (name: string): boolean => flags.only === undefined || name.startsWith(flags.only)
const rows = await measure(
  cases.filter(({ name }) => chosen(name)),
  gates.filter(({ name }) => chosen(name)),
)
report('ioredisStore(client) against the plain client (ioredis 6.0.0), one Redis 7 on loopback', rows)
await store.close()
await plain.quit()
await server.stop()
