import { readdirSync, readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decrement, increment } from '../../adapters/express-rate-limit/hits.ts'
import { startServer } from '../../scripts/servers.ts'
import { entrySteps } from '../../src/cache/steps/entry.ts'
import { writePlain } from '../../src/cache/steps/plain.ts'
import { entryScripts } from '../../src/cache/steps/small-entry.ts'
import { captureVersion, softenVersion } from '../../src/cache/steps/versions.ts'
import { addToCount, addToWindow } from '../../src/counter/operations.ts'
import {
  beginFetch,
  endVersion,
  captureVersion as httpVersion,
  invalidateUrl,
  putResponse,
  releaseFetch,
} from '../../src/http/operations.ts'
import { idempotencyStep } from '../../src/idempotency/operations.ts'
import { lockStep } from '../../src/lock/operations.ts'
import { addEntry, dropEntry, putEntry } from '../../src/migrate/operations.ts'
import { appendChanges } from '../../src/near/pull-feed.ts'
import { markFirst } from '../../src/once/operations.ts'
import { NONE } from '../../src/protocol/entry.ts'
import { type Arg, joinedOperation, scriptOf } from '../../src/protocol/operation.ts'
import {
  fixedWindow,
  gcra,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../../src/rate-limit/index.ts'
import { countEntry } from '../../src/session/hashed-entries.ts'
import { writeSession } from '../../src/session/operations.ts'

// A Redis past its `maxmemory` refuses commands that may use more memory, but lets a script finish that has begun to write. So
// the first write of each script must be one that a full server refuses: then new ids of strangers cannot fill it further.

type Script = { readonly lua: string }
interface Write {
  readonly title: string
  readonly script: Script
  /** Arguments of the calls made before, while the server still has room. */
  readonly before: readonly (readonly Arg[])[]
  readonly args: readonly Arg[]
}

const limit = { limit: 10, window: '1m' } as const
const limits = [fixedWindow, slidingWindow, slidingLog, slidingBuckets, tokenBucket, gcra].flatMap((make): Write[] => {
  const { name, steps, args } = make([limit, { limit: 100, window: '1h' }])
  const own = args(undefined, false)
  const step = (verb: string, before: readonly (readonly Arg[])[], number = 2): Write => ({
    title: `${name}, ${verb}${before.length > 0 ? ' after others' : ''}`,
    script: steps[0],
    before,
    args: [verb, number, ...own],
  })
  const taken: Arg[] = ['take', 3, ...own]
  return [
    step('take', []),
    step('take', [taken]),
    step('block', [], 60_000),
    step('block', [taken], 60_000),
    step('refund', [taken, taken]),
    step('refund', [taken, taken], 4),
  ]
})

const id = 'x'.repeat(16)
const print = 'p'.repeat(43)
const value: Arg[] = [`j${id}`, 60_000, 90_000, 0, NONE, id, '', 'payload']
const held: Arg[] = ['set', '', ...value]
const one = (title: string, script: Script, args: readonly Arg[], ...before: readonly (readonly Arg[])[]): Write => ({
  title,
  script,
  args,
  before,
})
const entries: readonly Write[] = [
  one('set', entrySteps.once, held),
  one('set over another', entrySteps.once, held, held),
  one('add', entrySteps.once, ['add', '', ...value]),
  one(
    'fill',
    entrySteps.once,
    ['fill', '', `j${id}`, 60_000, 90_000, 0, id, id, '', 'payload'],
    ['lease', '', id, 5000, 0],
  ),
  one('lease', entrySteps.once, ['lease', '', id, 5000, 0]),
  one('lease on a copy', entrySteps.once, ['lease', '', id, 95_000, 1], held),
  one('release', entrySteps.once, ['release', '', id], held, ['lease', '', id, 5000, 1]),
  one('expire', entrySteps.once, ['expire', ''], held),
  one('touch', entrySteps.once, ['touch', id, 0, 0], held),
  one('rewrite', entrySteps.once, ['rewrite', id, ...value], held),
  one('fail', entrySteps.once, ['fail', '', id, 5000], ['lease', '', id, 5000, 0]),
  one('fail on a copy', entrySteps.once, ['fail', '', id, 5000], held, ['lease', '', id, 5000, 1]),
  one('set by a small cache', entryScripts.once, held),
  one('lease of a small cache', entryScripts.once, ['lease', '', id, 5000, 0]),
  one('rewrite by a small cache', entryScripts.once, ['rewrite', id, ...value], held),
  one('fail of a small cache', entryScripts.once, ['fail', '', id, 5000], held, ['lease', '', id, 5000, 1]),
  one('a session', writeSession, [1, 60_000, 0, 600_000, '', '', 'a\t1']),
  one('a field of a session', writeSession, [0, 60_000, 0, 0, '', '', 'b\t2'], [1, 60_000, 0, 600_000, '', '', 'a\t1']),
  one('a lock', lockStep, ['take', id, 5000, 1, 0]),
  one('a claim of a lock', lockStep, ['take', 'y'.repeat(16), 5000, 1, 500], ['take', id, 5000, 1, 0]),
  one('a lock kept', lockStep, ['keep', id, 9000], ['take', id, 5000, 1, 0]),
  one('a lock given back', lockStep, ['free', id], ['take', id, 5000, 1, 0]),
  one('a count by a hashed id', countEntry, [60_000]),
  one('increment', entrySteps.once, ['increment', '', id, 60_000, 5, id]),
  one('plain increment', writePlain, ['increment', '', id, 60_000, 5, id]),
  one('plain add', writePlain, ['add', '', '', 0, 60_000, 0, '', '', '', 'payload']),
  one('plain touch', writePlain, ['touch', '', 0, 0], ['add', '', '', 0, 60_000, 0, '', '', '', 'payload']),
  one('a tag captured', captureVersion, [`${id}${id}`, 60_000]),
  one('a change told', appendChanges, ['a;']),
  one('a count', addToCount, [1, 60_000]),
  one('a count after another', addToCount, [1, 60_000], [1, 60_000]),
  one('a count in a window', addToWindow, [1, '', '', 1_000_000, 60, 0]),
  one('a count in a window after another', addToWindow, [1, '', '', 1_000_000, 60, 0], [1, '', '', 1_000_000, 60, 0]),
  one('an entry moved', addEntry, ['value', 60_000]),
  one('an entry put', putEntry, ['value', 60_000]),
  one('first', markFirst, [id, 60_000]),
  one('a request begun', idempotencyStep, ['begin', id, print, 1000, 60_000]),
  one('a request done', idempotencyStep, ['complete', id, 'response', 60_000], ['begin', id, print, 1000, 60_000]),
  one('a request of the HTTP cache', beginFetch, [id, 1, 0]),
  one('a version of the HTTP cache', httpVersion, [id, 60_000]),
  one('a version ended', endVersion, [id]),
  one('a hit', increment, [60_000]),
  one('a hit after another', increment, [60_000], [60_000]),
]
/** Writes that change a value which another script, the second of the pair, has stored. */
const changes: readonly (readonly [Write, Script])[] = [
  [one('a response stored', putResponse, [id, 9e15, print, '', 60_000, 9, 'response', 0], [id, 1, 0]), beginFetch],
  [one('a request that ended', releaseFetch, [id, 1], [id, 1, 0]), beginFetch],
  [one('a URL invalidated', invalidateUrl, [], [id, 1, 0]), beginFetch],
  [one('a tag softened', softenVersion, [id], [`${id}${id}`, 60_000]), captureVersion],
  [one('an entry taken back', dropEntry, ['value'], ['value', 60_000]), addEntry],
  [one('a hit taken back', decrement, [], [60_000]), increment],
]

const writes: readonly (readonly [Write, Script])[] = [
  ...[...limits, ...entries].map((write) => [write, write.script] as const),
  ...changes,
]

/** Wraps a script so that it returns the names of the commands that it called, in order. */
const traced = (script: Script): string => `
local real, seen = redis, {}
local function note(call) return function(...)
 local name = ({ ... })[1]
 seen[#seen + 1] = name
 return call(...)
end end
local redis = setmetatable({ call = note(real.call), pcall = note(real.pcall) }, { __index = real })
local function run() ${scriptOf(script)} end
run()
return seen`

let server: Awaited<ReturnType<typeof startServer>>
let redis: Redis
const denied = new Map<string, boolean | undefined>()
beforeAll(async () => {
  server = await startServer('redis7', { args: ['--maxmemory-policy', 'noeviction'] })
  redis = new Redis(server.url, { maxRetriesPerRequest: 0 })
  for (const [name, , flags] of (await redis.call('COMMAND')) as [string, number, string[]][])
    denied.set(name.toUpperCase(), flags.includes('write') ? flags.includes('denyoom') : undefined)
}, 30_000)
afterAll(async () => {
  redis?.disconnect()
  await server?.stop()
})

const prepare = async ({ before }: Write, by: Script, key: string): Promise<void> => {
  for (const args of before) await redis.eval(scriptOf(by), 1, key, ...args)
}
/** Commands that only free memory: a full server always allows them. */
const SHRINKS = new Set(['DEL', 'UNLINK', 'ZREM', 'ZREMRANGEBYSCORE', 'ZREMRANGEBYRANK'])
const LIVES = new Set(['PEXPIRE', 'PERSIST'])

describe('a script on a server past its maxmemory', () => {
  it.each(writes.map(([write, by]) => [write.title, write, by] as const))(
    'begins with a write that it refuses, unless it only makes room: %s',
    async (_, write, by) => {
      await redis.config('SET', 'maxmemory', '0')
      await prepare(write, by, 'order')
      const names = (await redis.eval(traced(write.script), 1, 'order', ...write.args)) as string[]
      await redis.del('order')
      const written = names.filter((name) => denied.get(name) !== undefined)
      expect(written.length, names.join()).toBeGreaterThan(0)
      if (written.every((name) => SHRINKS.has(name) || LIVES.has(name))) return
      expect([denied.get(written[0] as string), written]).toEqual([true, written])
    },
  )
  it('leaves it as large as it was: 300 keys each', async () => {
    for (const [write, by] of writes) {
      await redis.config('SET', 'maxmemory', '0')
      await redis.flushall()
      const keys = Array.from({ length: 300 }, (_, i) => `full:${i}`)
      const pipeline = redis.pipeline()
      for (const key of write.before.length > 0 ? keys : [])
        for (const args of write.before) pipeline.eval(scriptOf(by), 1, key, ...args)
      await pipeline.exec()
      await redis.eval(scriptOf(write.script), 1, 'warm', ...write.args)
      await redis.config('SET', 'maxmemory', '1')
      const sizeOf = async (): Promise<number> => {
        const sizes = await Promise.all(keys.map((key) => redis.memory('USAGE', key)))
        return sizes.reduce<number>((sum, size) => sum + Number(size ?? 0), 0)
      }
      const before = await sizeOf()
      const tried = redis.pipeline()
      for (const key of keys) tried.eval(scriptOf(write.script), 1, key, ...write.args)
      await tried.exec()
      expect([write.title, (await sizeOf()) <= before]).toEqual([write.title, true])
    }
  }, 60_000)
  it('is refused for each key of operations that are joined', async () => {
    const [take] = fixedWindow(limit).steps
    const args = ['take', 1, ...fixedWindow(limit).args(undefined, false)]
    await redis.config('SET', 'maxmemory', '0')
    await redis.flushall()
    await redis.config('SET', 'maxmemory', '1')
    const replies = (await redis.eval(scriptOf(joinedOperation(take)), 3, 'a', 'b', 'c', ...args)) as unknown[]
    expect(replies.map((reply) => reply instanceof Error && reply.message.split(' ')[0])).toEqual(['OOM', 'OOM', 'OOM'])
    expect(await redis.dbsize()).toBe(0)
  })
  it('is of every file that has one', () => {
    // Whoever adds a file with a script adds its writes to the lists above.
    const files = ['src', 'adapters'].flatMap((folder) =>
      readdirSync(folder, { recursive: true, encoding: 'utf8' })
        .map((name) => `${folder}/${name}`)
        .filter((path) => path.endsWith('.ts') && /\blua: `|const lua = /.test(readFileSync(path, 'utf8'))),
    )
    expect(files.sort()).toEqual([
      'adapters/express-rate-limit/hits.ts',
      'src/cache/steps/entry.ts',
      'src/cache/steps/plain.ts',
      'src/cache/steps/small-entry.ts',
      'src/cache/steps/versions.ts',
      'src/counter/operations.ts',
      'src/http/operations.ts',
      'src/idempotency/operations.ts',
      'src/lock/operations.ts',
      'src/migrate/operations.ts',
      'src/near/pull-feed.ts',
      'src/once/operations.ts',
      'src/protocol/operation.ts',
      'src/rate-limit/fixed-window.ts',
      'src/rate-limit/gcra.ts',
      'src/rate-limit/sliding-buckets.ts',
      'src/rate-limit/sliding-log.ts',
      'src/rate-limit/sliding-window.ts',
      'src/rate-limit/token-bucket.ts',
      'src/session/hashed-entries.ts',
      'src/session/operations.ts',
      'src/testing/contract.ts',
      'src/token/operations.ts',
    ])
  })
})
