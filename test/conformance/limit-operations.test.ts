import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { type Arg, type Operation, type Reply, scriptAt } from '../../src/protocol/operation.ts'
import type { Algorithm } from '../../src/rate-limit/algorithm.ts'
import {
  fixedWindow,
  gcra,
  type Limit,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../src/rate-limit/index.ts'

/** One call, and how long the clock moves before it: back, too. */
interface Step {
  readonly waitUs: number
  readonly verb: string
  readonly number: number
  readonly limit: number
}

const START_US = 1_795_000_000_000_000
/** Far more than a pipeline takes, far less than any lifetime. */
const SLACK_MS = 4_000
const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const
let histories = 0

/**
 * Plays a history on the pure function, then on the server, in one pipeline: before each script the lifetime that the
 * history's clock leaves is put on the key, or the key deleted where it has ended.
 */
async function play(redis: Redis, { steps: [operation], args }: Algorithm, history: readonly Step[]): Promise<void> {
  const key = `limit:${operation.name}`
  const pipeline = redis.pipeline().del(key)
  let held: { text: string; endsMs: number } | undefined
  let nowUs = START_US
  let commands = 1
  const expected: { reply: Reply; leftMs: number; at: number; step: Step }[] = []
  for (const step of history) {
    nowUs += step.waitUs
    const nowMs = Math.floor(nowUs / 1000)
    if (held) {
      if (held.endsMs > nowMs) pipeline.pexpire(key, held.endsMs - nowMs)
      else {
        pipeline.del(key)
        held = undefined
      }
      commands++
    }
    const all: Arg[] = [
      step.verb,
      step.number,
      ...args(
        args(undefined, false).flatMap((n, i) => (i % 3 ? [] : n * step.limit)),
        false,
      ),
    ]
    const moment = { nowUs, leftMs: held && held.endsMs - nowMs }
    const { next, ttl, reply } = (operation as Operation<readonly Arg[], Reply>).apply(held?.text, all, moment)
    if (next === undefined) held = undefined
    else if (ttl !== 'keep') held = { text: next, endsMs: nowMs + (ttl as { ms: number }).ms }
    pipeline.eval(scriptAt(operation), 1, key, ...all, nowUs).pttl(key)
    expected.push({ reply, leftMs: held ? held.endsMs - nowMs : -2, at: commands, step })
    commands += 2
  }
  const outcomes = (await pipeline.exec()) ?? []
  for (const [i, { reply, leftMs, at, step }] of expected.entries()) {
    const [error, given] = outcomes[at] as [Error | null, unknown]
    const pttl = outcomes[at + 1]?.[1]
    const what = `step ${i}, ${JSON.stringify(step)}`
    expect(error, what).toBeNull()
    expect(given, what).toEqual(reply)
    if (leftMs < 0) expect(pttl, what).toBe(leftMs)
    else {
      expect(pttl, what).toBeLessThanOrEqual(leftMs)
      expect(pttl, what).toBeGreaterThan(leftMs - SLACK_MS)
    }
  }
  histories++
}

const from = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
/** Windows are of a minute, ten and 24 hours: lifetimes far above the slack, but for a level that is nearly empty. */
const minute = 60_000_000
const step: fc.Arbitrary<Step> = fc.record({
  waitUs: fc.oneof(
    from(0, 1, minute - 1, minute, minute + 1, minute / 2, 10 * minute, -5_000_000, 86_400_000_000),
    fc.integer({ min: 0, max: minute }),
  ),
  verb: from('take', 'take', 'take', 'take', 'peek', 'refund', 'block'),
  number: fc.oneof(from(1, 1, 1, 0, 2, 1_000_000), fc.integer({ min: 0, max: 12 })),
  limit: from(1, 1, 1, 1, 3),
})
const history = fc.array(step, { minLength: 1, maxLength: 40 })

const single: Limit = { limit: 10, window: '1m' }
const several: Limit[] = [
  { limit: 4, window: '1m' },
  { limit: 9, window: '10m' },
]
const algorithms: Readonly<Record<string, Algorithm>> = Object.fromEntries(
  [fixedWindow, slidingWindow, slidingLog, slidingBuckets, tokenBucket, gcra].flatMap((make) => [
    [make.name, make(single)],
    [`${make.name} of several limits`, make(several)],
    [`${make.name} of an odd limit`, make({ limit: 7, window: 61_003 })],
  ]),
)
const bursts = {
  'tokenBucket with a burst': tokenBucket({ limit: 3, window: '1m', burst: 10 }),
  'gcra with a burst': gcra({ limit: 10, window: '1m', burst: 3 }),
}

const clients: Redis[] = []
afterAll(async () => {
  console.log(`limit operations: ${histories} histories, lua and apply alike`)
  await Promise.all(clients.map((client) => client.quit()))
})

describe('lua and apply decide alike', () => {
  for (const [name, variable] of Object.entries(servers)) {
    const url = process.env[variable]
    if (!url) {
      it.skip(`${name}: ${variable} is not set`)
      continue
    }
    const redis = new Redis(url, { maxRetriesPerRequest: 0 })
    clients.push(redis)
    for (const [title, algorithm] of Object.entries({ ...algorithms, ...bursts })) {
      it(`${title}, ${name}`, async () => {
        await fc.assert(
          fc.asyncProperty(history, (steps) => play(redis, algorithm, steps)),
          { numRuns: 60 },
        )
      }, 60_000)
    }
  }
})
