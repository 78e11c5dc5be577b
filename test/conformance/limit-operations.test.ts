import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { type Arg, type Reply, scriptAt } from '../../src/protocol/operation.ts'
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
  /** By how much this call's limit is larger. */
  readonly factor: number
}

const START_US = 1_795_000_000_000_000
const SLACK_MS = 3_000
const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const
let histories = 0

/**
 * The script at a moment of the history's clock, the key having the lifetime that is left by that clock; then the lifetime
 * it has: it is taken off again, so that only the history's clock ends the key.
 */
const timed = (operation: Algorithm['steps'][0]): string => `
local kept = tonumber(ARGV[#ARGV - 1])
if kept > 0 then redis.call('PEXPIRE', KEYS[1], kept) end
local function step() ${scriptAt(operation)} end
local reply, left = step(), redis.call('PTTL', KEYS[1])
redis.call('PERSIST', KEYS[1])
return { reply, left }`

/** Plays a history on the pure function, then on the server, in one pipeline. */
async function play(redis: Redis, { steps: [operation], args }: Algorithm, history: readonly Step[]): Promise<void> {
  const key = `limit:${operation.name}`
  const pipeline = redis.pipeline().del(key)
  let held: { text: string; endsMs: number } | undefined
  let nowUs = START_US
  let commands = 1
  const limits = args(undefined, false)
  const expected: { reply: Reply; left: number; at: number; step: Step }[] = []
  for (const step of history) {
    nowUs += step.waitUs
    const nowMs = Math.floor(nowUs / 1000)
    if (held && held.endsMs <= nowMs) {
      pipeline.del(key)
      held = undefined
      commands++
    }
    const own = args(
      limits.flatMap((n, i) => (i % 3 ? [] : n * step.factor)),
      false,
    )
    const all: Arg[] = [step.verb, step.number, ...own]
    const moment = { nowUs, leftMs: held && held.endsMs - nowMs }
    const { next, ttl, reply } = operation.apply(held?.text, all, moment)
    const ms = typeof ttl === 'object' ? ttl.ms : undefined
    if (next === undefined) held = undefined
    else if (ms !== undefined) held = { text: next, endsMs: nowMs + ms }
    pipeline.eval(timed(operation), 1, key, ...all, moment.leftMs ?? 0, nowUs)
    expected.push({ reply, left: next === undefined ? -2 : (ms ?? moment.leftMs ?? -1), at: commands, step })
    commands++
  }
  const outcomes = (await pipeline.exec()) ?? []
  for (const [i, { reply, left, at, step }] of expected.entries()) {
    const what = `step ${i}, ${JSON.stringify(step)}`
    const [error, answer] = outcomes[at] as [Error | null, [Reply, number]]
    expect(error, what).toBeNull()
    const [given, pttl] = answer
    expect(given, what).toEqual(reply)
    // Redis 7 counts a lifetime from the command, not from the start of its script.
    if (pttl < 0 || left < 0) expect(pttl, what).toBe(left)
    else expect([what, pttl <= left && pttl > left - SLACK_MS]).toEqual([what, true])
  }
  histories++
}

const from = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const minute = 60_000_000
const step: fc.Arbitrary<Step> = fc.record({
  waitUs: fc.oneof(
    from(0, 1, minute - 1, minute, minute + 1, minute / 2, 10 * minute, -5_000_000, 86_400_000_000),
    fc.integer({ min: 0, max: minute }),
  ),
  verb: from('take', 'take', 'take', 'take', 'peek', 'refund', 'block'),
  number: fc.oneof(from(1, 1, 1, 0, 2, 1_000_000), fc.integer({ min: 0, max: 12 })),
  factor: from(1, 1, 1, 1, 3),
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

/** What no operation here has written. */
const foreign = [
  '',
  'r',
  'r9',
  'r9;1 2',
  'r9;1 2;x',
  'x9;1 2;',
  'r9;-1 2;',
  'r9;1 2;\n',
  '1',
  '{"n":1}',
  'r1e9;1 1 1;',
  'r0;5;',
  'r0;;',
]

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
          { numRuns: 100 },
        )
      }, 60_000)
    }
    it(`foreign text counts as absent, ${name}`, async () => {
      for (const { name, steps, args } of Object.values({ ...algorithms, ...bursts })) {
        const [operation] = steps
        // Its key holds a sorted set, of which no text can be read.
        if (name === 'slidingLog') continue
        const all: Arg[] = ['take', 2, ...args(undefined, false)]
        const { reply } = operation.apply(undefined, all, { nowUs: START_US, leftMs: undefined })
        for (const text of foreign) {
          const what = `${name} of ${JSON.stringify(text)}`
          expect(operation.apply(text, all, { nowUs: START_US, leftMs: 60_000 }).reply, what).toEqual(reply)
          await redis.set('limit:foreign', text)
          const answer = await redis.eval(timed(operation), 1, 'limit:foreign', ...all, 60_000, START_US)
          expect(answer, what).toEqual([reply, expect.any(Number)])
        }
      }
    })
  }
})
