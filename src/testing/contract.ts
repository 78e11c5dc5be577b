/*
 * One suite, read from top to bottom: its cases share a store and its helpers, so that it is longer than other files.
 */
import { isHitherError } from '../errors.ts'
import type { Operation } from '../protocol/operation.ts'
import { now } from '../runtime/clock.ts'
import { randomId } from '../runtime/random.ts'
import type { AtomicStore, Store } from '../store/store.ts'

/** The part of a test runner that the suite uses: vitest, node:test wrappers and jest have this shape. */
export interface Runner {
  describe(name: string, body: () => void): void
  it(name: string, body: () => Promise<void> | void, timeoutMs?: number): void
  afterAll(body: () => Promise<void> | void): void
}

export interface StoreHarness {
  /** A store to test; called once for the suite and once more for the case that closes it. */
  open(): AtomicStore | Promise<AtomicStore>
  /** Lets `ms` milliseconds pass for this store: by a manual clock where it has one, otherwise by waiting. */
  elapse(ms: number): Promise<void>
  /** Makes `key` hold something that is no string, such as a list. */
  foreign?(key: string): Promise<void>
  /** Makes the server forget every script, so that a batch meets a cold script cache. */
  forgetScripts?(): Promise<void>
  /** Titles of cases that cannot apply, with the reason; each is printed. */
  readonly skip?: Readonly<Record<string, string>>
}

/** Adds ARGV[1] to a decimal counter and replies the sum. ARGV[2], when above 0, is a lifetime in ms for a new counter. */
export const testCounter: Operation<readonly [by: number, ttlMs: number], number> = {
  name: 'test.counter',
  effect: 'once',
  lua: `
    local n = tonumber(redis.call('GET', KEYS[1]) or '0') + tonumber(ARGV[1])
    local text = string.format('%.0f', n)
    if redis.call('EXISTS', KEYS[1]) == 1 then
      redis.call('SET', KEYS[1], text, 'KEEPTTL')
    elseif tonumber(ARGV[2]) > 0 then
      redis.call('SET', KEYS[1], text, 'PX', ARGV[2])
    else
      redis.call('SET', KEYS[1], text)
    end
    return n`,
  apply(current, [by, ttlMs]) {
    const n = Number(current ?? '0') + by
    return { next: String(n), ttl: current !== undefined ? 'keep' : ttlMs > 0 ? { ms: ttlMs } : 'none', reply: n }
  },
}

/** Replies the value of the key and removes the key: every form of the reply for an absent key. */
export const testTake: Operation<readonly [], string | null> = {
  name: 'test.take',
  effect: 'once',
  lua: `
    local value = redis.call('GET', KEYS[1])
    if value then redis.call('DEL', KEYS[1]) end
    return value`,
  apply(current) {
    return { next: undefined, ttl: 'none', reply: current ?? null }
  },
}

/** Replies `[moment in µs as text, null, count]`: a mixed, flat array. */
export const testReport: Operation<readonly [count: number], readonly (null | string | number)[]> = {
  name: 'test.report',
  effect: 'read',
  lua: `return { string.format('%.0f', now()), false, tonumber(ARGV[1]) }`,
  apply(current, [count], { nowUs }) {
    return { next: current, ttl: 'keep', reply: [nowUs.toFixed(0), null, count] }
  },
}

/**
 * The contract that every store keeps, as one suite: run it against your own adapter with your own runner. Each case uses its
 * own keys, so the store may hold other data; nothing is flushed.
 */
export function describeStore(runner: Runner, name: string, harness: StoreHarness): void {
  runner.describe(`store contract: ${name}`, () => {
    let opened: Promise<AtomicStore> | undefined
    const open = (): Promise<AtomicStore> => {
      opened ??= Promise.resolve(harness.open())
      return opened
    }
    runner.afterAll(async () => {
      await (await opened)?.close()
    })
    const test = (title: string, body: (store: AtomicStore, key: string) => Promise<void>, ms = 30_000): void => {
      const reason = harness.skip?.[title]
      if (reason === undefined) runner.it(title, async () => body(await open(), `t:${randomId()}`), ms)
      else console.log(`skipped: store contract: ${name} > ${title}: ${reason}`)
    }

    for (const [title, value] of SAMPLES) {
      test(`gives back ${title}`, async (store, key) => {
        await store.set(key, value)
        same(await store.get(key), value)
        same((await store.getMany([key]))[0], value)
        await store.delete([key])
      })
    }
    test('gives back a value of 1 MiB, or of its limit', async (store, key) => {
      const bytes = Math.min(1_048_575, store.traits.maxValueBytes)
      const value = 'é1'.repeat(Math.floor(bytes / 3)).padEnd(bytes - Math.floor(bytes / 3), 'x')
      await store.set(key, value, 60_000)
      same((await store.get(key)) === value, true)
      await store.delete([key])
    })
    test('carries bytes whole', async (store, key) => {
      if (!store.getBytes || !store.setBytes) throw new Error('the store has no getBytes and setBytes')
      const bytes = new Uint8Array(1024).map((_, i) => i % 256)
      await store.setBytes(key, bytes, 60_000)
      same([...((await store.getBytes(key)) ?? [])].join(), [...bytes].join())
      same(await store.getBytes(`${key}:none`), undefined)
      await store.set(key, 'é', 60_000)
      same([...((await store.getBytes(key)) ?? [])].join(), '195,169')
      await store.setBytes(key, new Uint8Array(0), 60_000)
      same((await store.getBytes(key))?.byteLength, 0)
    })
    test('refuses a lone surrogate in values and keys', async (store, key) => {
      await rejects(store.set(key, 'a\ud800b'), 'INVALID_VALUE')
      await rejects(store.set(`${key}\udc00`, 'x'), 'INVALID_KEY')
      await rejects(store.run(testCounter, `${key}\ud800`, [1, 0]), 'INVALID_KEY')
      same(await store.get(key), undefined)
    })
    test('tells missing from empty', async (store, key) => {
      await store.set(key, '', 60_000)
      same(await store.get(key), '')
      same(await store.get(`${key}:none`), undefined)
      same((await store.getMany([`${key}:none`, key])).join('|'), '|')
      same((await store.getMany([`${key}:none`, key]))[0], undefined)
    })
    test('ends a lifetime', async (store, key) => {
      await store.set(key, 'short', 500)
      await store.set(`${key}:long`, 'long', 60_000)
      same(await store.get(key), 'short')
      await harness.elapse(600 + slack(store))
      same(await store.get(key), undefined)
      same((await store.getMany([key, `${key}:long`])).join('|'), '|long')
    })
    test('refuses a lifetime that is zero, negative, fractional or not a number', async (store, key) => {
      for (const ttl of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await rejects(store.set(key, 'x', ttl), 'INVALID_DURATION')
      }
      same(await store.get(key), undefined)
    })
    test('replaces the lifetime on overwrite', async (store, key) => {
      await store.set(key, 'a', 40)
      await store.set(key, 'b')
      await harness.elapse(60 + slack(store))
      same(await store.get(key), 'b')
      await store.set(key, 'c', 40)
      await harness.elapse(60 + slack(store))
      same(await store.get(key), undefined)
    })
    test('keeps a lifetime through an operation that keeps it', async (store, key) => {
      same(await store.run(testCounter, key, [1, 500]), 1)
      same(await store.run(testCounter, key, [1, 0]), 2)
      await harness.elapse(600)
      same(await store.run(testCounter, key, [1, 60_000]), 1)
    })
    test('counts what it deleted, each key once', async (store, key) => {
      await store.set(key, 'x', 60_000)
      same(await store.delete([key, `${key}:none`, key]), 1)
      same(await store.delete([key]), 0)
      same(await store.delete([]), 0)
    })
    test('answers duplicate keys of one batch', async (store, key) => {
      await store.set(key, 'x', 60_000)
      same((await store.getMany([key, `${key}:none`, key])).join('|'), 'x||x')
      same((await store.getMany([])).length, 0)
    })
    test('keeps hostile keys apart', async (store, key) => {
      const keys = HOSTILE.map((tail) => key + tail)
      await Promise.all(keys.map((hostile, i) => store.set(hostile, `v${i}`, 60_000)))
      same((await store.getMany(keys)).join(), keys.map((_, i) => `v${i}`).join())
      for (const [i, hostile] of keys.entries()) same(await store.get(hostile), `v${i}`)
      same(await store.delete(keys), keys.length)
    })
    test('takes a key of 1 KiB and refuses one of 32 KB, an empty one and one that is no string', async (store, key) => {
      const long = key + 'k'.repeat(1024 - key.length)
      await store.set(long, 'x', 60_000)
      same(await store.get(long), 'x')
      await rejects(store.get(`${key}${'é'.repeat(16_000)}`), 'INVALID_KEY')
      await rejects(store.set('', 'x'), 'INVALID_KEY')
      await rejects(store.get(7 as unknown as string), 'INVALID_KEY')
      await rejects(store.getMany([key, '']), 'INVALID_KEY')
      await rejects(store.delete(['']), 'INVALID_KEY')
    })
    test('refuses a value above its limit', async (store, key) => {
      await rejects(store.set(key, 'x'.repeat(store.traits.maxValueBytes + 1)), 'VALUE_TOO_LARGE')
      same(await store.get(key), undefined)
    })
    test('reads and deletes a batch of 10,000 and refuses one more', async (store, key) => {
      const keys = Array.from({ length: 10_000 }, (_, i) => `${key}:${i}`)
      await Promise.all([0, 4_999, 9_999].map((i) => store.set(keys[i] as string, String(i), 60_000)))
      const values = await store.getMany(keys)
      same(values.length, 10_000)
      same(values.filter((value) => value !== undefined).join(), '0,4999,9999')
      same(values[4_999], '4999')
      same(await store.delete(keys), 3)
      await rejects(store.getMany([...keys, key]), 'BATCH_TOO_LARGE')
      await rejects(store.delete([...keys, key]), 'BATCH_TOO_LARGE')
    })
    test('writes 10,000 in one tick', async (store, key) => {
      const keys = Array.from({ length: 10_000 }, (_, i) => `${key}:${i}`)
      await Promise.all(keys.map((each, i) => store.set(each, String(i), 60_000)))
      same(
        (await store.getMany(keys)).every((value, i) => value === String(i)),
        true,
      )
      same(await store.delete(keys), 10_000)
    })
    test('acts in call order within a tick', async (store, key) => {
      for (let round = 0; round < 20; round++) {
        const [, first, , second, count, third] = await Promise.all([
          store.set(key, 'a', 60_000),
          store.get(key),
          store.set(key, 'b', 60_000),
          store.get(key),
          store.delete([key]),
          store.get(key),
        ])
        same([first, second, count, third].join('|'), 'a|b|1|')
      }
    })
    test('acts in call order with an operation, the script cache cold', async (store, key) => {
      for (let round = 0; round < 6; round++) {
        if (round % 2 === 0) await harness.forgetScripts?.()
        const at = `${key}:${round}`
        const [sum, read, again, taken, gone] = await Promise.all([
          store.run(testCounter, at, [5, 60_000]),
          store.get(at),
          store.run(testCounter, at, [2, 0]),
          store.run(testTake, at, []),
          store.get(at),
        ])
        same([sum, read, again, taken, gone].join('|'), '5|5|7|7|')
      }
    })
    test('keeps order when a large value or a byte read travels alone', async (store, key) => {
      const large = 'x'.repeat(100_000)
      const [, first, , second] = await Promise.all([
        store.set(key, large, 60_000),
        store.get(key),
        store.set(key, 'small', 60_000),
        store.get(key),
      ])
      same([first?.length, second].join(), '100000,small')
      if (!store.getBytes) return
      const [, bytes, , after] = await Promise.all([
        store.set(key, 'é', 60_000),
        store.getBytes(key),
        store.delete([key]),
        store.getBytes(key),
      ])
      same([...(bytes ?? [])].join(), '195,169')
      same(after, undefined)
    })
    test('reads a foreign type as absent, alone and in a batch', async (store, key) => {
      if (!harness.foreign) throw new Error('name the reason under `skip`: this harness has no foreign()')
      await harness.foreign(key)
      await store.set(`${key}:text`, 'x', 60_000)
      same(await store.get(key), undefined)
      same((await store.getMany([key, `${key}:text`])).join('|'), '|x')
      await rejects(store.run(testCounter, key, [1, 0]), 'STORE_REJECTED')
      same(await store.delete([key]), 1)
    })
    test('sums up 1,000 increments of 50 callers', async (store, key) => {
      const caller = async (): Promise<void> => {
        for (let i = 0; i < 20; i++) await store.run(testCounter, key, [1, 60_000])
      }
      await Promise.all(Array.from({ length: 50 }, caller))
      same(await store.run(testCounter, key, [0, 0]), 1000)
    })
    test('runs an operation as its `apply` says, on random histories', async (store, key) => {
      for (let history = 0; history < 20; history++) await replay(store, `${key}:${history}`, history + 1)
    })
    test('answers null, text and numbers from an operation', async (store, key) => {
      const reply = await store.run(testReport, key, [42])
      same(reply.length, 3)
      same(/^\d{16}$/.test(String(reply[0])), true)
      same(reply[1], null)
      same(reply[2], 42)
      same(await store.run(testTake, key, []), null)
    })
    test('refuses an argument that is no safe integer', async (store, key) => {
      for (const by of [0.5, Number.NaN, 2 ** 53])
        await rejects(store.run(testCounter, key, [by, 0]), 'INVALID_ARGUMENT')
      same(await store.get(key), undefined)
    })
    test('an abort before the call sends nothing', async (store, key) => {
      const reason = new Error('left early')
      const signal = AbortSignal.abort(reason)
      await rejectsWith(store.set(key, 'x', 60_000, { signal }), reason)
      await rejectsWith(store.get(key, { signal }), reason)
      await rejectsWith(store.getMany([key], { signal }), reason)
      await rejectsWith(store.delete([key], { signal }), reason)
      await rejectsWith(store.run(testCounter, key, [1, 0], { signal }), reason)
      same(await store.get(key), undefined)
    })
    test('an abort during the call rejects with its reason, or the call had ended', async (store, key) => {
      await store.set(key, 'x', 60_000)
      const reason = new Error('left')
      for (let round = 0; round < 20; round++) {
        const controller = new AbortController()
        const call = store.get(key, { signal: controller.signal })
        for (let i = 0; i < round % 5; i++) await Promise.resolve()
        controller.abort(reason)
        const outcome = await call.catch((error: unknown) => error)
        same(outcome === reason || outcome === 'x', true)
      }
      same(await store.get(key), 'x')
    })
    test('an abort after the call changes nothing', async (store, key) => {
      const controller = new AbortController()
      await store.set(key, 'x', 60_000, { signal: controller.signal })
      controller.abort()
      same(await store.get(key), 'x')
    })
    test("one caller's abort leaves the others of its batch alone", async (store, key) => {
      await store.set(key, 'x', 60_000)
      const controller = new AbortController()
      const reason = new Error('left')
      const calls = Array.from({ length: 10 }, (_, i) =>
        store.get(key, i === 4 ? { signal: controller.signal } : {}).catch((error: unknown) => error),
      )
      controller.abort(reason)
      const outcomes = await Promise.all(calls)
      outcomes.forEach((outcome, i) => {
        same(outcome === 'x' || (i === 4 && outcome === reason), true)
      })
    })
    test('a deadline that has passed rejects with TIMEOUT and sends nothing', async (store, key) => {
      await rejects(store.set(key, 'x', 60_000, { deadline: now() - 1 }), 'TIMEOUT')
      await rejects(store.get(key, { deadline: now() - 1 }), 'TIMEOUT')
      same(await store.get(key), undefined)
    })
    test('a short deadline in a batch leaves the others alone', async (store, key) => {
      await store.set(key, 'x', 60_000)
      const [late, kept] = await Promise.all([
        store.get(key, { deadline: now() + 1 }).catch((error: unknown) => isHitherError(error) && error.code),
        store.get(key),
      ])
      same(late === 'x' || late === 'TIMEOUT', true)
      same(kept, 'x')
    })
    test('is ready', async (store) => {
      await store.ready()
    })
    test('a closed store rejects with CLOSED, and closes twice', async (_, key) => {
      const own = await harness.open()
      await own.set(key, 'x', 60_000)
      await own.close()
      await own.close()
      await rejects(own.get(key), 'CLOSED')
      await rejects(own.set(key, 'x'), 'CLOSED')
      await rejects(own.getMany([key]), 'CLOSED')
      await rejects(own.delete([key]), 'CLOSED')
      await rejects(own.run(testCounter, key, [1, 0]), 'CLOSED')
    })
  })
}

/**
 * How much longer than asked for a lifetime may last, in ms: a store that counts in steps rounds up, and ends a lifetime on a
 * step.
 */
function slack({ traits }: Store): number {
  return traits.ttlStepMs === 1 ? 0 : 2 * traits.ttlStepMs
}

const SAMPLES: readonly (readonly [string, string])[] = [
  ['an empty value', ''],
  ['a zero', '0'],
  ['digits', '123'],
  ['the word null', 'null'],
  ['the word OK', 'OK'],
  ['the word true', 'true'],
  ['JSON', '{"a":[1,"2",null]}'],
  ['digits beyond 2^53', '9007199254740993'],
  ['base64 of something', 'T0s='],
  ['control characters', 'a\r\n\u0000\u0001b'],
  ['text beyond ASCII', 'žluťoučký 馬 👩‍👩‍👧'],
]

const HOSTILE = [
  ' ',
  '\r\nSET x 1\r\n',
  '\u0000',
  '{',
  '}',
  '{}',
  '{a}b',
  '*',
  '?[',
  '"',
  '\\',
  '/../',
  '%2F',
  '?a=1&b',
  '馬',
  ':',
  '::',
]

/** Runs a seeded history on the store and on the pure functions. Their replies may not differ. */
async function replay(store: Store & AtomicStore, key: string, seed: number): Promise<void> {
  let state = seed * 2654435761
  const next = (below: number): number => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) | 0
    return (state >>> 8) % below
  }
  let model: string | undefined
  const expected: unknown[] = []
  const calls: Promise<unknown>[] = []
  for (let step = 0; step < 40; step++) {
    const which = next(5)
    if (which < 3) {
      const args = [next(1000) - 500, 60_000] as const
      const outcome = testCounter.apply(model, args, { nowUs: 0, leftMs: undefined })
      model = outcome.next
      expected.push(outcome.reply)
      calls.push(store.run(testCounter, key, args))
    } else if (which === 3) {
      expected.push(model ?? null)
      model = undefined
      calls.push(store.run(testTake, key, []))
    } else {
      expected.push(model)
      calls.push(store.get(key))
    }
    if (next(3) === 0) await Promise.all(calls)
  }
  same(JSON.stringify(await Promise.all(calls)), JSON.stringify(expected))
}

function same(actual: unknown, expected: unknown): void {
  if (!Object.is(actual, expected)) throw new Error(`expected ${show(expected)}, got ${show(actual)}`)
}

function show(value: unknown): string {
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 200 ? `${text.slice(0, 200)}… (${text.length} characters)` : text
}

async function rejects(call: Promise<unknown>, code: string): Promise<void> {
  const outcome = await call.then(
    () => 'a result',
    (error: unknown) => (isHitherError(error) ? error.code : String(error)),
  )
  same(outcome, code)
}

async function rejectsWith(call: Promise<unknown>, reason: unknown): Promise<void> {
  same(
    await call.then(
      () => 'a result',
      (error: unknown) => error,
    ),
    reason,
  )
}
