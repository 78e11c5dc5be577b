import type { AtomicStore } from 'hither'
import { embeddedStore } from 'hither/embedded'
import { memoryStore } from 'hither/memory'
import {
  createRateLimiter,
  fixedWindow,
  gcra,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from 'hither/rate-limit'
import { afterEach, describe, expect, it, vi } from 'vitest'

// Texts under the key of a limiter that something else has written, the clock of its store, and that of the machine.

const NOW_MS = 1_795_000_000_000
const NOW_US = NOW_MS * 1000
const makes = { fixedWindow, slidingWindow, slidingLog, slidingBuckets, tokenBucket, gcra }
const pairs = (count: number): string => Array.from({ length: count }, (_, i) => `${NOW_US - count + i} 1`).join(' ')

afterEach(() => {
  vi.restoreAllMocks()
})

describe.each(Object.entries(makes))('a key of %s that another has written', (name, make) => {
  const found = async (text: string, limits = make({ limit: 10, window: '1m' })) => {
    vi.spyOn(Date, 'now').mockReturnValue(NOW_MS)
    const store = memoryStore()
    let key = ''
    const run: typeof store.run = (operation, name, args, call) => {
      key = name
      return store.run(operation, name, args, call)
    }
    const spy = { ...store, run }
    const limiter = createRateLimiter({ store: spy, algorithm: limits, outage: 'closed' })
    await limiter.peek('a')
    await store.set(key, text)
    return limiter
  }
  const fresh = { success: true, reason: 'ok', remaining: 5 }

  it.each([
    ['is of another form', 'x'],
    ['has no limit', 'r0;'],
    ['ends early', 'r0;5 5'],
    ['has a number of 20 digits', `r0;${NOW_US} 99999999999999999999;`],
    ['has one number, of 25 digits', 'r0;9999999999999999999999999;'],
    ['has a number of 25 digits after another', 'r0;5 9999999999999999999999999;'],
    ['has more limits', 'r0;5 5;5 5;5 5;'],
    ['has a block of 20 digits', 'r99999999999999999999;5 5;'],
    ['has 20,000 numbers', `r0;${pairs(10_001)};`],
    ['has a number of 40,000 digits', `r0;${'5'.repeat(40_000)};`],
    ['has another mark, and what would be a block', 'x9999999999999999;5 5;'],
    ['has a moment without its number', `r0;${NOW_US - 1} 4 ${NOW_US};`],
    ['has numbers of no order', `r0;${NOW_US - 1} 4 ${NOW_US - 2} 4;`],
  ])('counts as nothing where it %s', async (_, text) => {
    if (/^r0;\d+ 4/.test(text) && !/^sliding(Log|Buckets)/.test(name)) return
    expect(await (await found(text)).limit('a', { cost: 5 })).toMatchObject(fresh)
    const limiter = await found(text)
    await limiter.refund('a', 5)
    expect(await limiter.peek('a', { cost: 5 })).toMatchObject({ success: true, remaining: 10 })
  })
  it('is counted no further than its numbers, which no sum has to be exact with', async () => {
    const far = Array.from({ length: 3 }, () => `${NOW_US} 9999999999999999`)
    const limiter = await found(`r0;${far.join(' ')};`)
    for (const cost of [0, 1, 5, 10]) {
      const { success, retryAfterMs } = await limiter.limit('a', { cost })
      if (!/^sliding(Log|Buckets)/.test(name)) continue
      expect([success, retryAfterMs]).toEqual([false, 60_000])
    }
    await limiter.refund('a', 1_000_000)
  })
  it('is read no further than the longest state there is', async () => {
    const match = vi.spyOn(String.prototype, 'match')
    await (await found(`r0;${'5 '.repeat(400_000)};`)).limit('a')
    expect(match.mock.contexts.filter((text) => String(text).length > 400_000)).toEqual([])
  })
  it('counts as nothing where it is that of a full limit with a number more, or one fewer', async () => {
    const store = memoryStore()
    vi.spyOn(Date, 'now').mockReturnValue(NOW_MS)
    const get = vi.spyOn(store, 'run')
    const algorithm = make({ limit: 10, window: '1m' })
    await createRateLimiter({ store, algorithm, outage: 'closed' }).limit('a', { cost: 10 })
    const full = `${await store.get(get.mock.calls[0]?.[1] ?? '')}`
    expect(full).toMatch(/^r0;\d.*;$/)
    expect(await (await found(full)).limit('a', { cost: 5 })).toMatchObject({ success: false, remaining: 0 })
    for (const other of [full.replace(/ ?;$/, ' 1;'), full.replace(/ ?\d+ ?;$/, ';')])
      expect([other, await (await found(other)).limit('a', { cost: 5 })]).toMatchObject([other, fresh])
  })
  it('counts as nothing as a whole where one of two limits is not whole', async () => {
    const two = make([
      { limit: 10, window: '1m' },
      { limit: 10, window: '1h' },
    ])
    for (const text of ['r9999999999999999;5 5;', 'r9999999999999999;5 5 5;;5'])
      expect(await (await found(text, two)).limit('a', { cost: 5 })).toMatchObject(fresh)
  })
})

it.each([
  ['memoryStore', memoryStore],
  ['embeddedStore', embeddedStore],
])('a limiter follows the clock that %s was given after a refusal, too', async (_, open) => {
  let atMs = NOW_MS
  const store: AtomicStore = open({ now: () => atMs })
  const limiter = createRateLimiter({ store, algorithm: slidingLog({ limit: 1, window: '10s' }), outage: 'closed' })
  const decide = async (): Promise<boolean> => (await limiter.limit('a')).success
  expect([await decide(), await decide(), await decide()]).toEqual([true, false, false])
  atMs += 60_001
  expect([await decide(), await decide()]).toEqual([true, false])
})

it('waitFor ends at its end though the clock of the machine is set back', async () => {
  let atMs = NOW_MS
  vi.spyOn(Date, 'now').mockImplementation(() => atMs)
  const store = memoryStore()
  let asked = 0
  const run: AtomicStore['run'] = async (operation, key, args, call) => {
    if (++asked > 100) throw new Error('still waiting')
    atMs -= 3_600_000
    await store.delete([key])
    await store.run(operation, key, args, call)
    return await store.run(operation, key, args, call)
  }
  const algorithm = slidingLog({ limit: 1, window: 20 })
  const limiter = createRateLimiter({ store: { ...store, run }, algorithm, outage: 'closed' })
  expect(await limiter.waitFor('a', { timeout: 100 })).toMatchObject({ success: false, reason: 'limited' })
})
