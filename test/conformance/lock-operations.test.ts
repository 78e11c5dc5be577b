import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { lockStep } from '../../src/lock/operations.ts'
import { type Reply, scriptAt } from '../../src/protocol/operation.ts'

/** One operation, and how far the clock moves before it; a negative wait moves it back. */
interface Step {
  readonly waitUs: number
  readonly verb: 'take' | 'keep' | 'free'
  readonly who: number
  readonly lease: number
  readonly most: number
  readonly claim: number
}

const START_US = 1_795_000_000_000_123
const SLACK_MS = 3_000
const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const
const KEY = ':t:lock:operations'
let histories = 0
let granted = 0

/**
 * Wraps the script: it runs at a moment of the history's clock, with the lifetime that the key has left by that clock. Returns
 * the reply, the key's text and its lifetime.
 */
const timed = `
local kept = tonumber(ARGV[#ARGV - 1])
if kept > 0 then redis.call('PEXPIRE', KEYS[1], kept) end
local function step() ${scriptAt(lockStep)} end
local reply, left = step(), redis.call('PTTL', KEYS[1])
redis.call('PERSIST', KEYS[1])
return { reply, redis.call('GET', KEYS[1]), left }`

const argsOf = ({ verb, who, lease, most, claim }: Step): Parameters<typeof lockStep.apply>[1] =>
  verb === 'take' ? [verb, `holder-${who}`, lease, most, claim] : [verb, `holder-${who}`, lease]

/** Plays a history on the pure function, then on the server in one pipeline. Tokens must rise within a history. */
async function play(redis: Redis, history: readonly Step[]): Promise<void> {
  const pipeline = redis.pipeline().del(KEY)
  let held: { text: string; endsMs: number } | undefined
  let nowUs = START_US
  let highest = 0
  const expected: { reply: Reply; text: string | null; left: number; step: Step }[] = []
  for (const step of history) {
    nowUs += step.waitUs
    const nowMs = Math.floor(nowUs / 1000)
    const args = argsOf(step)
    const leftMs = held && Math.max(1, held.endsMs - nowMs)
    const before = held?.text
    const { next, ttl, reply } = lockStep.apply(before, args, { nowUs, leftMs })
    const ms = typeof ttl === 'object' ? ttl.ms : leftMs
    held = next === undefined ? undefined : { text: next, endsMs: nowMs + (ms as number) }
    if (step.verb === 'take' && reply > 0 && !before?.includes(` ${reply} `)) {
      expect(reply).toBeGreaterThan(highest)
      highest = reply
      granted++
    }
    pipeline.eval(timed, 1, KEY, ...args, leftMs ?? 0, nowUs)
    expected.push({ reply, text: next ?? null, left: ms ?? -2, step })
  }
  const outcomes = (await pipeline.exec()) ?? []
  for (const [i, { reply, text, left, step }] of expected.entries()) {
    const what = `step ${i}, ${JSON.stringify(step)}`
    const [error, answer] = outcomes[i + 1] as [Error | null, [Reply, string | null, number]]
    expect(error, what).toBeNull()
    expect(answer.slice(0, 2), what).toEqual([reply, text])
    // Redis 7 counts a lifetime from the command, not from the start of its script.
    const pttl = answer[2]
    if (pttl < 0 || left < 0) expect(pttl, what).toBe(left)
    else expect([what, pttl <= left && pttl > left - SLACK_MS]).toEqual([what, true])
  }
  histories++
}

const from = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const second = 1_000_000
const step: fc.Arbitrary<Step> = fc.record({
  waitUs: fc.oneof(
    from(0, 0, 1, 999, 1000, second, 10 * second, 10 * second + 1000, 10 * second + 999, -3 * second, 3600 * second),
    fc.integer({ min: 0, max: 12 * second }),
  ),
  verb: from('take', 'take', 'take', 'keep', 'free'),
  who: fc.integer({ min: 0, max: 5 }),
  lease: from(1, 10_000, 10_000, 20_000, 172_800_000),
  most: from(1, 1, 2, 3, 1000),
  claim: from(0, 0, 5000),
})

const foreign = [
  '',
  'l',
  'l5',
  'x5;',
  'l12;a',
  'l12;a 1 2',
  'l12;a 1 2 ;',
  '{"n":1}',
  'é 1 1 1;',
  'l12;é-b 1 1 9;',
  '1',
]

const clients: Redis[] = []
afterAll(async () => {
  console.log(`lock operations: ${histories} histories, ${granted} tokens, lua and apply alike`)
  await Promise.all(clients.map((client) => client.quit()))
})

describe('lua and apply hold alike', () => {
  for (const [name, variable] of Object.entries(servers)) {
    const url = process.env[variable]
    if (!url) {
      it.skip(`${name}: ${variable} is not set`)
      continue
    }
    const redis = new Redis(url, { maxRetriesPerRequest: 0 })
    clients.push(redis)
    it(`random histories, ${name}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => play(redis, steps)),
        { numRuns: 300 },
      )
    }, 60_000)
    it(`foreign text holds nothing, ${name}`, async () => {
      for (const text of foreign) {
        for (const args of [
          ['take', 'b', 5000, 1, 0],
          ['keep', 'b', 5000],
          ['free', 'b', 0],
        ] as const) {
          const what = `${args[0]} of ${JSON.stringify(text)}`
          const { reply } = lockStep.apply(text, args, { nowUs: START_US, leftMs: 60_000 })
          expect(reply > 0, what).toBe(args[0] === 'take')
          await redis.set(KEY, text)
          expect(await redis.eval(timed, 1, KEY, ...args, 60_000, START_US), what).toEqual([
            reply,
            expect.any(String),
            expect.any(Number),
          ])
        }
      }
    })
  }
})
