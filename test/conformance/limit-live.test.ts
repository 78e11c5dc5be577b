import { Cluster, Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { ioredisStore } from '../../adapters/ioredis/index.ts'
import type { Algorithm } from '../../src/rate-limit/algorithm.ts'
import {
  createRateLimiter,
  type Decision,
  fixedWindow,
  gcra,
  type RateLimiter,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../src/rate-limit/index.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import { rounds } from '../support/rounds.ts'
import { systems } from '../support/systems.ts'
import { seeded } from '../unit/cache/slow-store.ts'

// Eight clients call on each key. Only a certain violation counts: less than one window passed from before the first call was
// sent until after the last one settled. A server's clock has microseconds; where the clock of the process decides, time is
// counted in its whole milliseconds.

const TRACES = rounds({ quick: 200, soak: 1000 })
const TRIES = rounds({ quick: 300, soak: 1000 })
const CLIENTS = 8
const WINDOW_MS = 400
const LIMIT = 5
const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const

const cases: readonly (readonly [Algorithm, bound: number])[] = [
  [fixedWindow({ limit: LIMIT, window: WINDOW_MS }), 2 * LIMIT],
  [slidingWindow({ limit: LIMIT, window: WINDOW_MS }), 2 * LIMIT - 1],
  [slidingLog({ limit: LIMIT, window: WINDOW_MS }), LIMIT],
  [slidingBuckets({ limit: LIMIT, window: WINDOW_MS }), LIMIT],
  [tokenBucket({ limit: LIMIT, window: WINDOW_MS }), 2 * LIMIT - 1],
  [gcra({ limit: LIMIT, window: WINDOW_MS, burst: 3 }), LIMIT + 3 - 1],
]

const pause = async (ms: number): Promise<void> => {
  const end = performance.now() + ms
  // A timer may fire up to a millisecond early.
  for (let left = ms; left > 0; left = end - performance.now())
    await new Promise((resolve) => setTimeout(resolve, left))
}

interface Admitted {
  readonly sentMs: number
  readonly answeredMs: number
}

interface Pressed {
  readonly name: string
  limitersOf(algorithm: Algorithm): Promise<RateLimiter[]>
  readonly traceCount: number
  /** Returns milliseconds, as finely as the clock that decides counts them. */
  clock(): number
}

/** Runs the load on every algorithm, with a separate limiter for each client, and expects that no bound is exceeded. */
async function press({ name, limitersOf, traceCount, clock }: Pressed) {
  const found = await Promise.all(
    cases.map(async ([algorithm, bound]) => {
      const limiters = await limitersOf(algorithm)
      const keys = Math.ceil(traceCount / 3 / cases.length)
      const traces = Array.from({ length: keys }, async (_, key) => {
        const admitted: Admitted[] = []
        const random = seeded(key)
        const endMs = performance.now() + 5 * WINDOW_MS
        await Promise.all(limiters.map((limiter) => client(limiter, { id: `k${key}`, endMs, random, admitted, clock })))
        return { admitted: admitted.length, most: certain(admitted) }
      })
      const all = await Promise.all(traces)
      const most = Math.max(...all.map((trace) => trace.most))
      const fewest = Math.min(...all.map((trace) => trace.admitted))
      return { name: algorithm.name, within: most <= bound, most, bound, fewest }
    }),
  )
  console.log(`${name}: ${found.map(({ name, most, bound }) => `${name} ${most}/${bound}`).join(', ')}`)
  for (const { within, fewest, ...rest } of found) {
    expect({ ...rest, within }).toEqual({ ...rest, within: true })
    // Proves that the load was high enough: more calls than one limit were admitted.
    expect(fewest).toBeGreaterThan(LIMIT)
  }
}

interface Calls {
  readonly id: string
  readonly endMs: number
  readonly admitted: Admitted[]
  random(): number
  clock(): number
}

/** Calls again and again until `endMs`, mostly a little before or as soon as the limiter admits it. */
async function client(limiter: RateLimiter, { id, endMs, random, admitted, clock }: Calls) {
  while (performance.now() < endMs) {
    const sentMs = clock()
    const decision = await limiter.limit(id)
    if (decision.reason !== 'ok' && decision.reason !== 'limited') throw new Error(decision.reason)
    if (decision.remaining < 0) throw new Error('remaining is negative')
    if (decision.success) admitted.push({ sentMs, answeredMs: clock() })
    await pause(decision.success ? random() * 10 : Math.max(1, decision.retryAfterMs - random() * 4))
  }
}

/** Returns the largest number of calls that were certainly admitted within one window's length. */
function certain(admitted: readonly Admitted[]): number {
  const inOrder = admitted.toSorted((a, b) => a.answeredMs - b.answeredMs)
  const most = inOrder.map((last) => {
    const inside = inOrder.filter(
      ({ sentMs, answeredMs }) => answeredMs <= last.answeredMs && last.answeredMs - sentMs < WINDOW_MS,
    )
    return inside.length
  })
  return Math.max(0, ...most)
}

const closing: (() => void)[] = []
afterAll(() => {
  for (const close of closing) close()
})

for (const [name, variable] of Object.entries(servers)) {
  describe(`eight clients of ${name}`, () => {
    const url = process.env[variable]
    if (!url) return it.skip(`${variable} is not set`)
    const clients = Array.from(
      { length: CLIENTS },
      () => new Redis(url, { maxRetriesPerRequest: 0, enableOfflineQueue: false }),
    )
    closing.push(() => {
      for (const client of clients) client.disconnect()
    })
    const limitersOf = async (algorithm: Algorithm, namespace: string): Promise<RateLimiter[]> => {
      const stores = clients.map((client) => ioredisStore(client))
      await Promise.all(stores.map((store) => store.ready()))
      return stores.map((store) => createRateLimiter({ store, algorithm, outage: 'closed', namespace, timeout: '20s' }))
    }

    it(`never admit more than the bound: ${TRACES} traces`, async () => {
      await press({
        name,
        limitersOf: (algorithm) => limitersOf(algorithm, 'live'),
        traceCount: TRACES,
        clock: () => performance.now(),
      })
    }, 60_000)

    it(`are allowed after the wait they are told: ${TRIES} of ${TRIES}`, async () => {
      const outcomes = await Promise.all(
        cases.map(async ([algorithm]) => {
          const [limiter] = (await limitersOf(algorithm, 'wait')) as [RateLimiter]
          const tries = Array.from({ length: Math.ceil(TRIES / cases.length) }, async (_, i) => {
            await pause(i * 2)
            let decision: Decision
            do decision = await limiter.limit(`k${i}`)
            while (decision.success)
            await pause(decision.retryAfterMs)
            return (await limiter.limit(`k${i}`)).success
          })
          return Promise.all(tries)
        }),
      )
      const all = outcomes.flat()
      expect(all.length).toBeGreaterThanOrEqual(TRIES)
      expect(all.filter((allowed) => !allowed).length).toBe(0)
    }, 60_000)

    it('leave no key without a lifetime', async () => {
      const [redis, limiter] = [
        clients[0] as Redis,
        (await limitersOf(slidingLog({ limit: 3, window: '1m' }), 'live'))[0],
      ]
      for (const [algorithm] of cases) {
        const [other] = (await limitersOf(algorithm, 'live')) as [RateLimiter]
        await other.block('blocked', '1m')
        await other.limit('taken')
        await other.refund('taken')
        await other.refund('never')
        await other.limit('zero', { cost: 0 })
        await other.limit('huge', { cost: Number.MAX_SAFE_INTEGER })
      }
      await limiter?.limit('x', { cost: 2 })
      const keys: string[] = []
      for await (const found of redis.scanStream({ match: ':wait:*', count: 1000 })) keys.push(...found)
      for await (const found of redis.scanStream({ match: ':live:*', count: 1000 })) keys.push(...found)
      expect(keys.length).toBeGreaterThanOrEqual(cases.length)
      const lives = await Promise.all(keys.map((key) => redis.pttl(key)))
      expect(keys.filter((_, i) => lives[i] === -1)).toEqual([])
      expect(keys.filter((key) => /:(zero|huge|never)$/.test(key))).toEqual([])
    }, 30_000)
  })
}

describe('a Cluster', () => {
  it('decides as one server does, on keys of every slot', async () => {
    const nodes = process.env.CLUSTER_NODES
    expect(nodes, 'CLUSTER_NODES').toBeDefined()
    const cluster = new Cluster(String(nodes).split(','), {
      retryDelayOnFailover: 0,
      enableOfflineQueue: false,
      redisOptions: { maxRetriesPerRequest: 0 },
    })
    closing.push(() => cluster.disconnect())
    const store = ioredisStore(cluster)
    await store.ready()
    for (const [algorithm] of cases) {
      const limiter = createRateLimiter({ store, algorithm, outage: 'closed', namespace: 'cluster', timeout: '20s' })
      const { limit } = await limiter.peek('k')
      const ids = Array.from({ length: 40 }, (_, i) => `{${i}}`)
      const decisions = await Promise.all(
        ids.flatMap((id) => Array.from({ length: limit + 1 }, () => limiter.limit(id))),
      )
      const reasons = new Set(decisions.map(({ reason }) => reason))
      expect([...reasons].filter((reason) => reason !== 'ok' && reason !== 'limited')).toEqual([])
      expect(decisions.filter(({ success }) => success).length).toBeGreaterThanOrEqual(ids.length * limit)
    }
  }, 30_000)
})

for (const { name, open, close } of systems()) {
  describe(`eight clients of ${name}`, () => {
    let stores: AtomicStore[] = []
    afterAll(async () => {
      await Promise.all(stores.map((store) => store.close()))
      await close()
    })
    it('never admit more than the bound', async () => {
      stores = await Promise.all(Array.from({ length: CLIENTS }, () => open()))
      await Promise.all(stores.map((store) => store.ready()))
      const limitersOf = async (algorithm: Algorithm): Promise<RateLimiter[]> =>
        stores.map((store) =>
          createRateLimiter({ store, algorithm, outage: 'closed', namespace: 'live', timeout: '20s' }),
        )
      // Each decision here is a read and a write, repeated if another client wrote first. So there are fewer keys at a time.
      await press({ name, limitersOf, traceCount: rounds({ quick: 36, soak: 200 }), clock: () => Date.now() })
    }, 60_000)
  })
}
