/**
 * Compares the near tier with Map and other caches in this process: `npm run bench:near`; `--only speed|memory|ratio` runs one
 * part.
 *
 * Speed: 1,000 keys, whose text is built for each call. The near tier gets a clock that is read once for 2,000 calls, or for each
 * call if the case's name says so; the others have no lifetimes unless the name says so. Memory: 1,000,000 entries of a small
 * integer, each cache in a separate process; the bytes of the keys do not count. Hit ratio: 4,000,000 requests for 100,000 keys
 * by Zipf's law (0.99), against the offline optimum. With scans, one request for a key that never comes again is added to every
 * two requests, in bursts of 10,000 or one by one.
 */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { LRUCache } from 'lru-cache'
import QuickLRU from 'quick-lru'
import { lru as tinyLru } from 'tiny-lru'
import { createBoundedMap } from '../src/near/bounded-map.ts'
import { clone } from '../src/near/isolate.ts'
import { type NearTier, nearTier } from '../src/near/near-tier.ts'
import { now } from '../src/runtime/clock.ts'
import { belady, type Policy, s3fifo, zipf } from './near-policies.ts'
import { type Case, type Gate, measure } from './support.ts'

const { values: flags } = parseArgs({ options: { only: { type: 'string' }, held: { type: 'string' } } })
const END = Number.POSITIVE_INFINITY

interface Line {
  readonly what: string
  readonly figure: string
  readonly gate?: string
  readonly passed?: boolean
}

const fill = (near: NearTier, key: string, value: unknown): boolean =>
  near.set(key, { value, writtenMs: now(), freshUntilMs: END, expiresMs: END }, now(), near.begin())

async function speed(): Promise<Line[]> {
  const count = 1000
  // Many short rounds, so that a busy machine disturbs only a few of them.
  const ops = 2000
  const rounds = Number(process.env.BENCH_ROUNDS ?? 301)
  const key = (i: number): string => `user:${i % count}`
  const value = Object.freeze({ id: 1, name: 'a name' })
  const plain = new Map<string, object>()
  const lru = new LRUCache<string, object>({ max: count * 2 })
  const bounded = new LRUCache<string, object>({ max: count * 2, ttl: 3_600_000, maxSize: 1e9 })
  const quick = new QuickLRU<string, object>({ maxSize: count * 2 })
  const tiny = tinyLru<object>(count * 2)
  const near = nearTier({ maxEntries: count * 2, maxAge: '1h' })
  const dated = nearTier({ maxEntries: count * 2, maxAge: '1h' })
  const record = { id: 1, name: 'a name', at: new Date(0), tags: ['a', 'b'] }
  for (let i = 0; i < count; i++) {
    for (const cache of [plain, lru, quick, tiny]) cache.set(key(i), value)
    bounded.set(key(i), value, { size: 100 })
    fill(near, key(i), { ...value })
    fill(dated, key(i), { ...record })
  }
  let found = 0
  let tickMs = now()
  const sync = (name: string, get: (key: string) => unknown, times = ops): Case => ({
    name,
    ops: times,
    async run() {
      tickMs = now()
      for (let i = 0; i < times; i++) if (get(key(i)) !== undefined) found++
    },
  })
  const awaited = (name: string, get: (key: string) => unknown): Case => {
    const call = async (of: string): Promise<unknown> => get(of)
    return {
      name,
      ops,
      async run() {
        tickMs = now()
        for (let i = 0; i < ops; i++) if ((await call(key(i))) !== undefined) found++
      },
    }
  }
  const cases = [
    sync('lru-cache get', (of) => lru.get(of)),
    sync('near peek', (of) => near.peek(of, tickMs)),
    sync('near peek, with a clock read', (of) => near.peek(of, now())),
    sync('lru-cache get, ttl and maxSize', (of) => bounded.get(of)),
    sync('Map get', (of) => plain.get(of)),
    sync('quick-lru get', (of) => quick.get(of)),
    sync('tiny-lru get', (of) => tiny.get(of)),
    sync('near get (the whole entry)', (of) => near.get(of, now())),
    awaited('async over Map', (of) => plain.get(of)),
    awaited('async over near peek', (of) => near.peek(of, tickMs)),
    awaited('async over near peek, with a clock read', (of) => near.peek(of, now())),
    awaited('async over lru-cache', (of) => lru.get(of)),
    sync('structuredClone', () => structuredClone(record), 200),
    sync('clone', () => clone(record), 200),
    sync('near peek of a value with a Date', (of) => dated.peek(of, now()), 200),
  ]
  const gates: Gate[] = [
    { name: 'near peek', against: 'lru-cache get', atLeast: 1 },
    ...[
      'near peek, with a clock read',
      'lru-cache get, ttl and maxSize',
      'Map get',
      'quick-lru get',
      'tiny-lru get',
      'near get (the whole entry)',
    ].map((name) => ({ name, against: 'lru-cache get' })),
    { name: 'async over near peek', against: 'async over Map', atLeast: 0.8 },
    { name: 'async over near peek, with a clock read', against: 'async over Map' },
    { name: 'async over lru-cache', against: 'async over Map' },
    { name: 'clone', against: 'structuredClone' },
    { name: 'near peek of a value with a Date', against: 'structuredClone' },
  ]
  const rows = await measure(cases, gates, { rounds, warmUp: 100 })
  if (found === 0 || near.stats().misses > 0) throw new Error('a hit was none')
  return rows.map(({ name, against, perSecond, ratio, low, high, atLeast, passed }) => ({
    what: `${name}, × ${against}`,
    figure: `${ratio.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)}), ${(1e9 / perSecond).toFixed(0)} ns`,
    ...(atLeast === undefined ? {} : { gate: `≥ ${atLeast}` }),
    ...(passed === undefined ? {} : { passed }),
  }))
}

const ENTRIES = 1_000_000
const holders: Readonly<Record<string, () => (key: string, value: number) => unknown>> = {
  Map: () => {
    const map = new Map<string, number>()
    return (key, value) => map.set(key, value)
  },
  'lru-cache': () => {
    const cache = new LRUCache<string, number>({ max: ENTRIES })
    return (key, value) => cache.set(key, value)
  },
  'lru-cache, ttl and maxSize': () => {
    const cache = new LRUCache<string, number>({ max: ENTRIES, ttl: 3_600_000, maxSize: 1e9 })
    return (key, value) => cache.set(key, value, { size: 100 })
  },
  'quick-lru': () => {
    const cache = new QuickLRU<string, number>({ maxSize: ENTRIES })
    return (key, value) => cache.set(key, value)
  },
  'tiny-lru': () => {
    const cache = tinyLru<number>(ENTRIES)
    return (key, value) => cache.set(key, value)
  },
  'bounded map, lifetime and bytes': () => {
    const map = createBoundedMap<number>(ENTRIES, 1e9, END, 1)
    return (key, value) => map.set(key, value, 100, 0, [now() + 3_600_000], now())
  },
  'near tier, with written-at and fresh-until': () => {
    const near = nearTier({ maxEntries: ENTRIES, maxBytes: 1e9, maxAge: '1h' })
    return (key, value) => fill(near, key, value)
  },
}

/** Runs in a separate process: prints how many bytes an entry takes. */
function hold(name: string): void {
  const gc = (globalThis as { gc?: () => void }).gc
  const make = holders[name]
  if (!gc || !make) throw new Error('needs --expose-gc, and a name')
  const keys = Array.from({ length: ENTRIES }, (_, i) => `user:${i}`)
  const seen = new Set<string>()
  for (const key of keys.slice(0, 10)) seen.add(key)
  const held = (): number => {
    for (let i = 0; i < 4; i++) gc()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = held()
  const set = make()
  for (const [i, key] of keys.entries()) set(key, i)
  const bytes = (held() - before) / ENTRIES
  set(keys[0] as string, 0)
  console.log(JSON.stringify(bytes))
}

function memory(): Line[] {
  return Object.keys(holders).map((name) => {
    const file = fileURLToPath(import.meta.url)
    const bytes = JSON.parse(
      execFileSync(process.execPath, [...process.execArgv, '--expose-gc', file, '--held', name], { encoding: 'utf8' }),
    ) as number
    const judged = name.startsWith('bounded map') ? { gate: '≤ 66', passed: bytes <= 66 } : {}
    return { what: `bytes per entry: ${name}`, figure: bytes.toFixed(1), ...judged }
  })
}

function ratio(): Line[] {
  const keys = 100_000
  const requests = 4_000_000
  const trace = zipf(keys, requests, 0.99, 1)
  const names = Array.from({ length: keys + requests / 2 }, (_, i) => `${i}`)
  const policies: Readonly<Record<string, Policy>> = {
    'bounded map': (capacity) => {
      const map = createBoundedMap<number>(capacity, 1e9, END, 1)
      const times = [END]
      return (key) => map.find(names[key] as string, 0) > 0 || !map.set(names[key] as string, key, 1, 0, times, 0)
    },
    'S3-FIFO': s3fifo,
    'lru-cache': (capacity) => {
      const cache = new LRUCache<string, number>({ max: capacity })
      return (key) => {
        if (cache.get(names[key] as string) !== undefined) return true
        cache.set(names[key] as string, key)
        return false
      }
    },
  }
  /** Hits per 100 requests. Once in `every` requests comes a burst of `every / 2` other keys, so one to every two requests. */
  const run = (policy: Policy, capacity: number, every = END): number => {
    const ask = policy(capacity)
    let other = keys
    let hits = 0
    for (let i = 0; i < requests; i++) {
      if (i % every === every / 2) for (let j = 0; j < every / 2; j++) ask(other++)
      if (ask(trace[i] as number)) hits++
    }
    return (100 * hits) / requests
  }
  const lines: Line[] = []
  for (const [share, least] of [
    [0.01, 0.9],
    [0.1, 0.91],
  ] as const) {
    const capacity = keys * share
    const best = (100 * belady(trace, capacity)) / requests
    const place = `cache of ${share * 100} %`
    for (const [name, policy] of Object.entries(policies)) {
      const plain = run(policy, capacity)
      const own = policy === policies['bounded map']
      lines.push({
        what: `${place}: ${name}, × the optimum`,
        figure: `${(plain / best).toFixed(4)} (${plain.toFixed(2)} % of ${best.toFixed(2)} %)`,
        ...(own ? { gate: `≥ ${least}`, passed: plain / best >= least } : {}),
      })
      const burst = plain - run(policy, capacity, 20_000)
      const single = plain - run(policy, capacity, 2)
      lines.push({
        what: `${place}: ${name}, points lost to a 33 % scan`,
        figure: `${burst.toFixed(2)} in bursts, ${single.toFixed(2)} one by one`,
        ...(own ? { gate: '≤ 0.5 in bursts', passed: burst <= 0.5 } : {}),
      })
    }
  }
  return lines
}

if (flags.held !== undefined) hold(flags.held)
else {
  const parts = { speed, memory, ratio }
  const lines: Line[] = []
  for (const [name, part] of Object.entries(parts)) {
    if (flags.only === undefined || flags.only === name) lines.push(...(await part()))
  }
  console.log(`\nThe near tier, ${new Date().toISOString().slice(0, 10)}, Node ${process.versions.node}\n`)
  console.log('| what | figure | gate | |\n|---|---|---|---|')
  for (const { what, figure, gate = '', passed } of lines) {
    console.log(`| ${what} | ${figure} | ${gate} | ${passed === undefined ? '' : passed ? 'pass' : 'FAIL'} |`)
  }
  if (lines.some(({ passed }) => passed === false)) process.exitCode = 1
}
