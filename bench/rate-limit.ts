/**
 * Compares rate limits with other libraries: `npm run bench:limits`.
 *
 * Measures decisions with 64 callers on 1,000 ids, each limiter on its own ioredis connection to one Redis on loopback; how many
 * commands a decision costs, counted by a proxy on the wire; what a decision costs the server, by its own count; and the most
 * calls that were certainly admitted within a second under four hostile loads, with a limit of 100 a second. `--only server`,
 * `speed` or `accuracy` runs one part; `--server redis8` or `valkey` uses another server.
 */
import { parseArgs } from 'node:util'
import { Ratelimit } from '@upstash/ratelimit'
import { RedisStore as HonoStore } from 'hono-rate-limiter'
import type { Redis } from 'ioredis'
import { RedisStore as ExpressStore } from 'rate-limit-redis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { connect, ioredisStore } from '../adapters/ioredis/index.ts'
import { toUpstashRedis } from '../adapters/upstash-ratelimit/index.ts'
import { type ServerName, startServer } from '../scripts/servers.ts'
import { scriptOf } from '../src/protocol/operation.ts'
import {
  type Algorithm,
  createRateLimiter,
  fixedWindow,
  gcra,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../src/rate-limit/index.ts'
import { createTcpProxy } from '../test/support/tcp-proxy.ts'
import { EXACT_LOG, serverCost } from './rate-limit-server.ts'
import { callers, type Gate, measure, type Row, report } from './support.ts'

const { values: flags } = parseArgs({
  options: { only: { type: 'string' }, server: { type: 'string', default: 'redis7' } },
})
const does = (part: string): boolean => flags.only === undefined || flags.only === part
const IDS = 1000
const CALLERS = 64

type Take = (id: string) => Promise<boolean>
/** Makes a limiter of `limit` calls per `windowMs` on a connection, with its own name. */
type Make = (client: Redis, limit: number, windowMs: number) => Promise<Take>

const ours =
  (make: (limits: { limit: number; window: number }) => Algorithm): Make =>
  async (client, limit, window) => {
    const store = ioredisStore(client)
    await store.ready()
    const limiter = createRateLimiter({ store, algorithm: make({ limit, window }), outage: 'closed', timeout: '10s' })
    return async (id) => (await limiter.limit(id)).success
  }

const peers: Readonly<Record<string, Make>> = {
  'rate-limiter-flexible': async (storeClient, points, windowMs) => {
    const limiter = new RateLimiterRedis({ storeClient, points, duration: windowMs / 1000, keyPrefix: 'flexible' })
    return (id) =>
      limiter.consume(id).then(
        () => true,
        () => false,
      )
  },
  '@upstash/ratelimit': async (client, limit, windowMs) => {
    const limiter = Ratelimit.slidingWindow(limit, `${windowMs} ms`)
    const ratelimit = new Ratelimit({ redis: toUpstashRedis(ioredisStore(client)), limiter, ephemeralCache: false })
    return async (id) => (await ratelimit.limit(id)).success
  },
  'rate-limit-redis': async (client, limit, windowMs) => {
    const sendCommand = (command: string, ...args: string[]) => client.call(command, ...args) as Promise<never>
    const store = new ExpressStore({ sendCommand, prefix: 'express:' })
    store.init({ windowMs } as never)
    return async (id) => (await store.increment(id)).totalHits <= limit
  },
  'hono-rate-limiter': async (client, limit, windowMs) => {
    const store = new HonoStore({
      client: {
        scriptLoad: (script: string) => client.script('LOAD', script) as Promise<string>,
        evalsha: (sha: string, keys: string[], args: unknown[]) =>
          client.evalsha(sha, keys.length, ...keys, ...(args as string[])) as Promise<never>,
        decr: (key: string) => client.decr(key),
        del: (key: string) => client.del(key),
      } as never,
      prefix: 'hono:',
    })
    store.init({ windowMs } as never)
    return async (id) => (await store.increment(id)).totalHits <= limit
  },
}
const own: Readonly<Record<string, Make>> = {
  fixedWindow: ours(fixedWindow),
  slidingWindow: ours(slidingWindow),
  slidingLog: ours(slidingLog),
  slidingBuckets: ours(slidingBuckets),
  tokenBucket: ours(tokenBucket),
  gcra: ours(gcra),
}

const exactLog: Make = async (client, limit, windowMs) => {
  const sha = (await client.script('LOAD', EXACT_LOG)) as string
  let count = 0
  return async (id) => ((await client.evalsha(sha, 1, `exact:${id}`, limit, windowMs, count++)) as number[])[0] === 1
}

const algorithms = { fixedWindow, slidingWindow, slidingLog, slidingBuckets, tokenBucket, gcra }
const server = await startServer(flags.server as Exclude<ServerName, 'cluster'>)
const open: Redis[] = []
const client = async (url = server.url): Promise<Redis> => {
  const made = await connect(url)
  await ioredisStore(made).ready()
  open.push(made as unknown as Redis)
  return made as unknown as Redis
}

/** Speed under a limit that is never reached, so that each decision sends a command. */
async function speed(): Promise<Row[]> {
  const ids = Array.from({ length: IDS }, (_, i) => `id:${i}`)
  const cases = []
  const gates: Gate[] = []
  for (const [name, make] of Object.entries(own)) {
    const algorithm = algorithms[name as keyof typeof algorithms] as typeof gcra
    const limits = { limit: 10_000, window: 60_000 }
    const { steps, args } = algorithm(limits)
    const bare = await client()
    const sha = (await bare.script('LOAD', scriptOf(steps[0]))) as string
    const numbers = args(undefined, false)
    const against = `${name}, bare EVALSHA`
    cases.push(
      callers(against, CALLERS, 1600, (i) => bare.evalsha(sha, 1, `bare:${name}:${i % IDS}`, 'take', 1, ...numbers)),
    )
    const take = await make(await client(), limits.limit, limits.window)
    cases.push(callers(name, CALLERS, 1600, (i) => take(ids[i % IDS] as string)))
    gates.push({ name, against, atLeast: 0.9 })
  }
  for (const [name, make] of Object.entries({ ...peers, 'exact log, five commands': exactLog })) {
    const take = await make(await client(), 10_000, 60_000)
    cases.push(callers(name, CALLERS, 1600, (i) => take(ids[i % IDS] as string)))
    if (name in peers) gates.push({ name, against: 'fixedWindow, bare EVALSHA' })
  }
  gates.push({ name: 'fixedWindow', against: 'hono-rate-limiter', atLeast: 1 })
  gates.push({ name: 'slidingLog', against: 'exact log, five commands', atLeast: 0.9 })
  const rounds = Number(process.env.BENCH_ROUNDS ?? 41)
  return measure(cases, gates, { rounds })
}

async function commands(name: string, make: Make): Promise<string> {
  const proxy = await createTcpProxy(server.url)
  const through = await client(proxy.url)
  const take = await make(through, 10_000, 60_000)
  for (let i = 0; i < 20; i++) await take(`warm:${name}`)
  const before = proxy.stats.commands
  await Promise.all(Array.from({ length: 1000 }, (_, i) => take(`count:${i}`)))
  const each = (proxy.stats.commands - before) / 1000
  through.disconnect()
  await proxy.stop()
  return each.toFixed(2)
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)))
const WINDOW_MS = 1000

type Load = (call: () => void) => Promise<void>
const many = (call: () => void): void => {
  for (let i = 0; i < 150; i++) call()
}
const steady = async (call: () => void): Promise<void> => {
  const start = performance.now()
  for (let made = 0; made < 1250; ) {
    for (; made < (performance.now() - start) / 2 && made < 1250; made++) call()
    await pause(1)
  }
}
const loads: Readonly<Record<string, Load>> = {
  'burst across an edge': async (call) => {
    await pause(WINDOW_MS - (Date.now() % WINDOW_MS) + WINDOW_MS - 40)
    many(call)
    await pause(60)
    many(call)
  },
  'burst at its own edge': async (call) => {
    call()
    await pause(WINDOW_MS - 40)
    many(call)
    await pause(60)
    many(call)
  },
  'burst, then 500/s': async (call) => {
    many(call)
    await steady(call)
  },
  'steady 500/s': steady,
}

/** The most calls certainly admitted within a second: it lies between sending the first of them and the reply to the last. */
async function worst(make: Make): Promise<number[]> {
  const take = await make(await client(), 100, WINDOW_MS)
  await take('warm')
  return Promise.all(
    Object.entries(loads).map(async ([name, load]) => {
      const admitted: { readonly sentMs: number; readonly answeredMs: number }[] = []
      const pending: Promise<void>[] = []
      await load(() => {
        const sentMs = performance.now()
        const note = (success: boolean): void => {
          if (success) admitted.push({ sentMs, answeredMs: performance.now() })
        }
        pending.push(take(`${name}:${process.pid}`).then(note))
      })
      await Promise.all(pending)
      const counts = admitted.map(
        (last) =>
          admitted.filter(
            ({ sentMs, answeredMs }) => answeredMs <= last.answeredMs && sentMs > last.answeredMs - WINDOW_MS,
          ).length,
      )
      return Math.max(0, ...counts)
    }),
  )
}

try {
  if (does('server')) {
    const all = Object.values(algorithms).map((make) => make({ limit: 10_000, window: 60_000 }))
    console.log(`Microseconds of ${flags.server} for an allowed decision\n\n| script | µs |\n|---|--:|`)
    console.log((await serverCost(await client(), all)).join('\n'))
  }
  if (does('speed')) {
    report(
      `Decisions at 64 callers, each over its own ioredis connection, one ${flags.server} on loopback`,
      await speed(),
    )
    console.log('\n| limiter | commands a decision |\n|---|--:|')
    for (const [name, make] of Object.entries({ ...own, ...peers }))
      console.log(`| ${name} | ${await commands(name, make)} |`)
  }
  if (does('accuracy')) {
    console.log(
      `\nThe most certainly admitted in a second, at 100 a second:\n\n| limiter | ${Object.keys(loads).join(' | ')} |\n|---|--:|--:|--:|--:|`,
    )
    for (const [name, make] of Object.entries({ ...own, ...peers }))
      console.log(`| ${name} | ${(await worst(make)).join(' | ')} |`)
  }
} finally {
  for (const one of open) one.disconnect()
  await server.stop()
}
