import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { addToCount, addToWindow, totalOfWindow } from '../../src/counter/operations.ts'
import { idempotencyStep } from '../../src/idempotency/operations.ts'
import { markFirst } from '../../src/once/operations.ts'
import { type Arg, type Operation, type Reply, scriptAt } from '../../src/protocol/operation.ts'
import { takeToken } from '../../src/token/operations.ts'

/** One call, and how far the clock moves before it; a negative wait moves it back. */
interface Step {
  readonly waitUs: number
  readonly args: readonly Arg[]
}
type Any = Operation<readonly Arg[], Reply>

const START_US = 1_795_000_000_000_123
const SLACK_MS = 3_000
const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const
let histories = 0

/**
 * Wraps the script: it runs at a moment of the history's clock, with the lifetime that the key has left by that clock. Returns
 * the reply, the key's text and its lifetime.
 */
const timed = (operation: Any): string => `
local kept = tonumber(table.remove(ARGV, #ARGV - 1))
if kept > 0 then redis.call('PEXPIRE', KEYS[1], kept) end
local function step() ${scriptAt(operation)} end
local reply, left = step(), redis.call('PTTL', KEYS[1])
redis.call('PERSIST', KEYS[1])
return { reply, redis.call('GET', KEYS[1]), left }`

/** Plays a history on the pure function, then on the server in one pipeline. Both start from the text `seed`. */
async function play(redis: Redis, operation: Any, seed: string | undefined, history: readonly Step[]): Promise<void> {
  const key = `:t:${operation.name}`
  const pipeline = redis.pipeline().del(key)
  if (seed !== undefined) pipeline.set(key, seed)
  let held: { text: string; endsMs: number | undefined } | undefined =
    seed === undefined ? undefined : { text: seed, endsMs: undefined }
  let commands = seed === undefined ? 1 : 2
  let nowUs = START_US
  const expected: { reply: Reply; text: string | null; left: number; at: number; step: Step }[] = []
  for (const step of history) {
    nowUs += step.waitUs
    const nowMs = Math.floor(nowUs / 1000)
    if (held?.endsMs !== undefined && held.endsMs <= nowMs) {
      pipeline.del(key)
      held = undefined
      commands++
    }
    const leftMs = held?.endsMs === undefined ? undefined : held.endsMs - nowMs
    const { next, ttl, reply } = operation.apply(held?.text, step.args, { nowUs, leftMs })
    const ms = ttl === 'keep' ? leftMs : ttl === 'none' ? undefined : ttl.ms
    held = next === undefined ? undefined : { text: next, endsMs: ms === undefined ? undefined : nowMs + ms }
    pipeline.eval(timed(operation), 1, key, ...step.args, leftMs ?? 0, nowUs)
    expected.push({ reply, text: next ?? null, left: next === undefined ? -2 : (ms ?? -1), at: commands++, step })
  }
  const outcomes = (await pipeline.exec()) ?? []
  for (const [i, { reply, text, left, at, step }] of expected.entries()) {
    const what = `step ${i}, ${JSON.stringify(step)} of ${JSON.stringify(history.map(({ args }) => args))}`
    const [error, answer] = outcomes[at] as [Error | null, [Reply, string | null, number]]
    expect(error, what).toBeNull()
    expect(answer.slice(0, 2), what).toEqual([reply, text])
    const pttl = answer[2]
    if (pttl < 0 || left < 0) expect(pttl, what).toBe(left)
    else expect([what, pttl <= left && pttl > left - SLACK_MS]).toEqual([what, true])
  }
  histories++
}

const from = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const minute = 60_000_000
const waitUs = fc.oneof(
  from(0, 0, 1, minute - 1, minute, minute / 6, minute / 6 - 1, 10 * minute, -5_000_000, 86_400_000_000),
  fc.integer({ min: 0, max: minute }),
)
const historyOf = (args: fc.Arbitrary<readonly Arg[]>): fc.Arbitrary<Step[]> =>
  fc.array(fc.record({ waitUs, args }), { minLength: 1, maxLength: 30 })

const by = fc.oneof(
  from(1, 1, 0, -1, 5, 999_999_999, -99_999_999, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER),
  fc.integer({ min: -9, max: 9 }),
)
const bound = from<Arg>('', '', -3, 0, 7)
const lifeMs = from<Arg>(0, 60_000)
const countArgs = fc.oneof(fc.tuple(by, lifeMs), fc.tuple(by, lifeMs, bound, bound))
const digits = from(
  '0',
  '5',
  '-5',
  '007',
  '999999999999999',
  '-999999999999999',
  '9007199254740991',
  '-9007199254740991',
  '9999999999999999',
)
const counts = fc.oneof(
  digits,
  from('', 'x', '1.5', '1e3', ' 5', '5 ', '-', '--5', '99999999999999999', '0x10', 'nan', '-0'),
)

const bucketUs = minute / 6
const bucket = Math.floor(START_US / bucketUs)
const buckets = fc
  .array(fc.tuple(fc.integer({ min: bucket - 8, max: bucket + 1 }).map(String), digits), { maxLength: 9 })
  .map((list) => list.map(([number, count]) => `${number} ${count};`).join(''))
const windows = fc.oneof(
  buckets,
  from(
    '',
    'x',
    '5',
    '1 1',
    '1;',
    `${bucket} 1;x`,
    `${bucket} 99999999999999999;`,
    `${bucket} 1;`.repeat(20),
    `${bucket} 1;`.repeat(3000),
  ),
)
const ids = from('a'.repeat(16), 'b'.repeat(16), 'C-_9'.repeat(4))
const prints = from('p'.repeat(43), 'q'.repeat(43))
const records = fc.oneof(
  from('', 'x', 'p', `p${'a'.repeat(16)}`, `d${'a'.repeat(16)}${'0'.repeat(15)}${'p'.repeat(42)}`),
  fc
    .tuple(
      from('p', 'd', 'x'),
      ids,
      from('000001795000005', '000000000000000', '999999999999999', '00000179500000x'),
      prints,
      from('', 'r', 'é'),
    )
    .map((parts) => parts.join('')),
)
const record: fc.Arbitrary<readonly Arg[]> = fc.oneof(
  fc.tuple(fc.constant('begin'), ids, prints, from(5000, 60_000), from(60_000, 600_000)),
  fc.tuple(fc.constant('complete'), ids, from('', 'response', 'ü\n"'), from(60_000, 600_000)),
  fc.tuple(fc.constant('release'), ids),
)

const cases: readonly (readonly [Any, fc.Arbitrary<string>, fc.Arbitrary<readonly Arg[]>])[] = [
  [addToCount as Any, counts, countArgs],
  [addToWindow as Any, windows, fc.tuple(by, bound, bound, from<Arg>(bucketUs), from<Arg>(6), from<Arg>(0, 120_000))],
  [totalOfWindow as Any, windows, from<readonly Arg[]>([0, '', '', bucketUs, 6, 0])],
  [takeToken as Any, from('', 'j{}'), from<readonly Arg[]>([])],
  [markFirst as Any, from('', 'x'), fc.tuple(ids, from(1, 60_000))],
  [idempotencyStep as Any, records, record],
]

const clients: Redis[] = []
afterAll(async () => {
  console.log(`counters, tokens, once, idempotency: ${histories} histories, lua and apply alike`)
  await Promise.all(clients.map((client) => client.quit()))
})

describe('lua and apply do alike', () => {
  for (const [name, variable] of Object.entries(servers)) {
    const url = process.env[variable]
    if (!url) {
      it.skip(`${name}: ${variable} is not set`)
      continue
    }
    const redis = new Redis(url, { maxRetriesPerRequest: 0 })
    clients.push(redis)
    it.each(cases.map((each) => [each[0].name, each[0].effect, ...each] as const))(
      `%s, %s, ${name}`,
      async (_, __, operation, seed, args) => {
        await fc.assert(
          fc.asyncProperty(fc.option(seed, { nil: undefined }), historyOf(args), (text, steps) =>
            play(redis, operation, text, steps),
          ),
          { numRuns: 150 },
        )
      },
      60_000,
    )
  }
})
