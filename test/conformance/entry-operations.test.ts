import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { entrySteps } from '../../src/cache/steps/entry.ts'
import { writePlain } from '../../src/cache/steps/plain.ts'
import { entryScripts } from '../../src/cache/steps/small-entry.ts'
import { captureVersion, softenVersion } from '../../src/cache/steps/versions.ts'
import { appendChanges, pullChanges } from '../../src/near/pull-feed.ts'
import { NO_END, NONE } from '../../src/protocol/entry.ts'
import { type Arg, type Operation, type Reply, scriptAt } from '../../src/protocol/operation.ts'

/** One call, and how far the clock moves before it. */
interface Step {
  readonly waitMs: number
  readonly us: number
  readonly args: readonly Arg[]
}

interface Held {
  readonly text: string
  /** End of its lifetime by the history's clock; undefined: never. */
  readonly endsMs: number | undefined
}

type Operate = Operation<readonly Arg[], Reply>

const START_MS = 1_795_000_000_000
/** Far longer than a pipeline takes, and far shorter than any lifetime or wait of a history. */
const SLACK_MS = 4_000

const servers = { 'Redis 7': 'REDIS7_URL', 'Redis 8': 'REDIS8_URL', Valkey: 'VALKEY_URL' } as const
let histories = 0
let steps = 0

/**
 * Plays a history on the pure function, then on the server in one pipeline. Before each script the key gets the lifetime that
 * is left by the history's clock, or is deleted if that lifetime has ended.
 */
async function play(redis: Redis, operation: Operate, key: string, seed: string | undefined, history: readonly Step[]) {
  const pipeline = redis.pipeline().del(key)
  let held: Held | undefined = seed === undefined ? undefined : { text: seed, endsMs: undefined }
  if (held) pipeline.set(key, held.text)
  const expected: { reply: Reply; text: string | null; leftMs: number; at: number }[] = []
  let nowMs = START_MS
  let commands = held ? 2 : 1
  for (const { waitMs, us, args } of history) {
    nowMs += waitMs
    if (held?.endsMs !== undefined) {
      if (held.endsMs > nowMs) pipeline.pexpire(key, held.endsMs - nowMs)
      else {
        pipeline.del(key)
        held = undefined
      }
      commands++
    }
    const nowUs = nowMs * 1000 + us
    const leftMs = held?.endsMs === undefined ? undefined : held.endsMs - nowMs
    const { next, ttl, reply } = operation.apply(held?.text, args, { nowUs, leftMs })
    const endsMs = ttl === 'keep' ? held?.endsMs : ttl === 'none' ? undefined : nowMs + ttl.ms
    held = next === undefined ? undefined : { text: next, endsMs }
    pipeline
      .eval(scriptAt(operation), 1, key, ...args, nowUs)
      .get(key)
      .pttl(key)
    const left = held ? (held.endsMs === undefined ? -1 : held.endsMs - nowMs) : -2
    expected.push({ reply, text: held?.text ?? null, leftMs: left, at: commands })
    commands += 3
  }
  const outcomes = (await pipeline.exec()) ?? []
  for (const [i, { reply, text, leftMs, at }] of expected.entries()) {
    const [error, given] = outcomes[at] as [Error | null, unknown]
    const stored = outcomes[at + 1]?.[1]
    const pttl = outcomes[at + 2]?.[1]
    const what = `step ${i}, ${JSON.stringify(history[i]?.args)}`
    expect(error, what).toBeNull()
    // A plain value stores no end of its lifetime, so the script reads what is left by the server's clock.
    if (operation === writePlain && history[i]?.args[0] === 'ttl' && leftMs > 0) {
      expect(Math.abs(Number(given) - leftMs), what).toBeLessThan(SLACK_MS)
    } else expect(given, what).toEqual(reply)
    expect(stored, what).toBe(text)
    if (leftMs < 0) expect(pttl, what).toBe(leftMs)
    else {
      expect(pttl, what).toBeLessThanOrEqual(leftMs)
      expect(pttl, what).toBeGreaterThan(leftMs - SLACK_MS)
    }
    steps++
  }
  histories++
}

const from = <T>(...values: T[]): fc.Arbitrary<T> => fc.constantFrom(...values)
const id = from('aaaaaaaaaaaaaaa1', 'bbbbbbbbbbbbbb_2', 'cccccccccccccc-3')
const token = from('tokentokentoken1', 'tokentokentoken2', NONE)
/** Sent instead of an id by a caller that has not read the entry: a generation, and the marks of the codecs it knows. */
const unread = from(`=${NONE}ijr`, `=${NONE}ijrZ`, '=', '=generationgener2ij')
const dead = fc.oneof(
  { weight: 3, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: id },
  { weight: 1, arbitrary: unread },
)
const lifetime = from(0, 10_000, 20_000, 60_000)
const life = fc
  .tuple(lifetime, from(0, 10_000, 30_000))
  .map(([fresh, grace]) => [fresh, fresh && fresh + grace] as const)
const by = fc.oneof(from(0, 1, -1, 5, Number.MAX_SAFE_INTEGER, -Number.MAX_SAFE_INTEGER, 2 ** 52), fc.maxSafeInteger())
const text = fc.oneof(
  from('', 'null', '{"a":1}', 'žluťoučký 馬 👩‍👩‍👧', '\u0000\r\n', 'x'.repeat(300)),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
)
const digits = fc.oneof(from('0', '-1', '9007199254740991', '-9007199254740991', '9007199254740990'), by.map(String))
const coded = fc.oneof(
  fc.tuple(from('j', 'r', 'Z', '-'), text),
  fc.tuple(fc.constant('i'), digits),
  // Integers that no codec has written.
  fc.tuple(fc.constant('i'), from('', 'abc', '1.5', '0x10', '1e3', '5\n', ' 5')),
)

const write = fc
  .tuple(
    from('set', 'add', 'fill', 'rewrite'),
    dead,
    coded,
    id,
    life,
    from(0, 7, 999_999_999),
    token,
    from('', 'abc', '{1}'),
  )
  .map(([verb, dead, [mark, payload], id, [fresh, life], load, token, tags]): Arg[] => [
    verb,
    dead,
    mark + id,
    fresh,
    life,
    load,
    token,
    NONE,
    tags,
    payload,
  ])
const lease = fc
  .tuple(
    dead,
    from('tokentokentoken1', 'tokentokentoken2'),
    from(10_000, 30_000, 100_000),
    from(0, 0, 1, 2),
    from('', '', 'tokentokentoken1'),
    from(0, 1),
  )
  .map((args): Arg[] => ['lease', ...args])
const release = fc
  .tuple(from('release', 'fail', 'fail', 'gone'), token, from(0, 1000, 20_000, 50_000))
  .map(([verb, token, share]): Arg[] => [verb, '', token, share])
const expire = dead.map((dead): Arg[] => ['expire', dead])
const bury = fc.tuple(id, from(0, 10_000)).map((args): Arg[] => ['bury', ...args])
const touch = fc.tuple(dead, life).map(([dead, times]): Arg[] => ['touch', dead, ...times])
const read = fc.oneof(
  dead.map((dead): Arg[] => ['ttl', dead]),
  fc.oneof(id, unread).map((id): Arg[] => ['take', id]),
)
const increment = fc
  .tuple(dead, id, lifetime, by, from(NONE, NONE, NONE, 'generationgener2'))
  .map(([dead, id, fresh, by, generation]): Arg[] => ['increment', dead, id, fresh, by, generation])

const stepsOf = (args: fc.Arbitrary<Arg[]>): fc.Arbitrary<Step[]> =>
  fc.array(fc.record({ waitMs: from(0, 0, 0, 5_000, 10_000, 30_000), us: fc.integer({ min: 0, max: 999 }), args }), {
    minLength: 1,
    maxLength: 16,
  })

/** Returns a valid entry of form 1, in which tests spoil one part at a time. */
const whole = (mark: string, payload: string): string =>
  `h${mark}aaaaaaaaaaaaaaa1${START_MS}000000000007${NO_END.repeat(2)}${NONE}${'0'.repeat(15)}${NONE}00000000${payload}`
const good = whole('j', '{}')
const spoil = (at: number, part: string): string => good.slice(0, at) + part + good.slice(at + part.length)
const foreign = fc.oneof(
  { weight: 4, arbitrary: fc.constant(undefined) },
  {
    weight: 1,
    arbitrary: from(
      good,
      whole('i', '41'),
      whole('i', 'abc'),
      whole('Z', 'other codec'),
      whole('-', ''),
      '',
      'h',
      'hello',
      `h${'x'.repeat(127)}`,
      `h${'x'.repeat(500)}`,
      `h${'é'.repeat(200)}`,
      good.slice(0, 127),
      good.slice(0, 128),
      `g${good.slice(1)}`,
      `i${good.slice(1)}`,
      spoil(1, ' '),
      spoil(1, 'é'),
      spoil(5, '!'),
      spoil(20, 'x'),
      spoil(36, ' '),
      spoil(45, '-'),
      spoil(60, '+1'),
      spoil(80, '\n'),
      spoil(95, 'x'),
      spoil(110, '.'),
      spoil(125, ' 1'),
    ),
  },
  { weight: 1, arbitrary: text },
)

/** The verbs of the shorter script. Its callers have read the entry. */
const SMALL = /^(set|fill|rewrite|bury|lease|release|fail|gone)$/
const isSmall = ([verb, id]: Arg[]): boolean => SMALL.test(`${verb}`) && !`${id}`.startsWith('=')
const smallEntry = stepsOf(fc.oneof(write, lease, release, bury).filter(isSmall))
const entry = stepsOf(
  fc.oneof(
    { weight: 4, arbitrary: write },
    { weight: 4, arbitrary: lease },
    { weight: 2, arbitrary: release },
    { weight: 1, arbitrary: expire },
    { weight: 1, arbitrary: bury },
    { weight: 2, arbitrary: touch },
    { weight: 2, arbitrary: read },
    { weight: 3, arbitrary: increment },
  ),
)
const plain = stepsOf(
  fc.oneof(
    fc
      .oneof(text, digits)
      .chain((payload) =>
        life.map(([fresh, life]): Arg[] => ['add', '', 'jaaaaaaaaaaaaaaa1', fresh, life, 0, NONE, NONE, '', payload]),
      ),
    fc.tuple(lifetime, by).map(([life, by]): Arg[] => ['increment', '', 'aaaaaaaaaaaaaaa1', life, by, NONE]),
    lifetime.map((life): Arg[] => ['touch', '', life, life]),
    from<Arg[]>(['take', ''], ['ttl', '']),
  ),
)
const plainSeed = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: text },
  { weight: 1, arbitrary: digits },
  { weight: 1, arbitrary: from('007', '-0', '1.5', '0x10', ' 5', '5\n', '1e3', '9007199254740993', '9'.repeat(30)) },
)

const version = from('1'.repeat(32), '2'.repeat(32), 'abcdefgh-_345678ABCDEFGH12345678')
const versionSeed = fc.oneof(fc.constant(undefined), version)
// A text that is no tag version is replaced; an empty argument does not create a version.
const malformedSeed = fc.oneof(versionSeed, from('', 'short', 'é'.repeat(8), ','.repeat(16)))
const captures = fc
  .tuple(fc.oneof(version, version, fc.constant('')), from(0, 5_000, 10_000, 100_000))
  .map((args): Arg[] => args)
const softened = from<Arg[]>(['aaaaaaaaaaaaaaaa'], ['bbbbbbbbbbbbbbbb'])

const changes = (count: number): string => Array.from({ length: count }, (_, i) => `abcdk${i};`).join('')
const logSeed = from(
  undefined,
  'hello',
  '12 x ',
  `1003 1000 ${changes(3)}`,
  `1500 1000 ${changes(500)}`,
  '1795000000000000 1795000000000000 ',
)
const appends = from<Arg[]>(['abcdk%3A1;'], [changes(3)], [changes(499)], [changes(500)], ['abcd*;'])
const pulls = from(-1, 0, 999, 1000, 1001, 1003, 1004, 1499, 1500, 1795000000000000).map((after): Arg[] => [after])

describe('the steps of an entry run as `apply` says', () => {
  const clients: Redis[] = []
  afterAll(() => {
    for (const redis of clients) redis.disconnect()
    console.log(`entry operations, both ways: ${histories} histories, ${steps} steps`)
  })
  for (const [name, variable] of Object.entries(servers)) {
    const redis = new Redis(process.env[variable] ?? '', { lazyConnect: true })
    clients.push(redis)
    const both = (
      title: string,
      operation: Operate,
      seeds: fc.Arbitrary<string | undefined>,
      runs: fc.Arbitrary<Step[]>,
    ) =>
      it(`${title}, ${name}`, async () => {
        const key = `both:${title}`
        await fc.assert(
          fc.asyncProperty(seeds, runs, (seed, history) => play(redis, operation, key, seed, history)),
          { numRuns: 300 },
        )
      }, 60_000)
    both('entry', entrySteps.once, foreign, entry)
    both('entry of few verbs', { ...entryScripts.once, apply: entrySteps.once.apply }, foreign, smallEntry)
    both('plain', writePlain, plainSeed, plain)
    both('capture', captureVersion as unknown as Operate, malformedSeed, stepsOf(captures))
    both('append', appendChanges as unknown as Operate, logSeed, stepsOf(appends))
    both('pull', pullChanges as unknown as Operate, logSeed, stepsOf(pulls))
    both('soften', softenVersion as unknown as Operate, versionSeed, stepsOf(softened))
  }
})
