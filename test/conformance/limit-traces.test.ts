import { afterAll, describe, expect, it } from 'vitest'
import type { Algorithm } from '../../src/rate-limit/algorithm.ts'
import {
  fixedWindow,
  gcra,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../src/rate-limit/index.ts'
import type { LimitNumbers } from '../../src/rate-limit/meter.ts'
import { rounds } from '../support/rounds.ts'
import { seedOfTheDay } from '../support/seed.ts'
import { seeded } from '../unit/cache/slow-store.ts'

// `apply` decides calls on one key, by a clock that the test controls. It must never admit more than the stated bound.

const TRACES = rounds({ quick: 4000, soak: 100_000 })
/** Number of the first trace: other traces run every day. */
const FROM = (seedOfTheDay() % 1000) * TRACES
const START_US = 1_795_000_000_000_000

type Make = (limits: { limit: number; window: number; burst?: number }) => Algorithm

interface Case {
  readonly make: Make
  /** The largest cost that may be admitted within one window's length, without one of its two ends. */
  readonly bound: (limit: number, burst: number) => number
  readonly burst?: true
}

const cases: Readonly<Record<string, Case>> = {
  fixedWindow: { make: fixedWindow, bound: (limit) => 2 * limit },
  slidingWindow: { make: slidingWindow, bound: (limit) => Math.max(limit, 2 * limit - 1) },
  slidingLog: { make: slidingLog, bound: (limit) => limit },
  slidingBuckets: { make: slidingBuckets, bound: (limit) => limit },
  tokenBucket: { make: tokenBucket, bound: (limit, burst) => burst + limit - 1, burst: true },
  gcra: { make: gcra, bound: (limit, burst) => burst + limit - 1, burst: true },
}

/** Makes one key. The test chooses the moment of each call, and the key's lifetime ends as on a server. */
function createKey({ steps: [once], args }: Algorithm) {
  let held: { text: string; endsMs: number } | undefined
  const own = args(undefined, false)
  return {
    run(verb: string, number: number, nowUs: number): LimitNumbers {
      const nowMs = Math.floor(nowUs / 1000)
      const current = held && held.endsMs > nowMs ? held.text : undefined
      const { next, ttl, reply } = once.apply(current, [verb, number, ...own], { nowUs, leftMs: undefined })
      const numbers = reply.split(' ').map(Number) as unknown as LimitNumbers
      if (verb === 'peek') return numbers
      if (next === undefined) held = undefined
      else if (ttl !== 'keep') {
        if (ttl === 'none' || !(ttl.ms > 0)) throw new Error('a key without a lifetime')
        held = { text: next, endsMs: nowMs + ttl.ms }
      }
      return numbers
    },
  }
}

interface Admitted {
  /** Moment by a clock that never jumps. */
  readonly trueUs: number
  readonly cost: number
}

/** Returns the largest cost admitted in any half-open window of this length. */
function worst(admitted: readonly Admitted[], windowUs: number): number {
  let most = 0
  let sum = 0
  let first = 0
  for (const { trueUs, cost } of admitted) {
    sum += cost
    while ((admitted[first] as Admitted).trueUs + windowUs <= trueUs) sum -= (admitted[first++] as Admitted).cost
    most = Math.max(most, sum)
  }
  return most
}

/** Returns what the sliding log must decide, counted anew from all admitted calls. */
function model(
  admitted: readonly Admitted[],
  limit: number,
  windowUs: number,
  nowUs: number,
  cost: number,
): LimitNumbers {
  const inside = admitted.filter((one) => one.trueUs + windowUs > nowUs)
  const used = inside.reduce((sum, one) => sum + one.cost, 0)
  const taken = used + cost <= limit
  const newest = taken && cost > 0 ? nowUs : inside.at(-1)?.trueUs
  const reset = Math.ceil((newest === undefined ? nowUs : newest + windowUs) / 1000)
  if (taken) return [1, limit, limit - used - cost, reset, 0]
  let freed = used
  const gone = inside.find((one) => {
    freed -= one.cost
    return freed + cost <= limit
  })
  return [0, limit, limit - used, reset, gone ? Math.ceil((gone.trueUs + windowUs - nowUs) / 1000) : -1]
}

/** Returns how many microseconds after the last call of a trace the next one comes. */
type Arrivals = (random: () => number, windowUs: number, nowUs: number, retryMs: number) => number
const arrivals: Readonly<Record<string, Arrivals>> = {
  random: (random, windowUs) => Math.floor((-Math.log(1 - random()) * windowUs) / 4),
  slow: (random, windowUs) => Math.floor(-Math.log(1 - random()) * windowUs),
  burst: (random, windowUs) => (random() < 0.8 ? 0 : Math.floor(random() * windowUs * 1.2)),
  edges: (random, windowUs, nowUs) =>
    random() < 0.6 ? 0 : windowUs - (nowUs % windowUs) + Math.floor(random() * 3) - 1 + (random() < 0.3 ? windowUs : 0),
  'own edges': (random, windowUs) => (random() < 0.6 ? 0 : windowUs + Math.floor(random() * 3) - 1),
  greedy: (random, _, __, retryMs) => (retryMs > 0 ? retryMs * 1000 - (random() < 0.3 ? 1000 : 0) : 0),
  'on/off': (random, windowUs) => (random() < 0.9 ? Math.floor(windowUs / 40) : Math.floor(windowUs * random() * 2)),
}

let checked = 0
afterAll(() => console.log(`rate limits: ${checked} traces within their bounds`))

describe('no trace is admitted above the bound', () => {
  for (const [name, { make, bound, burst: hasBurst }] of Object.entries(cases)) {
    it(`of ${name}, ${TRACES} traces`, { timeout: 120_000 }, () => {
      const kinds = Object.entries(arrivals)
      for (let trace = 0; trace < TRACES; trace++) {
        const random = seeded(FROM + trace)
        const [kind, next] = kinds[trace % kinds.length] as [string, Arrivals]
        const limit = 1 + Math.floor(random() * 6)
        const burst = hasBurst && random() < 0.5 ? 1 + Math.floor(random() * 8) : limit
        const window = random() < 0.5 ? 1000 : 1 + Math.floor(random() * 100_000)
        const algorithm = make({ limit, window, ...(hasBurst ? { burst } : {}) })
        const key = createKey(algorithm)
        const windowUs = window * 1000
        const steps = trace % 10 === 0
        const admitted: Admitted[] = []
        let trueUs = START_US + Math.floor(random() * 2 * windowUs)
        let skewUs = 0
        let retryMs = 0
        let most = bound(limit, burst)
        for (let i = 0; i < 10; i++) {
          trueUs += Math.max(0, next(random, windowUs, trueUs, retryMs))
          if (steps && skewUs === 0 && random() < 0.1) {
            skewUs = -5_000_000
            most += burst
          }
          const cost = random() < 0.85 ? 1 : Math.floor(random() * (burst + 2))
          const before = key.run('peek', cost, trueUs + skewUs)
          const wanted = name === 'slidingLog' && skewUs === 0 && model(admitted, limit, windowUs, trueUs, cost)
          const verdict = key.run('take', cost, trueUs + skewUs)
          const [code, , left, resetMs, retry] = verdict
          if (wanted && wanted.join() !== verdict.join())
            expect(verdict, `trace ${FROM + trace} ${kind} ${i}`).toEqual(wanted)
          if (code === 1 && cost > 0) admitted.push({ trueUs, cost })
          retryMs = retry
          const nowMs = (trueUs + skewUs) / 1000
          const fair =
            left >= 0 &&
            left <= burst &&
            before[0] === code &&
            before[2] === left + (code === 1 ? cost : 0) &&
            resetMs >= nowMs &&
            (code === 1 ? retry === 0 : cost > burst ? retry === -1 : retry > 0 && nowMs + retry <= resetMs + 1)
          if (!fair) expect.fail(`trace ${FROM + trace}, ${kind}, call ${i} of cost ${cost}: ${before} then ${verdict}`)
          // The wait that the decision names is enough, and no shorter one is.
          if (retry > 0 && key.run('peek', cost, trueUs + skewUs + retry * 1000)[0] !== 1)
            expect.fail(`trace ${FROM + trace}, ${kind}, call ${i} of cost ${cost}: still refused after ${retry} ms`)
          if (
            retry > 1 &&
            name !== 'slidingWindow' &&
            key.run('peek', cost, trueUs + skewUs + (retry - 1) * 1000)[0] === 1
          )
            expect.fail(`trace ${FROM + trace}, ${kind}, call ${i} of cost ${cost}: allowed before ${retry} ms`)
        }
        const found = worst(admitted, windowUs)
        if (found > most) expect.fail(`trace ${FROM + trace}, ${kind}: ${found} in a window, ${most} is the bound`)
        checked++
      }
    })
  }
})

describe('the bound is met, and is what the docs say', () => {
  /** Returns the largest count in one second under a limit of 100 a second. `load` is the worst load for the algorithm. */
  const meet = (algorithm: Algorithm, load: (at: (us: number) => void) => void): number => {
    const key = createKey(algorithm)
    const admitted: Admitted[] = []
    load((us) => {
      if (key.run('take', 1, START_US + us)[0] === 1) admitted.push({ trueUs: START_US + us, cost: 1 })
    })
    return worst(admitted, 1_000_000)
  }
  const edge = (at: (us: number) => void): void => {
    for (let i = 0; i < 200; i++) at(999_999)
    for (let i = 0; i < 200; i++) at(1_000_000)
  }
  /** 200 calls at the end of a window, then one every millisecond. */
  const flood = (at: (us: number) => void): void => {
    for (let i = 0; i < 200; i++) at(999_999)
    for (let us = 1_000_000; us < 3_000_000; us += 1000) at(us)
  }
  /** One call to start the bucket's clock, 200 calls just before the bucket fills again, then 200 more once it has. */
  const refill = (at: (us: number) => void): void => {
    at(0)
    for (let i = 0; i < 200; i++) at(999_999)
    for (let i = 0; i < 200; i++) at(1_000_000)
  }
  const limits = { limit: 100, window: '1s' } as const
  it.each([
    ['fixedWindow', fixedWindow(limits), edge, 200],
    ['slidingWindow', slidingWindow(limits), flood, 199],
    ['slidingLog', slidingLog(limits), flood, 100],
    ['slidingBuckets', slidingBuckets(limits), flood, 100],
    ['tokenBucket', tokenBucket(limits), refill, 199],
    ['gcra', gcra(limits), flood, 199],
    ['gcra of burst 10', gcra({ ...limits, burst: 10 }), flood, 109],
  ] as const)('%s', (_, algorithm, load, most) => {
    expect(meet(algorithm, load)).toBe(most)
  })
  const SECONDS = rounds({ quick: 8, soak: 40 })
  it('slidingBuckets admits at least 0.95 of what is lawful', () => {
    for (const everyUs of [100, 1000, 5000, 9_999, 10_000]) {
      const key = createKey(slidingBuckets(limits))
      let admitted = 0
      for (let us = 0; us < SECONDS * 1_000_000; us += everyUs)
        if (key.run('take', 1, START_US + us)[0] === 1) admitted++
      expect(admitted / (100 * SECONDS)).toBeGreaterThanOrEqual(0.95)
    }
  })
})
