import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { joinedOperation, scriptAt } from '../../src/protocol/operation.ts'
import type { Algorithm } from '../../src/rate-limit/algorithm.ts'
import {
  fixedWindow,
  gcra,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../src/rate-limit/index.ts'

// A joined script computes what does not depend on a key once for all its keys. It must decide each key as if it were alone.

const START_US = 1_795_000_000_000_000
const KEYS = 5
const url = process.env.REDIS7_URL as string
const redis = new Redis(url, { maxRetriesPerRequest: 0 })
afterAll(() => redis.quit())

interface Step {
  readonly waitUs: number
  readonly verb: string
  readonly number: number
  /** The keys of the joined script, in this order. */
  readonly keys: readonly number[]
}

const from = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const key = fc.nat(KEYS - 1)
const step: fc.Arbitrary<Step> = fc.record({
  waitUs: fc.oneof(from(0, 0, 1, 60_000_000, -5_000_000), fc.nat(60_000_000)),
  verb: from('take', 'take', 'take', 'take', 'peek', 'refund', 'block'),
  number: fc.oneof(from(1, 1, 1, 0, 2, 1_000_000), fc.nat(8)),
  keys: fc.uniqueArray(key, { minLength: 1 }),
})
/** The state of each key before: absent, of another type, or text of another form. */
const before = fc.array(from('', '', '', 'list', 'r0;1 1 1 1 1;', 'r9'), { minLength: KEYS, maxLength: KEYS })

/**
 * Wraps a script: after it runs, returns each key's value and lifetime too. It removes the lifetimes, so that no key ends by
 * the server's clock.
 */
const watched = (lua: string): string => `
local function all() ${lua} end
local reply, states = all(), {}
for i, key in ipairs(KEYS) do
 local kind, state = redis.call('TYPE', key).ok, false
 if kind == 'string' then state = redis.call('GET', key) end
 if kind == 'zset' then state = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES') end
 states[i] = { kind, state, redis.call('PTTL', key) }
 redis.call('PERSIST', key)
end
return { reply, states }`

type State = [kind: string, value: unknown, leftMs: number]
const SLACK_MS = 3000

async function play({ steps: [operation], args }: Algorithm, kinds: readonly string[], history: readonly Step[]) {
  const name = (form: string, i: number): string => `joined-limits:${form}:${i}`
  const setUp = redis.pipeline()
  for (const form of ['alone', 'joined'])
    kinds.forEach((kind, i) => {
      setUp.del(name(form, i))
      if (kind === 'list') setUp.rpush(name(form, i), 'x')
      else if (kind) setUp.set(name(form, i), kind)
    })
  await setUp.exec()
  const joinedScript = watched(scriptAt(joinedOperation(operation)))
  const loneScript = watched(scriptAt(operation))
  let nowUs = START_US
  for (const { waitUs, verb, number, keys } of history) {
    nowUs += waitUs
    const all = [verb, number, ...args(undefined, false), nowUs]
    const names = keys.map((i) => name('joined', i))
    const [replies, states] = (await redis.eval(joinedScript, keys.length, ...names, ...all)) as [unknown[], State[]]
    for (const [at, i] of keys.entries()) {
      const alone = (await redis.eval(loneScript, 1, name('alone', i), ...all)) as [unknown, [State]]
      const [[kind, value, leftMs]] = alone[1]
      const [ownKind, ownValue, ownLeftMs] = states[at] as State
      expect([replies[at], ownKind, ownValue]).toEqual([alone[0], kind, value])
      expect(Math.abs(ownLeftMs - leftMs)).toBeLessThan(SLACK_MS)
    }
  }
}

describe('keys of one script are decided as each alone', () => {
  for (const make of [fixedWindow, slidingWindow, slidingLog, slidingBuckets, tokenBucket, gcra]) {
    const limits = [
      { limit: 4, window: '1m' },
      { limit: 9, window: '10m' },
    ] as const
    it.each([
      ['one limit', make(limits[0])],
      ['several', make([...limits])],
    ])(
      `${make.name}, %s`,
      async (_, algorithm) => {
        await fc.assert(
          fc.asyncProperty(before, fc.array(step, { minLength: 1, maxLength: 12 }), (kinds, history) =>
            play(algorithm, kinds, history),
          ),
          { numRuns: 40 },
        )
      },
      20_000,
    )
  }
})
