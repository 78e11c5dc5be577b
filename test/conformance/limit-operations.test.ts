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

/** One call, and how far the clock moves before it; a negative wait moves it back. */
interface Step {
  readonly waitUs: number
  readonly verb: string
  readonly number: number
  /** The factor by which the limit of this call is larger. */
  readonly factor: number
}

const START_US = 1_795_000_000_000_000
const SLACK_MS = 3_000
const START_MIN = BigInt(START_US - 120_000_000)
const START_MAX = BigInt(START_US + 10_000_000)
const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const
let histories = 0

/**
 * Wraps the script: it runs at a moment of the history's clock, with the lifetime that the key has left by that clock. Returns
 * the reply and the key's lifetime, which it then removes, so that only the history's clock ends the key.
 */
const timed = (operation: Algorithm['steps'][0]): string => `
local kept = tonumber(ARGV[#ARGV - 1])
if kept > 0 then redis.call('PEXPIRE', KEYS[1], kept) end
local function step() ${scriptAt(operation)} end
local reply, left = step(), redis.call('PTTL', KEYS[1])
redis.call('PERSIST', KEYS[1])
return { reply, left }`

/** Plays a history on the pure function, then on the server in one pipeline. */
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
/** A block under a lower limit than that of the first call, at the moment at which the count of that call becomes free. */
const freeByThen: readonly Step[] = [
  { waitUs: 0, verb: 'take', number: 1, factor: 3 },
  { waitUs: 6_000_000, verb: 'take', number: 0, factor: 1 },
  { waitUs: 0, verb: 'block', number: 1, factor: 1 },
]

/** Text similar to a stored state. */
const digits = fc.oneof(
  from('0', '1', '5', '29916666', '1795000000000000', '9007199254740993', '9999999999999999', '99999999999999999'),
  fc.nat(1000).map(String),
  fc.bigInt(START_MIN, START_MAX).map(String),
)
const part = fc.array(digits, { maxLength: 8 }).map((numbers) => numbers.join(' '))
const ends = from(';', ';', ';', ' ;', '')
const anyState = fc
  .tuple(from('r', 'r', 'r', 'x', ''), digits, from(';', ';', ''), fc.array(fc.tuple(part, ends), { maxLength: 3 }))
  .map(([mark, bar, end, parts]) => `${mark}${bar}${end}${parts.flat().join('')}`)

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

/** States that no operation writes for one limit: too few or too many numbers, too large, not in order, or of another form. */
const pairs = (count: number, from = START_US): string =>
  Array.from({ length: count }, (_, i) => `${from - count + i} 1`).join(' ')
const foreign = [
  '',
  'r',
  'r9',
  'r9;',
  'r9;1 2',
  'r9;1 2;x',
  'x9;1 2;',
  'r9;-1 2;',
  'r9;1 2;\n',
  '1',
  '{"n":1}',
  'r1e9;1 1 1;',
  'r0;5;',
  'r0;0;',
  'r0; 5 5;',
  'r0;5  5;',
  'r0;5 5 5 5;',
  'r0;5 5 5 5 5;',
  'r0;5 5;5 5;',
  'r0;5 5 5;5 5 5;',
  `r0;${START_US} 99999999999999999999;`,
  'r0;9999999999999999999999999;',
  'r0;5 9999999999999999999999999;',
  'r0;9999999999999999999999999 5;',
  'r0;5 5 9999999999999999999999999;',
  'r99999999999999999999;5 5;',
  `r0;${pairs(10_001)};`,
  `r0;${pairs(20_000)};`,
  `r0;${'5'.repeat(40_000)};`,
  `r0;${'5 '.repeat(40_000)};`,
  `r0;${START_US - 1} 4 ${START_US - 2} 4;`,
  // Each begins with the longest state of one limit and is one character longer.
  `r${START_US};${START_US} ${START_US} ;;`,
  `r${START_US};${START_US} ${START_US} ${START_US} ;;`,
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
          { numRuns: 100, examples: [[[...freeByThen]]] },
        )
      }, 60_000)
    }
    it(`foreign text counts as absent, ${name}`, async () => {
      for (const { name, steps, args } of Object.values({ ...algorithms, ...bursts })) {
        const [operation] = steps
        // The key of a sliding log holds a sorted set, which cannot be read as text.
        if (name === 'slidingLog') continue
        const all: Arg[] = ['take', 5, ...args(undefined, false)]
        const { reply } = operation.apply(undefined, all, { nowUs: START_US, leftMs: undefined })
        for (const text of foreign) {
          const what = `${name} of ${JSON.stringify(text.slice(0, 80))}`
          const numbers = text.match(/\d+/g) ?? []
          // Skips states that this algorithm may have written.
          if (/^r0;5 5( 5)?;$|^r0;5 5 5 5;$/.test(text) && numbers.length < 6) continue
          if (name === 'slidingBuckets' && text.endsWith(' ;;')) continue
          expect(operation.apply(text, all, { nowUs: START_US, leftMs: 60_000 }).reply, what).toEqual(reply)
          await redis.set('limit:foreign', text)
          const answer = await redis.eval(timed(operation), 1, 'limit:foreign', ...all, 60_000, START_US)
          expect(answer, what).toEqual([reply, expect.any(Number)])
        }
      }
    })
    it(`whatever text is there, they decide alike, within a moment, ${name}`, async () => {
      const key = 'limit:any'
      for (const { name, steps, args } of Object.values({ ...algorithms, ...bursts })) {
        if (name === 'slidingLog') continue
        const [operation] = steps
        await fc.assert(
          fc.asyncProperty(anyState, fc.array(step, { minLength: 1, maxLength: 4 }), async (text, history) => {
            let current: string | undefined = text
            let nowUs = START_US
            await redis.set(key, text)
            for (const { waitUs, verb, number } of history) {
              nowUs += waitUs
              const all: Arg[] = [verb, number, ...args(undefined, false)]
              const { next, reply } = operation.apply(current, all, { nowUs, leftMs: 60_000 })
              current = next
              const answer = await redis.eval(timed(operation), 1, key, ...all, 60_000, nowUs)
              expect(answer, JSON.stringify([text, verb, number])).toEqual([reply, expect.any(Number)])
              for (const each of reply.split(' ')) expect(Number.isSafeInteger(Number(each)), reply).toBe(true)
            }
          }),
          { numRuns: 60 },
        )
      }
    }, 60_000)
    it(`what is no log counts as absent and is replaced by one, ${name}`, async () => {
      const key = 'limit:log'
      const { steps, args } = slidingLog({ limit: 3, window: '1m' })
      const run = (verb: string, number: number): Promise<unknown> =>
        redis.eval(timed(steps[0]), 1, key, verb, number, ...args(undefined, false), 60_000, START_US)
      const member = (total: number, cost: number | string): string => `${String(total).padStart(16, '0')}:${cost}`
      const many = Array.from({ length: 10_002 }, (_, i) => [START_US - i, member(i, 1)]).flat()
      const fillings: Readonly<Record<string, () => Promise<unknown>>> = {
        text: () => redis.set(key, 'r0;1 2;'),
        'a list': () => redis.rpush(key, 'x'),
        'a hash': () => redis.hset(key, 'b', 1),
        'a set of another form': () => redis.zadd(key, START_US, 'x'),
        'a member that costs nothing': () => redis.zadd(key, START_US, member(5, 0)),
        'a member with a sign': () => redis.zadd(key, START_US, member(5, '-1')),
        'numbers too long': () => redis.zadd(key, START_US, member(5, '9'.repeat(30))),
        'a block that is none': () => redis.zadd(key, START_US, 'b'),
        'more members than a log has': () => redis.zadd(key, ...many),
        'more members, none of which cost anything': () =>
          redis.zadd(key, ...many.map((each) => (typeof each === 'string' ? each.replace(/1$/, '0') : each))),
      }
      for (const [what, fill] of Object.entries(fillings)) {
        await redis.del(key)
        await fill()
        expect([what, await run('peek', 3)]).toEqual([what, [expect.stringMatching(/^1 3 3 /), expect.any(Number)]])
        await run('refund', 1)
        await redis.del(key)
        await fill()
        const counts = []
        for (let i = 0; i < 4; i++) counts.push(((await run('take', 1)) as [string])[0].split(' ', 3).map(Number))
        expect([what, counts]).toEqual([
          what,
          [
            [1, 3, 2],
            [1, 3, 1],
            [1, 3, 0],
            [0, 3, 0],
          ],
        ])
        expect(await redis.zcard(key)).toBe(3)
        await redis.del(key)
        await fill()
        await run('block', 60_000)
        expect([what, await run('take', 1)]).toEqual([what, [expect.stringMatching(/^2 3 3 /), expect.any(Number)]])
      }
    }, 30_000)
  }
})
