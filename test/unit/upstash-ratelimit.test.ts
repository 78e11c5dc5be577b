import { Ratelimit } from '@upstash/ratelimit'
import type { AtomicStore } from 'hither'
import { memoryStore } from 'hither/memory'
import { toUpstashRedis } from 'hither/upstash-ratelimit'
import { describe, expect, it, vi } from 'vitest'

describe('@upstash/ratelimit in this runtime', () => {
  it('needs a store with operations', () => {
    for (const store of [undefined, {}, Promise.resolve(memoryStore())])
      expect(() => toUpstashRedis(store as never)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }))
  })
  it('counts an id of any name, beside deny lists', async () => {
    const ratelimit = new Ratelimit({
      redis: toUpstashRedis(memoryStore()),
      limiter: Ratelimit.tokenBucket(5, '10 s', 5),
      enableProtection: true,
      ephemeralCache: false,
    })
    // The package fetches a public list, and does not report it when that fails.
    const fetching = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('192.0.2.1\n'))
    for (const id of ['bob', 'denyList', 'denyList:all', 'bob']) {
      const { success, pending } = await ratelimit.limit(id)
      expect(success).toBe(true)
      await pending
    }
    fetching.mockRestore()
  })
  it('limits over memory', async () => {
    const redis = toUpstashRedis(memoryStore())
    const ratelimit = new Ratelimit({ redis, limiter: Ratelimit.slidingWindow(2, '1 h'), ephemeralCache: false })
    const answers = [await ratelimit.limit('id'), await ratelimit.limit('id'), await ratelimit.limit('id')]
    expect(answers.map(({ success, remaining }) => [success, remaining])).toEqual([
      [true, 1],
      [true, 0],
      [false, 0],
    ])
  })
  it('leaves no key on memory without an end, and none after it', async () => {
    let nowMs = Date.now()
    const store = memoryStore({ now: () => nowMs })
    const redis = toUpstashRedis(store)
    for (const limiter of [
      Ratelimit.fixedWindow(2, '1 m'),
      Ratelimit.slidingWindow(2, '1 m'),
      Ratelimit.tokenBucket(1, '1 m', 2),
      Ratelimit.cachedFixedWindow(2, '1 m'),
    ]) {
      const prefix = `p${String(limiter).length}-${Math.random()}`
      const ratelimit = new Ratelimit({ redis, limiter, prefix })
      await ratelimit.limit('id')
      const held = async (): Promise<boolean> =>
        (await store.getMany([`${prefix}:id`, `${prefix}:id:*`])).some((text) => text !== undefined)
      expect(await held()).toBe(true)
      nowMs += 5 * 60_000
      expect(await held()).toBe(false)
    }
  })
  it.each([
    ['no JSON', 'x'],
    ['a list', '[1]'],
    ['null', 'null'],
    ['numbers that are none', '{"#":{"shares":{"n":"5"},"endsMs":1e15},"refilledAt":"1","tokens":[],"endsMs":null}'],
    ['shares that are none', '{"#":{"shares":null,"endsMs":1e15},"refilledAt":1}'],
    [
      'numbers past any count',
      '{"#":{"shares":{"n":1e300},"endsMs":1e300},"refilledAt":1,"tokens":-1e300,"endsMs":1e300}',
    ],
  ])('counts state that it has not written as nothing: %s', async (_, text) => {
    for (const limiter of [
      Ratelimit.fixedWindow(2, '1 h'),
      Ratelimit.slidingWindow(2, '1 h'),
      Ratelimit.tokenBucket(1, '1 h', 2),
    ]) {
      const inner = memoryStore()
      const states = new Map<string, string>()
      const store: AtomicStore = {
        ...inner,
        async run(operation, key, args, call) {
          const window = String(args[0])
          if (!states.has(key)) await inner.set(key, text.replace('#', window))
          states.set(key, window)
          return inner.run(operation, key, args, call)
        },
      }
      const ratelimit = new Ratelimit({
        redis: toUpstashRedis(store),
        limiter,
        ephemeralCache: false,
        dynamicLimits: true,
      })
      const answers = [await ratelimit.limit('id'), await ratelimit.limit('id'), await ratelimit.limit('id')]
      expect(answers.map(({ success, remaining }) => [success, remaining])).toEqual([
        [true, 1],
        [true, 0],
        [false, expect.any(Number)],
      ])
      expect(states.size).toBeGreaterThan(0)
      const redis = toUpstashRedis(inner)
      await redis.set('@upstash/ratelimit:dynamic:global', 'x')
      expect((await ratelimit.limit('other')).limit).toBe(2)
    }
  })
})
