import { type AtomicStore, HitherError } from 'hither'
import { memoryStore } from 'hither/memory'
import {
  type Algorithm,
  createRateLimiter,
  type Decision,
  fixedWindow,
  gcra,
  type RateLimitEvent,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from 'hither/rate-limit'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { rounds } from '../../support/rounds.ts'
import { seedOfTheDay } from '../../support/seed.ts'
import { seeded } from '../cache/slow-store.ts'

// Each algorithm of the limiter, then what they share: bursts, a clock that goes back, `waitFor`, ids, refusals that the
// process remembers, outages of the store, and bad input.

const START_MS = 1_795_000_000_000

/** From this call until the test ends, the wall clock of store and limiter shows what the test sets. */
function manualClock(): { atMs: number } {
  const clock = { atMs: START_MS }
  vi.spyOn(Date, 'now').mockImplementation(() => clock.atMs)
  return clock
}
afterEach(() => {
  vi.restoreAllMocks()
})

/** A memory store that records its calls. */
function watched(): { store: AtomicStore; keys: string[]; verbs: unknown[] } {
  const inner = memoryStore()
  const keys: string[] = []
  const verbs: unknown[] = []
  const store: AtomicStore = {
    ...inner,
    run(operation, key, args, call) {
      keys.push(key)
      verbs.push(args[0])
      return inner.run(operation, key, args, call)
    },
  }
  return { store, keys, verbs }
}

const failing = (error: Error): AtomicStore => ({
  ...memoryStore(),
  async run() {
    throw error
  },
})
const makes = { fixedWindow, slidingWindow, slidingLog, slidingBuckets, tokenBucket, gcra }
const limiterOf = (algorithm: Algorithm, store: AtomicStore = memoryStore()) =>
  createRateLimiter({ store, algorithm, outage: 'closed' })
const perMinute = (limit: number) => ({ limit, window: '1m' }) as const

describe.each(Object.entries(makes))('%s', (_, make) => {
  it('allows what fits and refuses the rest, in the order of the calls', async () => {
    const clock = manualClock()
    const limiter = limiterOf(make(perMinute(3)))
    const decisions = await Promise.all(Array.from({ length: 5 }, () => limiter.limit('a')))
    expect(decisions.map(({ success, remaining, reason }) => [success, remaining, reason])).toEqual([
      [true, 2, 'ok'],
      [true, 1, 'ok'],
      [true, 0, 'ok'],
      [false, 0, 'limited'],
      [false, 0, 'limited'],
    ])
    const { limit, reset, retryAfterMs } = decisions[4] as Decision
    expect(limit).toBe(3)
    expect(retryAfterMs).toBeGreaterThan(0)
    expect(reset).toBeGreaterThanOrEqual(START_MS + retryAfterMs)
    expect(await limiter.limit('b')).toMatchObject({ success: true, retryAfterMs: 0 })
    clock.atMs += retryAfterMs
    expect(await limiter.limit('a')).toMatchObject({ success: true, reason: 'ok' })
    clock.atMs = reset + 120_000
    expect(await limiter.peek('a')).toMatchObject({ success: true, remaining: 3, reset: clock.atMs })
  })
  it('takes a cost whole or not at all', async () => {
    const limiter = limiterOf(make(perMinute(5)))
    expect(await limiter.limit('a', { cost: 0 })).toMatchObject({ success: true, remaining: 5 })
    expect(await limiter.limit('a', { cost: 3 })).toMatchObject({ success: true, remaining: 2 })
    expect(await limiter.limit('a', { cost: 3 })).toMatchObject({ success: false, remaining: 2 })
    const never = await limiter.limit('a', { cost: 6 })
    expect(never).toMatchObject({ success: false, remaining: 2, retryAfterMs: Number.POSITIVE_INFINITY })
    expect(await limiter.limit('a', { cost: 2 })).toMatchObject({ success: true, remaining: 0 })
    expect(await limiter.limit('a', { cost: 0 })).toMatchObject({ success: true, remaining: 0 })
  })
  it('decides on several limits at once: one that refuses takes nothing from another', async () => {
    const clock = manualClock()
    const limiter = limiterOf(make([perMinute(2), { limit: 3, window: '1d' }]))
    expect(await limiter.limit('a', { cost: 2 })).toMatchObject({ success: true, limit: 2, remaining: 0 })
    for (let i = 0; i < 5; i++) expect(await limiter.limit('a')).toMatchObject({ success: false, limit: 2 })
    clock.atMs += 120_001
    expect(await limiter.limit('a')).toMatchObject({ success: true, limit: 3, remaining: 0 })
    expect(await limiter.limit('a')).toMatchObject({ success: false, limit: 3, remaining: 0 })
  })
  it('looks without taking', async () => {
    const { store, verbs } = watched()
    const limiter = limiterOf(make(perMinute(1)), store)
    for (let i = 0; i < 3; i++) expect(await limiter.peek('a')).toMatchObject({ success: true, remaining: 1 })
    await limiter.limit('a')
    expect(await limiter.peek('a')).toMatchObject({ success: false, remaining: 0, reason: 'limited' })
    expect(verbs).toEqual(['peek', 'peek', 'peek', 'take', 'peek'])
  })
  it('gives back, never more than was taken', async () => {
    const limiter = limiterOf(make(perMinute(2)))
    await limiter.limit('a', { cost: 2 })
    expect(await limiter.limit('a')).toMatchObject({ success: false })
    await limiter.refund('a')
    expect(await limiter.limit('a')).toMatchObject({ success: true, remaining: 0 })
    await limiter.refund('a', 100)
    expect(await limiter.peek('a')).toMatchObject({ remaining: 2 })
    await limiter.refund('new', 100)
    expect(await limiter.peek('new')).toMatchObject({ remaining: 2 })
  })
  it('forgets on reset, and blocks until told', async () => {
    const clock = manualClock()
    const limiter = limiterOf(make(perMinute(1)))
    await limiter.limit('a')
    expect(await limiter.limit('a')).toMatchObject({ success: false })
    await limiter.reset('a')
    expect(await limiter.limit('a')).toMatchObject({ success: true })
    await limiter.block('b', '10s')
    const blocked = { success: false, reason: 'blocked', retryAfterMs: 10_000, reset: START_MS + 10_000 }
    expect(await limiter.limit('b')).toMatchObject(blocked)
    expect(await limiter.peek('b', { cost: 0 })).toMatchObject({ reason: 'blocked' })
    clock.atMs += 9_999
    expect(await limiter.limit('b')).toMatchObject({ reason: 'blocked', retryAfterMs: 1 })
    clock.atMs += 1
    expect(await limiter.limit('b')).toMatchObject({ success: true })
    await limiter.block('c', '7d')
    await limiter.reset('c')
    expect(await limiter.limit('c')).toMatchObject({ success: true })
  })
  it('keeps counting when a block ends before the window', async () => {
    const clock = manualClock()
    const limiter = limiterOf(make(perMinute(1)))
    await limiter.limit('a')
    await limiter.block('a', 10)
    clock.atMs += 11
    expect(await limiter.limit('a')).toMatchObject({ success: false, reason: 'limited' })
  })
  it("takes a plan's limit per call, over shared counts", async () => {
    const limiter = limiterOf(make(perMinute(2)))
    await limiter.limit('a', { limit: 5 })
    await limiter.limit('a', { limit: 5 })
    expect(await limiter.limit('a')).toMatchObject({ success: false, remaining: 0 })
    expect(await limiter.limit('a', { limit: 5 })).toMatchObject({ success: true, limit: 5 })
    const two = limiterOf(make([perMinute(1), { limit: 2, window: '1h' }]))
    await two.limit('a', { limit: [3, 9] })
    expect(await two.limit('a', { limit: [3, 9] })).toMatchObject({ success: true, limit: 3, remaining: 1 })
  })
  it("leaves a plan's count to the plan where it blocks or gives back", async () => {
    for (const [own, plan] of [
      [1000, 10],
      [10, 1000],
    ] as const) {
      const clock = manualClock()
      const options = { limit: plan }
      const limiter = limiterOf(make(perMinute(own)))
      const control = limiterOf(make(perMinute(own)))
      for (const each of [limiter, control]) await each.limit('a', { ...options, cost: plan })
      for (let i = 0; i < 20; i++) {
        clock.atMs += 100
        await limiter.block('a', 10)
        await limiter.refund('a', 0)
      }
      clock.atMs += 11
      const [given, expected] = await Promise.all([limiter, control].map((each) => each.peek('a', options)))
      expect(given).toEqual(expected)
      await limiter.refund('a', 3)
      expect((await limiter.peek('a', options)).remaining).toBe((expected?.remaining ?? 0) + 3)
    }
  })
  it('decides alike whatever the clock of the caller says', async () => {
    const serverMs = { now: START_MS }
    const store = memoryStore({ now: () => serverMs.now })
    const decisions: Decision[][] = []
    for (const [i, skewMs] of [0, 600_000, -600_000].entries()) {
      serverMs.now = START_MS
      vi.spyOn(Date, 'now').mockImplementation(() => serverMs.now + skewMs)
      const limiter = createRateLimiter({ store, algorithm: make(perMinute(3)), outage: 'closed', namespace: `n${i}` })
      const random = seeded(7)
      const made: Decision[] = []
      for (let call = 0; call < 60; call++) {
        serverMs.now += Math.floor(random() * 20_000)
        made.push(await limiter.limit('a'))
      }
      decisions.push(made)
    }
    expect(decisions[1]).toEqual(decisions[0])
    expect(decisions[2]).toEqual(decisions[0])
  })
})

describe('bursts', () => {
  it('tokenBucket is given its tokens at once', async () => {
    const clock = manualClock()
    const limiter = limiterOf(tokenBucket({ limit: 2, window: '10s', burst: 5 }))
    expect(await limiter.limit('a', { cost: 5 })).toMatchObject({ success: true, limit: 5, remaining: 0 })
    expect(await limiter.limit('a', { cost: 3 })).toMatchObject({ success: false, retryAfterMs: 20_000 })
    clock.atMs += 9_999
    expect(await limiter.peek('a')).toMatchObject({ remaining: 0 })
    clock.atMs += 1
    expect(await limiter.peek('a')).toMatchObject({ remaining: 2 })
  })
  it("tokenBucket gives back to a plan what that plan's tokens have not made good", async () => {
    const clock = manualClock()
    const limiter = limiterOf(tokenBucket({ limit: 1000, window: '1s', burst: 100 }))
    await limiter.limit('a', { limit: 1, cost: 100 })
    clock.atMs += 1050
    await limiter.refund('a')
    expect((await limiter.peek('a', { limit: 1 })).remaining).toBe(2)
  })
  it('gcra spreads them', async () => {
    const clock = manualClock()
    const limiter = limiterOf(gcra({ limit: 60, window: '1m', burst: 5 }))
    expect(await limiter.limit('a', { cost: 5 })).toMatchObject({ success: true, limit: 5, remaining: 0 })
    expect(await limiter.limit('a')).toMatchObject({ success: false, retryAfterMs: 1000 })
    clock.atMs += 2_500
    expect(await limiter.peek('a')).toMatchObject({ remaining: 2, reset: START_MS + 5000 })
  })
})

describe('a clock that goes back over the edge of a window', () => {
  it.each(Object.entries(makes))('finds there what was counted: %s', async (_, make) => {
    const clock = manualClock()
    const store = memoryStore()
    let taken = 0
    for (const [step, takes] of [
      [98, true],
      [4, false],
      [-4, true],
      [4, true],
    ] as const) {
      clock.atMs += step
      // The limiter of another process, which remembers no refusal.
      const limiter = limiterOf(make({ limit: 5, window: 100 }), store)
      await limiter.peek('a')
      while (takes && (await limiter.limit('a')).success) taken++
    }
    expect(taken).toBeLessThanOrEqual(10)
  })
})

describe('waitFor', () => {
  const quick = () => limiterOf(slidingLog({ limit: 1, window: 30 }))
  it('waits for its turn', async () => {
    const limiter = quick()
    const decisions = await Promise.all([1, 2, 3].map(() => limiter.waitFor('a')))
    expect(decisions.map(({ success }) => success)).toEqual([true, true, true])
  })
  it('takes nothing while it waits', async () => {
    const { store, verbs } = watched()
    const limiter = limiterOf(slidingLog({ limit: 1, window: 300 }), store)
    await limiter.limit('a')
    expect(await limiter.waitFor('a')).toMatchObject({ success: true })
    expect(verbs.length).toBeLessThan(6)
    expect(await limiter.peek('a', { limit: 5 })).toMatchObject({ remaining: 4 })
  })
  it('answers the refusal as soon as no wait within its timeout helps', async () => {
    const limiter = limiterOf(fixedWindow({ limit: 1, window: '1d' }))
    await limiter.waitFor('a')
    expect(await limiter.waitFor('a', { timeout: '1s' })).toMatchObject({ success: false, reason: 'limited' })
    expect(await limiter.waitFor('b', { cost: 2 })).toMatchObject({ success: false })
  })
  it('takes a patience that runs out for a refusal, never for an outage', async () => {
    const inner = memoryStore()
    const store: AtomicStore = {
      ...inner,
      async run(...args) {
        await new Promise((resolve) => setTimeout(resolve, 15))
        return await inner.run(...args)
      },
    }
    const onEvent = vi.fn()
    const limiter = createRateLimiter({
      store,
      algorithm: slidingLog({ limit: 1, window: '1h' }),
      outage: 'open',
      onEvent,
    })
    await limiter.limit('a')
    for (const own of [{ timeout: 1 }, { timeout: 5, cost: 0 }, { timeout: 10, limit: 1 }] as const) {
      const success = 'cost' in own
      expect(await limiter.waitFor('a', own)).toMatchObject({ success, reason: success ? 'ok' : 'limited' })
    }
    expect(onEvent).not.toHaveBeenCalled()
  })
  it('asks no more past its end, though its timer was late', async () => {
    manualClock()
    const elapsed = performance.now.bind(performance)
    let late = 0
    vi.spyOn(performance, 'now').mockImplementation(() => elapsed() + late)
    const { store, verbs } = watched()
    const limiter = limiterOf(slidingLog({ limit: 1, window: 10 }), store)
    await limiter.limit('a')
    const waiting = limiter.waitFor('a', { timeout: 15 })
    setTimeout(() => {
      late = 20
    }, 3)
    expect(await waiting).toMatchObject({ success: false, reason: 'limited' })
    expect(verbs.length).toBe(2)
  })
  it("rejects with the signal's reason", async () => {
    const limiter = limiterOf(slidingLog({ limit: 1, window: '10s' }))
    await limiter.limit('a')
    const abort = new AbortController()
    setTimeout(() => abort.abort(new Error('left')), 5)
    await expect(async () => await limiter.waitFor('a', { signal: abort.signal })).rejects.toThrow('left')
    await expect(async () => await limiter.limit('c', { signal: abort.signal })).rejects.toThrow('left')
    expect(await limiter.peek('c')).toMatchObject({ remaining: 1 })
  })
})

describe('ids', () => {
  it('reach one key each, short and under the namespace, whatever they hold', async () => {
    const { store, keys } = watched()
    const limiter = createRateLimiter({ store, algorithm: slidingLog(perMinute(1)), outage: 'closed', namespace: 'n' })
    const long = 'x'.repeat(200)
    const ids = [
      ...[
        '*',
        'a*',
        '[a-z]',
        'a?',
        '\\',
        'a\r\nDEL b',
        '\u0000',
        '{a}b',
        'a b',
        ':n:',
        '__proto__',
        'constructor',
        '🙂',
      ],
      ...['\ud800', '\udfff', '\ufffd', '#', long, `${long}y`, 'é'.repeat(129), '馬'.repeat(5000)],
    ]
    for (const id of ids) expect([id, (await limiter.limit(id)).success]).toEqual([id, true])
    for (const id of ids) expect([id, (await limiter.limit(id)).success]).toEqual([id, false])
    expect(new Set(keys).size).toBe(ids.length)
    for (const key of keys) {
      expect(key.startsWith(':n:slidingLog-1-60000-')).toBe(true)
      expect(new TextEncoder().encode(key).length).toBeLessThanOrEqual(450)
    }
    await limiter.reset('*')
    expect(await limiter.peek('a*')).toMatchObject({ success: false })
    expect(await limiter.peek('*')).toMatchObject({ success: true })
  })
  it('are counted apart by each algorithm, limit and namespace', async () => {
    const store = memoryStore()
    const limiters = [
      limiterOf(fixedWindow(perMinute(1)), store),
      limiterOf(fixedWindow(perMinute(2)), store),
      limiterOf(slidingWindow(perMinute(1)), store),
      limiterOf(fixedWindow({ limit: 1, window: '2m' }), store),
      createRateLimiter({ store, algorithm: fixedWindow(perMinute(1)), outage: 'open', namespace: 'other' }),
    ]
    for (const limiter of limiters) {
      const { limit, remaining } = await limiter.limit('a')
      expect(remaining).toBe(limit - 1)
    }
    expect(await limiterOf(fixedWindow(perMinute(1)), store).limit('a')).toMatchObject({ success: false })
  })
  it('are forgotten by the store in time', async () => {
    const clock = manualClock()
    const store = memoryStore()
    for (const make of Object.values(makes)) await limiterOf(make(perMinute(1)), store).limit('a')
    const raw = watched()
    await limiterOf(slidingLog(perMinute(1)), raw.store).limit('a')
    const key = raw.keys[0] as string
    expect(await raw.store.get(key)).toBeDefined()
    // The key lives five seconds longer, in case the clock goes back.
    clock.atMs += 60_001
    expect(await raw.store.get(key)).toBeDefined()
    clock.atMs += 5000
    expect(await raw.store.get(key)).toBeUndefined()
  })
})

describe('refusals kept in this process', () => {
  const log = slidingLog({ limit: 1, window: '10s' })
  it('spare the store the question, for a second at most', async () => {
    const clock = manualClock()
    const { store, verbs } = watched()
    const limiter = limiterOf(log, store)
    await limiter.limit('a')
    for (let i = 0; i < 1000; i++) {
      const { success, retryAfterMs } = await limiter.limit('a')
      expect([success, retryAfterMs]).toEqual([false, START_MS + 10_000 - clock.atMs])
      clock.atMs++
    }
    expect(verbs.length).toBe(2)
    await limiter.limit('a')
    expect(verbs.length).toBe(3)
    await limiter.limit('a', { cost: 0 })
    await limiter.limit('a', { limit: 5 })
    expect(verbs.length).toBe(5)
  })
  const WAITS = rounds({ quick: 2000, soak: 10_000 })
  it(`never refuse after the reset: ${WAITS} random waits`, async () => {
    const clock = manualClock()
    const { store, verbs } = watched()
    const random = seeded(seedOfTheDay())
    const limiter = limiterOf(slidingLog({ limit: 1, window: 500 }), store)
    let calls = 0
    for (let i = 0; i < WAITS; i++) {
      const first = await limiter.limit('a')
      calls++
      const { reset } = first.success ? first : await limiter.limit('a')
      while (clock.atMs < reset) {
        if ((await limiter.limit('a')).success) expect.fail(`allowed ${reset - clock.atMs} ms early`)
        calls++
        clock.atMs = Math.min(reset, clock.atMs + 1 + Math.floor(random() * 300))
      }
      const next = await limiter.limit('a')
      calls++
      if (!next.success) expect.fail(`refused ${clock.atMs - reset} ms after the reset`)
      await limiter.reset('a')
    }
    expect(verbs.length).toBeLessThan(calls * 0.6)
  }, 30_000)
  it('are forgotten with a reset, a refund or a block, also when their answer comes later', async () => {
    const inner = memoryStore()
    let hold: Promise<void> | undefined
    const store: AtomicStore = {
      ...inner,
      async run(...args) {
        const reply = await inner.run(...args)
        await hold
        return reply
      },
    }
    const limiter = limiterOf(log, store)
    await limiter.limit('a')
    await limiter.limit('a')
    await limiter.reset('a')
    expect(await limiter.limit('a')).toMatchObject({ success: true })
    await limiter.limit('a')
    await limiter.refund('a')
    expect(await limiter.limit('a')).toMatchObject({ success: true })
    await limiter.limit('a')
    await limiter.block('a', '1h')
    expect(await limiter.limit('a')).toMatchObject({ reason: 'blocked' })
    await limiter.reset('a')
    await limiter.limit('a')
    let go = (): void => {}
    hold = new Promise((resolve) => {
      go = resolve
    })
    const late = limiter.limit('a')
    await limiter.reset('a')
    hold = undefined
    go()
    expect(await late).toMatchObject({ success: false })
    expect(await limiter.limit('a')).toMatchObject({ success: true })
  })
  it('of other ids stay where one is forgotten, and each cost has its own', async () => {
    const { store, verbs } = watched()
    const { run } = store
    store.run = async (...args) => {
      const reply = await run(...args)
      // Delays the reply, so that `refund` has made the limiter forget the refusals of `other` before it comes.
      if (args[2][0] === 'take') await new Promise((resolve) => setTimeout(resolve, 2))
      return reply
    }
    const limiter = limiterOf(log, store)
    await limiter.limit('a')
    for (let i = 0; i < 20; i++) {
      await Promise.all([limiter.limit('a', { cost: 1 + (i % 2) }), limiter.refund('other')])
    }
    expect(verbs.filter((verb) => verb === 'take')).toHaveLength(3)
  })
  it('count as forgotten where it is no longer known when', async () => {
    const inner = memoryStore()
    let hold: Promise<void> | undefined
    const store: AtomicStore = {
      ...inner,
      async run(operation, key, args, call) {
        const reply = await inner.run(operation, key, args, call)
        if (key.endsWith(':a')) await hold
        return reply
      },
    }
    const limiter = limiterOf(log, store)
    await limiter.limit('a')
    const door = Promise.withResolvers<void>()
    hold = door.promise
    const late = limiter.limit('a')
    await Promise.resolve()
    const reset = limiter.reset('a')
    for (let i = 0; i < 10_001; i++) void limiter.reset(`other ${i}`)
    hold = undefined
    door.resolve()
    expect([(await late).success, await reset]).toEqual([false, undefined])
    expect((await limiter.limit('a')).success).toBe(true)
  })
  it('outlast a reset in another process by a second at most', async () => {
    const clock = manualClock()
    const store = memoryStore()
    const [one, other] = [limiterOf(log, store), limiterOf(log, store)]
    await one.limit('a')
    await one.limit('a')
    await other.reset('a')
    expect(await one.limit('a')).toMatchObject({ success: false })
    clock.atMs += 1000
    expect(await one.limit('a')).toMatchObject({ success: true })
  })
  it('are dropped when the clock goes back', async () => {
    const clock = manualClock()
    const { store, verbs } = watched()
    const limiter = limiterOf(log, store)
    await limiter.limit('a')
    await limiter.limit('a')
    clock.atMs -= 5000
    await limiter.limit('a')
    expect(verbs.length).toBe(3)
  })
  it('are 10,000 at most, the oldest out first', async () => {
    manualClock()
    const { store, verbs } = watched()
    const limiter = limiterOf(log, store)
    for (let i = 0; i < 10_001; i++) {
      await limiter.limit(`${i}`)
      await limiter.limit(`${i}`)
    }
    const before = verbs.length
    await limiter.limit('10000')
    await limiter.limit('1')
    expect(verbs.length).toBe(before)
    await limiter.limit('0')
    expect(verbs.length).toBe(before + 1)
  })
})

describe('an outage', () => {
  const away = () => failing(new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true }))
  const slow = () => failing(new HitherError('TIMEOUT', 'slow', { maybeExecuted: true }))
  const algorithm = fixedWindow(perMinute(10))
  it.each([
    ['open', true],
    ['closed', false],
  ] as const)('%s', async (outage, success) => {
    const events: RateLimitEvent[] = []
    const onEvent = (event: RateLimitEvent): unknown => events.push(event)
    const limiter = createRateLimiter({ store: away(), algorithm, outage, onEvent })
    expect(await limiter.limit('secret')).toMatchObject({ success, limit: 10, remaining: 0, reason: 'unavailable' })
    expect((await limiter.limit('secret')).retryAfterMs).toBe(success ? 0 : 1000)
    expect(await limiter.peek('secret')).toMatchObject({ success, reason: 'unavailable' })
    const late = createRateLimiter({ store: slow(), algorithm, outage, onEvent })
    expect(await late.limit('secret')).toMatchObject({ success, reason: 'timeout' })
    const told = { type: 'degraded', namespace: 'limit', success }
    const unavailable = { ...told, reason: 'unavailable', code: 'STORE_UNAVAILABLE' }
    expect(events).toEqual([unavailable, unavailable, unavailable, { ...told, reason: 'timeout', code: 'TIMEOUT' }])
    expect(JSON.stringify(events)).not.toContain('secret')
  })
  it('of one part of the store is none of the others', async () => {
    const memory = memoryStore()
    const store: AtomicStore = {
      ...memory,
      part: (key) => key.slice(-1),
      run(...args) {
        if (args[1].endsWith('x')) return Promise.reject(new HitherError('STORE_UNAVAILABLE', 'away'))
        return memory.run(...args)
      },
    }
    const opened: boolean[] = []
    const onEvent = (event: RateLimitEvent): unknown => event.type === 'breaker' && opened.push(event.open)
    const limiter = createRateLimiter({ store, algorithm: fixedWindow(perMinute(100)), outage: 'closed', onEvent })
    for (let i = 0; i < 10; i++) {
      for (let j = 0; j < 10; j++) expect(await limiter.limit('x')).toMatchObject({ reason: 'unavailable' })
      expect(await limiter.limit('y')).toMatchObject({ success: true, reason: 'ok' })
    }
    expect(opened).toEqual([true])
  })
  it('local allows so many of each id per window in this process', async () => {
    const clock = manualClock()
    const limiter = createRateLimiter({ store: away(), algorithm, outage: { local: 2 } })
    const take = async (id: string) => {
      const { success, limit, remaining, reason } = await limiter.limit(id)
      return [success, limit, remaining, reason]
    }
    expect(await take('a')).toEqual([true, 2, 1, 'unavailable'])
    expect((await limiter.peek('a')).remaining).toBe(1)
    expect(await take('a')).toEqual([true, 2, 0, 'unavailable'])
    expect(await take('a')).toEqual([false, 2, 0, 'unavailable'])
    expect(await take('b')).toEqual([true, 2, 1, 'unavailable'])
    expect(await limiter.peek('a')).toMatchObject({ success: false, remaining: 0 })
    expect(await limiter.peek('a', { cost: 0 })).toMatchObject({ success: true })
    const { retryAfterMs, reset } = await limiter.limit('a')
    // Try again in a second: by then the store may be up.
    expect([retryAfterMs, reset]).toEqual([1000, START_MS + 60_000])
    clock.atMs = reset
    expect(await take('a')).toEqual([true, 2, 1, 'unavailable'])
    clock.atMs -= 3_600_000
    expect(await take('a')).toEqual([true, 2, 1, 'unavailable'])
  })
  it('is asked about by one call at a time after five failures in a row, until one is answered', async () => {
    const events: RateLimitEvent[] = []
    const memory = memoryStore()
    let asked = 0
    let gate: Promise<unknown> = Promise.reject(new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true }))
    gate.catch(() => {})
    const run: AtomicStore['run'] = async (...args) => {
      asked++
      await gate
      return await memory.run(...args)
    }
    const onEvent = (event: RateLimitEvent): unknown => event.type === 'breaker' && events.push(event)
    const store = { ...memory, run }
    const limiter = createRateLimiter({ store, algorithm, outage: 'closed', timeout: '30s', onEvent })
    const reason = async (id: string) => (await limiter.limit(id)).reason
    for (let i = 0; i < 5; i++) expect(await reason(`${i}`)).toBe('unavailable')
    let answer = (): void => {}
    gate = new Promise<void>((resolve) => {
      answer = resolve
    })
    const probe = reason('probe')
    // Wait for another tick: calls of the same tick would ask the store together with the probe.
    await new Promise((resolve) => setTimeout(resolve))
    for (let i = 0; i < 10; i++) expect(await reason(`${i}`)).toBe('unavailable')
    const refused = async (): Promise<void> => await limiter.refund('a')
    await expect(refused).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    expect(asked).toBe(6)
    answer()
    expect(await probe).toBe('ok')
    expect(await reason('a')).toBe('ok')
    const told = { type: 'breaker', namespace: 'limit' }
    expect(events).toEqual([
      { ...told, open: true },
      { ...told, open: false },
    ])
  })
  it('local counts 10,000 ids a window and refuses further ones', async () => {
    manualClock()
    const limiter = createRateLimiter({ store: away(), algorithm, outage: { local: 2 } })
    for (let i = 0; i < 10_000; i++) await limiter.limit(`${i}`)
    expect(await limiter.limit('new')).toMatchObject({ success: false })
    expect(await limiter.limit('0')).toMatchObject({ success: true })
  })
  it('does not let through whom the store has refused a moment ago, of many calls at once', async () => {
    const inner = memoryStore()
    let answered = 0
    const store: AtomicStore = {
      ...inner,
      async run(...args) {
        const reply = await inner.run(...args)
        if (++answered <= 3) return reply
        await new Promise((resolve) => setTimeout(resolve, 20))
        throw new HitherError('TIMEOUT', 'slow', { maybeExecuted: true })
      },
    }
    const limiter = createRateLimiter({ store, algorithm: fixedWindow(perMinute(2)), outage: 'open' })
    const all = await Promise.all(Array.from({ length: 50 }, () => limiter.limit('a')))
    expect(all.map(({ success }) => success).filter(Boolean)).toHaveLength(2)
    // For an id that the store has not refused, this is an outage like any other.
    expect(await limiter.limit('b')).toMatchObject({ success: true, reason: 'timeout' })
  })
  it('contains a listener that throws, or rejects', async () => {
    const rejecting = createRateLimiter({
      store: away(),
      algorithm,
      outage: 'open',
      onEvent: async () => {
        throw new Error('listener')
      },
    })
    expect((await rejecting.limit('a')).success).toBe(true)
    await new Promise((resolve) => setTimeout(resolve, 5))
    const onEvent = (): void => {
      throw new Error('listener')
    }
    const limiter = createRateLimiter({ store: away(), algorithm, outage: 'open', onEvent })
    expect(await limiter.limit('a')).toMatchObject({ success: true })
  })
  it('asks with a deadline of 250 ms, or its own', async () => {
    manualClock()
    const deadlines: unknown[] = []
    const store: AtomicStore = {
      ...memoryStore(),
      async run(_, __, ___, call) {
        deadlines.push((call?.deadline ?? 0) - START_MS)
        throw new HitherError('TIMEOUT', 'slow')
      },
    }
    await createRateLimiter({ store, algorithm, outage: 'open' }).limit('a')
    await createRateLimiter({ store, algorithm, outage: 'open', timeout: '1s' }).limit('a')
    expect(deadlines).toEqual([250, 1000])
  })
  it('lets what a write cannot do, and what is no outage, reject', async () => {
    const limiter = createRateLimiter({ store: away(), algorithm, outage: 'open' })
    for (const write of [() => limiter.refund('a'), () => limiter.block('a', '1s')])
      await expect(async () => await write()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    const closed = memoryStore()
    await closed.close()
    const over = createRateLimiter({ store: closed, algorithm, outage: 'open' })
    await expect(async () => await over.limit('a')).rejects.toMatchObject({ code: 'CLOSED' })
    const broken = failing(new TypeError('a bug'))
    const strange = createRateLimiter({ store: broken, algorithm, outage: 'open' })
    await expect(async () => await strange.limit('a')).rejects.toThrow('a bug')
  })
})

describe('bad input', () => {
  const store = memoryStore()
  const algorithm = fixedWindow(perMinute(1))
  const numbers = [0, -1, Number.NaN, 1.5, Number.POSITIVE_INFINITY, 2 ** 53, '5' as never, null as never]
  it.each(Object.entries(makes))('%s refuses limits and windows that make no sense', (_, make) => {
    for (const limit of numbers)
      expect(() => make({ limit, window: '1m' })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    for (const window of [
      0,
      -1,
      Number.NaN,
      1.5,
      Number.POSITIVE_INFINITY,
      '1  m',
      '1w',
      '',
      2e12,
      undefined,
    ] as never[])
      expect(() => make({ limit: 1, window })).toThrow(expect.objectContaining({ code: 'INVALID_DURATION' }))
    for (const limits of [[], undefined, null, 5] as never[]) expect(() => make(limits)).toThrow(HitherError)
    expect(() => make({ limit: 0, window: '1 m' })).toThrow(/whole number above 0/)
  })
  it('refuses bursts that make no sense', () => {
    for (const burst of numbers)
      for (const make of [tokenBucket, gcra])
        expect(() => make({ limit: 1, window: '1m', burst: burst ?? 0 })).toThrow(
          expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
        )
    expect(() => tokenBucket({ limit: 1, window: '365d', burst: 1000 })).toThrow(/31 years/)
    expect(() => gcra({ limit: 999_983, window: '365d', burst: 1_000_000 })).toThrow(/slidingBuckets/)
  })
  it('slidingLog takes a limit up to 10,000, and 1,000 where no script runs; it names slidingBuckets', () => {
    expect(() => slidingLog(perMinute(10_001))).toThrow(/10000.*slidingBuckets/)
    const large = slidingLog(perMinute(1001))
    const scripted = { ...store, transport: {} as never }
    expect(() => createRateLimiter({ store, algorithm: large, outage: 'open' })).toThrow(/1000.*slidingBuckets/)
    createRateLimiter({ store: scripted, algorithm: slidingLog(perMinute(10_000)), outage: 'open' })
    createRateLimiter({ store, algorithm: slidingLog(perMinute(1000)), outage: 'open' })
  })
  it.each<[string, unknown]>([
    ['no options', undefined],
    ['no algorithm', { store, outage: 'open' }],
    ['an algorithm that is none', { store, algorithm: 'fixedWindow', outage: 'open' }],
    ['no outage policy', { store, algorithm }],
    ['an outage policy that is none', { store, algorithm, outage: 'maybe' }],
    ['a local share that is none', { store, algorithm, outage: { local: 0 } }],
    ['an option that does not exist', { store, algorithm, outage: 'open', prefix: 'x' }],
    ['a namespace too long for a key', { store, algorithm, outage: 'open', namespace: 'n'.repeat(1000) }],
    ['a listener that is none', { store, algorithm, outage: 'open', onEvent: 5 }],
  ])('createRateLimiter refuses %s', (_, options) => {
    expect(() => createRateLimiter(options as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it.each<[string, unknown]>([
    ['no store', undefined],
    ['a store without operations', { ...store, run: undefined }],
    ['the promise of a client', Promise.resolve(store)],
  ])('createRateLimiter is not supported over %s', (_, store) => {
    const make = () => createRateLimiter({ store: store as never, algorithm, outage: 'open' })
    expect(make).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })
  it('createRateLimiter refuses a timeout and a namespace that are none', () => {
    expect(() => createRateLimiter({ store, algorithm, outage: 'open', timeout: 0 })).toThrow(/timeout/)
    expect(() => createRateLimiter({ store, algorithm, outage: 'open', namespace: 'a:b' })).toThrow(/namespace/)
  })
  it('calls refuse ids, costs, limits and times, and ask nothing', async () => {
    const { store, keys } = watched()
    const limiter = createRateLimiter({ store, algorithm, outage: 'open' })
    const calls = [
      ...['', undefined, null, 5, {}].map((id) => () => limiter.limit(id as never)),
      ...[-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '1', null].map(
        (cost) => () => limiter.limit('a', { cost } as never),
      ),
      ...numbers.map((limit) => () => limiter.limit('a', { limit: limit ?? 0 })),
      () => limiter.limit('a', { limit: [1, 2] }),
      () => limiter.limit('a', { limit: [] }),
      () => limiter.limit('a', { costs: 1 } as never),
      () => limiter.limit('a', 5 as never),
      () => limiter.peek('a', { cost: -1 }),
      () => limiter.refund('a', -1),
      () => limiter.refund('a', 0.5),
      () => limiter.reset(''),
      () => limiter.block('', '1s'),
      () => limiter.waitFor(''),
    ]
    for (const call of calls) await expect(async () => await call()).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    for (const time of [0, -1, 1.5, 'soon', 2e12, undefined] as never[])
      await expect(async () => await limiter.block('a', time)).rejects.toMatchObject({ code: 'INVALID_DURATION' })
    await expect(async () => await limiter.waitFor('a', { timeout: -1 })).rejects.toMatchObject({
      code: 'INVALID_DURATION',
    })
    expect(keys).toEqual([])
  })
})
