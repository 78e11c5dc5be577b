/**
 * Compares the cache with others: `npm run bench:cache`; `--only near|stampede|processes|redis` runs one part.
 *
 * Near: awaited hits on 1,000 keys, whose text is built for each call. Stampede: 1,000 callers of one cold key over Redis, with a
 * loader of 50 ms; the gates are on the time of the slowest caller beyond that of the loader, and on the processor time a caller.
 * Processes: the same with four processes of 250 callers each. Redis: hits with nothing kept in the process, compared with a
 * plain GET by the same client, parsed.
 */
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { Redis } from 'ioredis'
import { LRUCache } from 'lru-cache'
import { connect, ioredisStore } from '../adapters/ioredis/index.ts'
import { memoryStore } from '../adapters/memory/index.ts'
import { type Server, startServer } from '../scripts/servers.ts'
import { createCache } from '../src/index.ts'
import { nearTier } from '../src/near/index.ts'
import { inProcess, overRedis, type ReadThrough } from './cache-peers.ts'
import { type Case, callers, interval, measure, median, report } from './support.ts'

const LOAD_MS = 50
const PROCESSES = 4
const rounds = Number(process.env.BENCH_ROUNDS ?? 101)
const value = { id: 1, name: 'a name' }
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface Line {
  readonly what: string
  readonly loads: string
  readonly beyond: string
  /** Processor time of this process, in microseconds a caller. */
  readonly cpu: string
  readonly gate: string
  readonly passed: boolean | undefined
}

/** Opens all read-throughs over Redis: hither on one connection, its peers together on another. */
async function openAll(url: string, prefix: string) {
  const client = (await connect(url)) as unknown as Redis
  const store = ioredisStore(await connect(url))
  await store.ready()
  const cache = createCache({ store, namespace: prefix, ttl: '1h' })
  const hither: ReadThrough = (key, load) => cache.getOrSet(key, load)
  const close = async (): Promise<void> => {
    await cache.close()
    client.disconnect()
  }
  return { client, close, through: { hither, ...overRedis(client, prefix) } as Readonly<Record<string, ReadThrough>> }
}

interface Rush {
  readonly wallMs: number
  /** How long each run of the loader took. */
  readonly loads: readonly number[]
  /** Processor time of this process, in microseconds a caller. */
  readonly cpuUs: number
}

async function rush(through: ReadThrough, key: string, count: number): Promise<Rush> {
  const loads: number[] = []
  const load = async (): Promise<object> => {
    const from = performance.now()
    await pause(LOAD_MS)
    loads.push(performance.now() - from)
    return value
  }
  const from = performance.now()
  const used = process.cpuUsage()
  await Promise.all(Array.from({ length: count }, () => through(key, load)))
  const { user, system } = process.cpuUsage(used)
  return { wallMs: performance.now() - from, loads, cpuUs: (user + system) / count }
}

interface Bounds {
  /** Maximum time of the slowest caller beyond that of the loader. */
  readonly beyondMs: number
  readonly cpuUs?: number
}

function judge(what: string, rushes: readonly Rush[], beyond: readonly number[], bounds?: Bounds): Line {
  const [low, high] = interval(beyond)
  const middle = median(beyond)
  const cpuUs = median(rushes.map((each) => each.cpuUs))
  const counts = rushes.map((each) => each.loads.length)
  const [least, most] = [Math.min(...counts), Math.max(...counts)]
  return {
    what,
    loads: least === most ? `${least}` : `${least}–${most}`,
    beyond: `${middle.toFixed(1)} ms (${low.toFixed(1)}–${high.toFixed(1)})`,
    cpu: cpuUs.toFixed(1),
    gate: bounds ? `1 load, ≤ ${bounds.beyondMs} ms${bounds.cpuUs ? `, ≤ ${bounds.cpuUs} µs` : ''}` : '',
    passed: bounds && most === 1 && middle <= bounds.beyondMs && cpuUs <= (bounds.cpuUs ?? Number.POSITIVE_INFINITY),
  }
}

async function near(): Promise<void> {
  const keys = 1000
  const ops = 2000
  const key = (i: number): string => `user:${i % keys}`
  const plain = new Map<string, object>()
  const lru = new LRUCache<string, object>({ max: 2 * keys })
  const tier = nearTier({ maxEntries: 2 * keys, maxAge: '1h' })
  const cache = createCache({ store: memoryStore(), near: tier, ttl: '1h' })
  const load = async (): Promise<object> => ({ ...value })
  const peers = inProcess()
  for (let i = 0; i < keys; i++) {
    plain.set(key(i), { ...value })
    lru.set(key(i), { ...value })
    for (const through of [cache.getOrSet as ReadThrough, ...Object.values(peers)]) await through(key(i), load)
  }
  await cache.flush()
  // The near tier keeps values that were read, not values that were loaded. So each key is read once.
  for (let i = 0; i < keys; i++) await cache.getOrSet(key(i), load)
  let found = 0
  const overMap = async (of: string): Promise<unknown> => plain.get(of)
  const awaited = (name: string, get: (key: string) => Promise<unknown>): Case => ({
    name,
    ops,
    async run() {
      for (let i = 0; i < ops; i++) if ((await get(key(i))) !== undefined) found++
    },
  })
  const sync = (name: string, get: (key: string) => unknown): Case => ({
    name,
    ops,
    async run() {
      for (let i = 0; i < ops; i++) if (get(key(i)) !== undefined) found++
    },
  })
  const cases = [
    awaited('async over Map', overMap),
    awaited('getOrSet, near', (of) => cache.getOrSet(of, load)),
    awaited('get, near', (of) => cache.get(of)),
    ...Object.entries(peers).map(([name, through]) => awaited(name, (of) => through(of, load))),
    sync('lru-cache get', (of) => lru.get(of)),
    sync('peek', (of) => cache.peek(of)),
  ]
  const gates = [
    { name: 'getOrSet, near', against: 'async over Map', atLeast: 0.8 },
    { name: 'getOrSet, near', against: 'async-cache-dedupe', atLeast: 2.5 },
    { name: 'get, near', against: 'async over Map' },
    ...Object.keys(peers).map((name) => ({ name, against: 'async over Map' })),
    { name: 'peek', against: 'lru-cache get', atLeast: 1 },
  ]
  const { misses } = tier.stats()
  const rows = await measure(cases, gates, { rounds, warmUp: 50 })
  if (found === 0 || tier.stats().misses > misses) throw new Error('a hit was none')
  report('Near hits', rows)
  await cache.close()
}

async function redis(server: Server): Promise<void> {
  const keys = 1000
  const key = (i: number): string => `user:${i % keys}`
  const { client, through, close } = await openAll(server.url, 'redis')
  const load = async (): Promise<object> => value
  for (let i = 0; i < keys; i++) {
    await client.set(key(i), JSON.stringify(value))
    for (const each of Object.values(through)) await each(key(i), load)
  }
  await pause(500)
  const cases: Case[] = []
  const gates: { name: string; against: string; atLeast?: number }[] = []
  for (const [count, ops, atLeast] of [
    [1, 100, 0.9],
    [64, 1920, 2],
  ] as const) {
    const against = `plain GET, parsed, ${count}`
    cases.push(callers(against, count, ops, async (i) => JSON.parse((await client.get(key(i))) ?? '')))
    for (const [name, each] of Object.entries(through)) {
      cases.push(callers(`${name}, ${count}`, count, ops, (i) => each(key(i), load)))
      gates.push({ name: `${name}, ${count}`, against, ...(name === 'hither' ? { atLeast } : {}) })
    }
  }
  report('getOrSet hits over Redis, by callers at a time', await measure(cases, gates, { rounds, warmUp: 20 }))
  await close()
}

async function stampede(server: Server): Promise<Line[]> {
  const { client, through, close } = await openAll(server.url, 'stampede')
  const times = Math.max(5, Math.round(rounds / 5))
  const lines: Line[] = []
  const results = new Map<string, Rush[]>()
  for (let n = 0; n < times; n++) {
    for (const [name, each] of Object.entries(through)) {
      results.set(name, [...(results.get(name) ?? []), await rush(each, `cold:${n}`, 1000)])
    }
  }
  for (const [name, all] of results) {
    const beyond = all.map(({ wallMs, loads }) => wallMs - Math.max(...loads))
    lines.push(judge(`1 process: ${name}`, all, beyond, name === 'hither' ? { beyondMs: 4, cpuUs: 10 } : undefined))
  }
  // Counts the reads of one stampede at the server. The entry and the namespace's generation are read by one command.
  await (through.hither as ReadThrough)('known', async () => value)
  await pause(100)
  await client.config('RESETSTAT')
  await rush(through.hither as ReadThrough, 'counted', 1000)
  const info = await client.info('commandstats')
  const calls = [...info.matchAll(/cmdstat_(m?get):calls=(\d+)/g)].reduce((sum, [, , n]) => sum + Number(n), 0)
  lines.push({
    what: '1 process: hither, reads of 1,000 callers',
    loads: '',
    beyond: `${calls}`,
    cpu: '',
    gate: '1 read',
    passed: calls === 1,
  })
  await close()
  return lines
}

/** A message to a child process: which library to run, on which key, and when to start. */
interface Turn {
  readonly name: string
  readonly key: string
  readonly atMs: number
}

async function child(url: string): Promise<void> {
  const { through } = await openAll(url, 'processes')
  process.on('message', async ({ name, key, atMs }: Turn) => {
    while (Date.now() < atMs - 3) await pause(1)
    while (Date.now() < atMs);
    process.send?.(await rush(through[name] as ReadThrough, key, 1000 / PROCESSES))
  })
  process.on('disconnect', () => process.exit())
  process.send?.(Object.keys(through))
}

async function processes(server: Server): Promise<Line[]> {
  const file = fileURLToPath(import.meta.url)
  const children = Array.from({ length: PROCESSES }, () => fork(file, ['--child', server.url]))
  const heard = (): Promise<unknown[]> =>
    Promise.all(children.map((each) => new Promise((resolve) => each.once('message', resolve))))
  const [names] = (await heard()) as string[][]
  const times = Math.max(5, Math.round(rounds / 5))
  const results = new Map<string, Rush[][]>()
  for (let n = 0; n < times; n++) {
    for (const name of names ?? []) {
      const turn: Turn = { name, key: `cold:${n}`, atMs: Date.now() + 30 }
      const answers = heard()
      for (const each of children) each.send(turn)
      results.set(name, [...(results.get(name) ?? []), (await answers) as Rush[]])
    }
  }
  for (const each of children) each.disconnect()
  return [...results].map(([name, all]) => {
    const together = all.map((each) => ({
      wallMs: Math.max(...each.map((one) => one.wallMs)),
      loads: each.flatMap((one) => one.loads),
      cpuUs: each.reduce((sum, one) => sum + one.cpuUs, 0) / each.length,
    }))
    const beyond = together.map(({ wallMs, loads }) => wallMs - Math.max(...loads))
    return judge(`${PROCESSES} processes: ${name}`, together, beyond, name === 'hither' ? { beyondMs: 12 } : undefined)
  })
}

const { values: flags } = parseArgs({ options: { only: { type: 'string' }, child: { type: 'string' } } })
const asked = (part: string): boolean => flags.only === undefined || flags.only === part
if (flags.child !== undefined) await child(flags.child)
else {
  const server = await startServer('redis7')
  if (asked('near')) await near()
  if (asked('redis')) await redis(server)
  const lines: Line[] = []
  if (asked('stampede')) lines.push(...(await stampede(server)))
  if (asked('processes')) lines.push(...(await processes(server)))
  if (lines.length > 0) {
    console.log(`\n1,000 callers of a cold key over Redis, a loader of ${LOAD_MS} ms\n`)
    console.log(
      '| what | loads | slowest caller, beyond the loader | µs of CPU a caller | gate | |\n|---|---|---|--:|---|---|',
    )
    for (const { what, loads, beyond, cpu, gate, passed } of lines) {
      const verdict = passed === undefined ? '' : passed ? 'pass' : 'FAIL'
      console.log(`| ${what} | ${loads} | ${beyond} | ${cpu} | ${gate} | ${verdict} |`)
    }
    if (lines.some(({ passed }) => passed === false)) process.exitCode = 1
  }
  await server.stop()
  process.exit()
}
