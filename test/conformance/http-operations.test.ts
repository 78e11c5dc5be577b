import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import {
  beginFetch,
  captureVersion,
  endVersion,
  invalidateUrl,
  parseRecord,
  putResponse,
  releaseFetch,
} from '../../src/http/operations.ts'
import { type Arg, type Operation, type Reply, scriptAt } from '../../src/protocol/operation.ts'

type Step = Operation<readonly Arg[], Reply>
interface Call {
  readonly operation: Step
  readonly args: readonly Arg[]
  readonly waitMs: number
}

const START_MS = 1_795_000_000_000
const SLACK_MS = 4000
const KEY = 't!:http:operations'
const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const

/** Plays a history on the pure functions, then on the server, whose key gets the lifetime left by the history's clock. */
async function play(redis: Redis, history: readonly Call[], before?: string): Promise<void> {
  const pipeline = redis.pipeline().del(KEY)
  let commands = 1
  let held: { text: string; endsMs: number } | undefined
  if (before !== undefined) {
    held = { text: before, endsMs: START_MS + 100_000_000 }
    pipeline.set(KEY, before, 'PX', 100_000_000)
    commands++
  }
  let nowMs = START_MS
  const expected: { reply: Reply; text: string | null; left: number; at: number }[] = []
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
    const stored = outcomes[at + 1]?.[1]
    expect([what, stored ?? (left >= 0 && left <= 100 ? text : null)]).toEqual([what, text])
    const pttl = Number(outcomes[at + 2]?.[1])
    expect([what, left < 0 ? pttl === left : pttl <= left && pttl > left - SLACK_MS]).toEqual([what, true])
  }
}

const from = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const waitMs = from(0, 1, 5000, 31_000, 60_001, 299_000, 3_600_000)
const token = from('a'.repeat(16), 'b_-Z'.repeat(4))
const variant = from('v'.repeat(43), 'w'.repeat(43), 'x'.repeat(43), '_-A0'.repeat(10) + 'zzz')
const startUs = from(
  START_MS * 1000,
  START_MS * 1000 + 321,
  START_MS * 1000 + 5_000_321,
  START_MS * 1000 + 9_000_000_000,
)
const lifeMs = from(1, 20_000, 60_000, 1_800_000, 31_536_000_000)
const body = from('{"form":1}', '{"a":"žluť","b":"\\n\\t"}', '', ' ', '"%s%d"')
const step = <O>(operation: O, args: fc.Arbitrary<readonly Arg[]>) =>
  args.map((all) => ({ operation: operation as unknown as Step, args: all }))
const url = fc.oneof(
  step(beginFetch, fc.tuple(token, from(0, 1, 1, 2, 3), fc.oneof(from(0), startUs))),
  step(
    putResponse,
    fc.tuple(token, startUs, variant, fc.oneof(from(''), variant), lifeMs, from(1, 2, 3), body, from(0)),
  ),
  step(putResponse, fc.tuple(token, startUs, variant, from(''), lifeMs, from(3), body, fc.oneof(from(0), startUs))),
  step(releaseFetch, fc.tuple(token, from(0, 1))),
  step(invalidateUrl, fc.constant([])),
)
const version = fc.oneof(
  step(captureVersion, fc.tuple(token, lifeMs)),
  step(captureVersion, fc.tuple(token, lifeMs)),
  step(endVersion, fc.tuple(token)),
)
const histories = (steps: typeof url): fc.Arbitrary<Call[]> =>
  fc.array(
    fc.tuple(steps, waitMs).map(([one, wait]) => ({ ...one, waitMs: wait })),
    { minLength: 1, maxLength: 20 },
  )
/** Texts of other forms, which count as absent. */
const foreign = from(
  undefined,
  '',
  'h1',
  `h1${'-'.repeat(16)}${'0'.repeat(31)}`,
  `h1${'-'.repeat(16)}${'0'.repeat(32)}x`,
  'h9\n',
)
const record = `h1${'-'.repeat(16)}${'0'.repeat(32)}`
const damaged = from(`${record}\n\nnonsense\n${'v'.repeat(42)}`, `${record}\n${'v'.repeat(43)}${'1'.repeat(32)}`)

const redises: Redis[] = []
afterAll(() => {
  for (const redis of redises) redis.disconnect()
})

describe.each(Object.entries(servers))('HTTP operations on %s', (_, variable) => {
  const address = process.env[variable] as string
  it('are the same in Lua and in JavaScript', async () => {
    const redis = new Redis(address)
    redises.push(redis)
    await fc.assert(
      fc.asyncProperty(histories(url), fc.oneof(foreign, damaged), (history, before) => play(redis, history, before)),
      { numRuns: 60 },
    )
    await fc.assert(
      fc.asyncProperty(histories(version), foreign, (history, before) => play(redis, history, before)),
      { numRuns: 30 },
    )
  })
})

describe('a record', () => {
  it('of another form is absent', () => {
    for (const text of [undefined, '', 'h2', 'x', `h1${'-'.repeat(16)}${'0'.repeat(31)}`])
      expect(parseRecord(text)).toBeUndefined()
    expect(parseRecord(record)).toEqual({ token: '-'.repeat(16), leaseUs: 0, invalidatedUs: 0, lines: [] })
  })
})
