import { createCache } from 'hither'
import { memoryStore } from 'hither/memory'
import { messageFeed, nearTier, pullFeed } from 'hither/near'
import { afterEach, describe, expect, it, vi } from 'vitest'

// Jest's fake timers hold up `queueMicrotask` as well.

afterEach(() => {
  vi.useRealTimers()
})

describe('fake timers that hold up microtasks', () => {
  it('keep no call waiting', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'setInterval', 'queueMicrotask'] })
    const cache = createCache({ store: memoryStore(), ttl: '1m' })
    expect(await cache.getOrSetMany(['a', 'b'], (keys) => new Map(keys.map((key) => [key, `${key}!`])))).toEqual(
      new Map([
        ['a', 'a!'],
        ['b', 'b!'],
      ]),
    )
    const double = cache.define({ name: 'n', load: (n: number) => n * 2, loadMany: (all) => all.map((n) => n * 2) })
    expect(await double.getMany([1, 2])).toEqual([2, 4])
    const events: string[] = []
    createCache({ store: memoryStore(), ttl: 60, onEvent: ({ type }) => events.push(type) })
    await Promise.resolve()
    expect(events).toEqual(['short-ttl'])
  })
  it('do not keep a feed from sending', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'setInterval', 'queueMicrotask'] })
    const memory = memoryStore()
    const sent: string[] = []
    const store = {
      ...memory,
      run: (...args: Parameters<typeof memory.run>) => {
        sent.push(args[0].name)
        return memory.run(...args)
      },
      subscribe: async () => async () => {},
      publish: async () => void sent.push('publish'),
    }
    for (const feed of [pullFeed(), messageFeed()]) {
      const cache = createCache({ store: store as never, ttl: '1m', near: nearTier({ feed }) })
      await cache.get('other')
      await cache.set('k', 1)
    }
    expect(sent).toEqual(expect.arrayContaining(['feed.append', 'publish']))
  })
})
