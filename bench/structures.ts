/**
 * Compares the structures with the same commands sent by the client under them: `npm run bench:structures`. `BENCH_ROUNDS` sets
 * the number of rounds.
 */
import { Redis } from 'ioredis'
import { ioredisStore } from '../adapters/ioredis/index.ts'
import { tcpStore } from '../adapters/tcp/index.ts'
import { startServer } from '../scripts/servers.ts'
import { hash, list, sortedSet } from '../src/structures/index.ts'
import { callers, type Gate, measure, report } from './support.ts'

const server = await startServer('redis7')
const settings = { enableOfflineQueue: false, maxRetriesPerRequest: 0 } as const
const client = new Redis(server.url, settings)
const bare = new Redis(server.url, settings)
await Promise.all([client, bare].map((each) => new Promise((resolve) => each.once('ready', resolve))))
const space = { store: ioredisStore(client), namespace: 'b' }
const own = { store: tcpStore({ url: server.url }), namespace: 'b' }

const cart = hash<number>(space, 'cart')
const top = sortedSet<string>(space, 'top')
const log = list<string>(space, 'log')
for (let i = 0; i < 100; i++) await cart.set(`f${i}`, i)

const commands: readonly [
  name: string,
  ours: (i: number) => Promise<unknown>,
  theirs: (i: number) => Promise<unknown>,
][] = [
  ['HGET', (i) => cart.get(`f${i % 100}`), (i) => bare.hget('b:cart', `f${i % 100}`)],
  ['HSET', (i) => cart.set(`f${i % 100}`, i), (i) => bare.hset('b:cart', `f${i % 100}`, i)],
  ['ZINCRBY', (i) => top.incrementBy(`m${i % 100}`, 1), (i) => bare.zincrby('b:top', 1, `"m${i % 100}"`)],
  ['LRANGE', () => log.range(0, 9), () => bare.lrange('b:log', 0, 9)],
]
const ownCart = hash<number>(own, 'cart')
await log.append(Array.from({ length: 10 }, (_, i) => `entry ${i}`))

const cases = [
  callers('HGET over hither/tcp, 64 callers', 64, 6400, (i) => ownCart.get(`f${i % 100}`)),
  callers('HSET over hither/tcp, 64 callers', 64, 6400, (i) => ownCart.set(`f${i % 100}`, i)),
  ...commands.flatMap(([name, ours, theirs]) => [
    callers(`${name}, one caller`, 1, 200, ours),
    callers(`${name} by ioredis, one caller`, 1, 200, theirs),
    callers(`${name}, 64 callers`, 64, 6400, ours),
    callers(`${name} by ioredis, 64 callers`, 64, 6400, theirs),
  ]),
]
const gates: Gate[] = [
  { name: 'HGET over hither/tcp, 64 callers', against: 'HGET by ioredis, 64 callers', atLeast: 2 },
  { name: 'HSET over hither/tcp, 64 callers', against: 'HSET by ioredis, 64 callers', atLeast: 2 },
  ...commands.flatMap(([name]) => [
    { name: `${name}, one caller`, against: `${name} by ioredis, one caller`, atLeast: 0.95 },
    { name: `${name}, 64 callers`, against: `${name} by ioredis, 64 callers`, atLeast: 2 },
  ]),
]
report('Structures over a borrowed ioredis, beside ioredis', await measure(cases, gates))
await Promise.all([space, own].map(({ store }) => store.close()))
client.disconnect()
bare.disconnect()
await server.stop()
