import { Ratelimit } from '@upstash/ratelimit'
import { memoryStore } from 'hither/memory'
import { toUpstashRedis } from 'hither/upstash-ratelimit'
import { describe, expect, it, vi } from 'vitest'

describe('@upstash/ratelimit in this runtime', () => {
  it('needs a store with operations', () => {
    for (const store of [undefined, {}, Promise.resolve(memoryStore())])
      expect(() => toUpstashRedis(store as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it('counts an id of any name, beside deny lists', async () => {
    const ratelimit = new Ratelimit({
      redis: toUpstashRedis(memoryStore()),
      limiter: Ratelimit.tokenBucket(5, '10 s', 5),
      enableProtection: true,
      ephemeralCache: false,
    })
    // The package fetches a public list, of which it does not tell when it cannot.
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
})
