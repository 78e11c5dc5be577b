/**
 * Compares a counter's increment with the least that it can do, INCR and PEXPIRE in one script: `npm run bench:counter`. On one
 * Redis on loopback, with one caller and with 64, on 100 keys.
 */
import { Redis } from 'ioredis'
import { ioredisStore } from '../adapters/ioredis/index.ts'
import { tcpStore } from '../adapters/tcp/index.ts'
import { startServer } from '../scripts/servers.ts'
import { createCounter } from '../src/counter/index.ts'
import type { AtomicStore } from '../src/store/store.ts'
import { callers, type Gate, measure, report } from './support.ts'

const TTL_MS = 60_000
const server = await startServer('redis7')
const settings = { enableOfflineQueue: false, maxRetriesPerRequest: 0 } as const
const client = new Redis(server.url, settings)
const bare = new Redis(server.url, settings)
await Promise.all([client, bare].map((each) => new Promise((resolve) => each.once('ready', resolve))))
const own = tcpStore({ url: server.url })
const borrowed = ioredisStore(client)

/** The least that a counter must do: add one, and set the lifetime at the first increment. */
const script = `
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count`
const sha = (await bare.script('LOAD', script)) as string
const plain = (i: number): Promise<unknown> => bare.evalsha(sha, 1, `bare:${i % 100}`, TTL_MS)
const ours = (store: AtomicStore): ((i: number) => Promise<unknown>) => {
  const counter = createCounter({ store, namespace: 'bench', name: 'n', ttl: TTL_MS })
  return (i) => counter.increment(`k${i % 100}`)
}

const ways = { 'over ioredis': ours(borrowed), 'over hither/tcp': ours(own), 'a script by ioredis': plain }
const cases = Object.entries(ways).flatMap(([name, call]) => [
  callers(`increment ${name}, one caller`, 1, 200, call),
  callers(`increment ${name}, 64 callers`, 64, 6400, call),
])
const gates: Gate[] = ['one caller', '64 callers'].flatMap((count) =>
  ['over ioredis', 'over hither/tcp'].map((name) => ({
    name: `increment ${name}, ${count}`,
    against: `increment a script by ioredis, ${count}`,
    atLeast: 0.95,
  })),
)
report('Counters', await measure(cases, gates))
await Promise.all([own.close(), borrowed.close()])
client.disconnect()
bare.disconnect()
await server.stop()
process.exit()
