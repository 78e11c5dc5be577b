import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { type Arg, type Operation, type Reply, scriptAt } from '../../src/protocol/operation.ts'
import { countEntry, renewEntry } from '../../src/session/hashed-entries.ts'
import {
  captureGeneration,
  endSession,
  listSession,
  MAX_SESSION_BYTES,
  takeSession,
  touchSession,
  writeSession,
} from '../../src/session/operations.ts'

type Step = Operation<readonly Arg[], Reply>
interface Call {
  readonly operation: Step
  readonly args: readonly Arg[]
  readonly waitMs: number
}

const START_MS = 1_795_000_000_000
const SLACK_MS = 4000
const KEY = ':t:session:operations'
const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const

/** Plays a history on the pure functions, then on the server, whose key gets the lifetime left by the history's clock. */
async function play(redis: Redis, history: readonly Call[]): Promise<void> {
  const pipeline = redis.pipeline().del(KEY)
  let held: { text: string; endsMs: number } | undefined
  let nowMs = START_MS
  const expected: { reply: Reply; text: string | null; left: number; at: number }[] = []
  let commands = 1
  for (const { operation, args, waitMs } of history) {
    nowMs += waitMs
    if (held && held.endsMs <= nowMs) {
      pipeline.del(KEY)
      held = undefined
    } else if (held) pipeline.pexpire(KEY, held.endsMs - nowMs)
    else pipeline.exists(KEY)
    const leftMs = held && held.endsMs - nowMs
    const { next, ttl, reply } = operation.apply(held?.text, args, { nowUs: nowMs * 1000 + 321, leftMs })
    const endsMs = typeof ttl === 'object' ? nowMs + ttl.ms : (held?.endsMs ?? 0)
    held = next === undefined ? undefined : { text: next, endsMs }
    pipeline
      .eval(scriptAt(operation), 1, KEY, ...args, nowMs * 1000 + 321)
      .get(KEY)
      .pttl(KEY)
    expected.push({ reply, text: next ?? null, left: held ? held.endsMs - nowMs : -2, at: commands + 1 })
    commands += 4
  }
  const outcomes = (await pipeline.exec()) ?? []
  for (const [i, { reply, text, left, at }] of expected.entries()) {
    const what = `step ${i}, ${history[i]?.operation.name} ${JSON.stringify(history[i]?.args)}`
    const [error, given] = outcomes[at] as [Error | null, unknown]
    expect([what, error]).toEqual([what, null])
    expect([what, given]).toEqual([what, reply])
    // A key with at most 100 ms left may end before it is read.
    const stored = outcomes[at + 1]?.[1]
    expect([what, stored ?? (left >= 0 && left <= 100 ? text : null)]).toEqual([what, text])
    const pttl = Number(outcomes[at + 2]?.[1])
    expect([what, left < 0 ? pttl === left : pttl <= left && pttl > left - SLACK_MS]).toEqual([what, true])
  }
}

const from = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const waitMs = from(0, 1, 5000, 30_000, 60_001, 3_600_000)
const idle = from(20_000, 60_000, 1_800_000)
const line = fc
  .tuple(from('.a', '.b', '!c', '.%C5%BE'), from('', '7', '"x"', '{"a":[1,2]}', '"\\u0009"', '"žluť"'))
  .map(([name, value]) => (value ? `${name}\t${value}` : name))
const changes = fc.uniqueArray(line, { maxLength: 4, selector: (text) => text.split('\t')[0] }).map((l) => l.join('\n'))
const subject = from<[string, string]>(['', ''], ['s'.repeat(22), 'g'.repeat(16)], ['t'.repeat(22), 'h'.repeat(16)])
const write = fc
  .tuple(from(0, 0, 1), idle, from(0, 0, START_MS - 1000), from(60_000, 7_200_000), subject, changes, subject)
  .map(([mode, idle, created, absolute, bound, lines, [, expected]]) => ({
    operation: writeSession as unknown as Step,
    args: [mode, idle, created, absolute, ...bound, lines, expected],
  }))
const touch = idle.map((ms) => ({ operation: touchSession as unknown as Step, args: [ms] }))
const take = fc.constant({ operation: takeSession as unknown as Step, args: [] })
const end = fc
  .tuple(from('', '1'.repeat(43)), from(0, 20_000, 60_000))
  .map((args) => ({ operation: endSession as unknown as Step, args }))
const session = fc.array(
  fc
    .tuple(
      fc.oneof(
        { weight: 6, arbitrary: write },
        { weight: 3, arbitrary: touch },
        { weight: 1, arbitrary: take },
        { weight: 2, arbitrary: end },
      ),
      waitMs,
    )
    .map(([call, waitMs]): Call => ({ ...call, waitMs })),
  { maxLength: 12 },
)
const generation = fc.array(
  fc
    .tuple(from('a'.repeat(16), 'b'.repeat(16)), from(10_000, 60_000), waitMs)
    .map(
      ([made, life, waitMs]): Call => ({ operation: captureGeneration as unknown as Step, args: [made, life], waitMs }),
    ),
  { maxLength: 8 },
)
const list = fc.array(
  fc
    .tuple(
      from('a', 'b', 'c').map((l) => l.repeat(43)),
      from(1000, 20_000, 90_000, 7_200_000),
      from('', 'x%20y', 'z'),
      waitMs,
    )
    .map(
      ([handle, life, device, waitMs]): Call => ({
        operation: listSession as unknown as Step,
        args: [handle, life, device],
        waitMs,
      }),
    ),
  { maxLength: 8 },
)

/** Stores a text that another program may have written under the key of a count. */
const putText: Operation<readonly [ttlMs: number, text: string], number> = {
  name: 'test.put',
  effect: 'once',
  lua: `redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1]) return 1`,
  apply: (_current, [ms, text]) => ({ next: text, ttl: { ms }, reply: 1 }),
}
const foreign = from('x', '', '0', '7', '007', '-1', '1.5', '1e3', ' 7', '9'.repeat(15), '9'.repeat(16), '9'.repeat(20))
const life = from(10_000, 60_000, 90_000)
const count = fc.array(
  fc
    .tuple(
      from<[Step, number]>(
        [countEntry as unknown as Step, 1],
        [countEntry as unknown as Step, 1],
        [renewEntry as unknown as Step, 1],
        [takeSession as unknown as Step, 0],
        [putText as unknown as Step, 2],
      ),
      life,
      foreign,
      waitMs,
    )
    .map(([[operation, given], ms, text, waitMs]): Call => ({ operation, args: [ms, text].slice(0, given), waitMs })),
  { maxLength: 10 },
)

for (const [name, variable] of Object.entries(servers)) {
  describe(`the operations of sessions, ${name}`, () => {
    const redis = new Redis(process.env[variable] as string)
    afterAll(() => redis.disconnect())
    for (const [what, histories] of Object.entries({ session, generation, list, count })) {
      it(`${what}: lua and apply answer the same`, async () => {
        await fc.assert(
          fc.asyncProperty(histories, (history) => play(redis, history)),
          { numRuns: 250 },
        )
      }, 120_000)
    }
    it('bounds a session, to the byte', async () => {
      const sized = (mode: number, length: number): Call => ({
        operation: writeSession as unknown as Step,
        args: [mode, 60_000, 0, 60_000, '', '', `.a\t${'ž'.repeat(length)}`, ''],
        waitMs: 0,
      })
      const whole = (MAX_SESSION_BYTES - 85 - 3) / 2
      const history = [sized(1, Math.ceil(whole)), sized(1, Math.floor(whole)), sized(0, Math.ceil(whole)), sized(0, 1)]
      await play(redis, history)
      expect(history.map(({ args }) => String(args[6]).length > whole)).toEqual([true, true, true, false])
    })
    it('bounds the list of a subject', async () => {
      const history = Array.from(
        { length: 130 },
        (_, i): Call => ({
          operation: listSession as unknown as Step,
          args: [String(i).padStart(43, '0'), 60_000, ''],
          waitMs: 0,
        }),
      )
      await play(redis, history)
      const { reply } = listSession.apply(undefined, ['x'.repeat(43), 1, ''], { nowUs: 0, leftMs: undefined })
      expect(reply).toBe(1)
    })
  })
}
