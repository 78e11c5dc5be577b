import { channel } from 'hither/channel'
import { embeddedStore } from 'hither/embedded'
import { memoryStore } from 'hither/memory'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'

describe('channel', () => {
  it('tells a reader that is behind of a gap', async () => {
    const news = channel<number>({ store: memoryStore() }, 'news')
    const slow = news.subscribe({ maxQueued: 3 })
    await slow.ready
    for (let n = 0; n < 10; n++) await news.publish(n)
    const items = [(await slow.next()).value, (await slow.next()).value, (await slow.next()).value]
    expect(items).toEqual([{ type: 'gap' }, { type: 'message', value: 8 }, { type: 'message', value: 9 }])
    await slow.close()
    expect(await slow.next()).toEqual({ done: true, value: undefined })
  })
  it('sends what a value was when publish was called', async () => {
    const message = { n: 1 }
    for (const schema of [undefined, z.object({ n: z.number() })]) {
      const news = channel<{ n: number }>({ store: memoryStore() }, 'news', schema && { schema })
      const subscription = news.subscribe()
      await subscription.ready
      message.n = 1
      const sent = news.publish(message)
      message.n = 2
      await sent
      expect((await subscription.next()).value).toEqual({ type: 'message', value: { n: 1 } })
      await subscription.close()
    }
  })
  it('takes no name that would come back as another, or not at all', () => {
    const store = memoryStore()
    for (const name of ['', '\ud800', 'x'.repeat(1025), 7 as never])
      expect(() => channel({ store }, name)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
    expect(channel({ store }, '\0{}🔑 ,')).toBeDefined()
  })
  it('takes no message that is larger than a value may be, or no well-formed text', async () => {
    const store = memoryStore({ maxValueBytes: 10 })
    const news = channel<string>({ store }, 'news')
    const subscription = news.subscribe()
    await subscription.ready
    await expect(news.publish('123456789')).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    const codec = { mark: 'X', encode: (value: unknown) => String(value), decode: (text: string) => text }
    await expect(channel({ store, codec }, 'news').publish('\ud800')).rejects.toMatchObject({ code: 'INVALID_VALUE' })
    await news.publish('12345678')
    expect((await subscription.next()).value).toEqual({ type: 'message', value: '12345678' })
    await subscription.close()
  })
  it('over an engine in this process it shares messages with all clients of that engine', async () => {
    const store = embeddedStore()
    const news = channel<string>({ store, namespace: 'shop' }, 'news')
    const subscription = news.subscribe()
    await subscription.ready
    const heard: string[] = []
    const stop = await store.subscribe?.('shop:news', (message) => heard.push(message))
    await store.transport.send({ args: ['PUBLISH', 'shop:news', '"foreign"'], effect: 'once' })
    expect((await subscription.next()).value).toEqual({ type: 'message', value: 'foreign' })
    expect([await news.publish('own'), heard]).toEqual([2, ['"foreign"', '"own"']])
    await stop?.()
    await subscription.close()
    expect(await news.publish('none')).toBe(0)
    await store.close()
  })
  it('a store that was closed takes no message and no subscriber', async () => {
    const store = memoryStore()
    const news = channel<number>({ store }, 'news')
    await expect(news.publish(1, { deadline: Date.now() - 1 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await store.close()
    await expect(news.publish(1)).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(news.subscribe().ready).rejects.toMatchObject({ code: 'CLOSED' })
  })
  it('a store that is closed ends its subscriptions, after what has come', async () => {
    const store = memoryStore()
    const news = channel<number>({ store }, 'news')
    const [waiting, behind] = [news.subscribe(), news.subscribe()]
    await Promise.all([waiting.ready, behind.ready])
    await news.publish(1)
    await waiting.next()
    const next = waiting.next()
    await store.close()
    await expect(next).rejects.toMatchObject({ code: 'CLOSED' })
    expect((await behind.next()).value).toEqual({ type: 'message', value: 1 })
    await expect(behind.next()).rejects.toMatchObject({ code: 'CLOSED' })
  })
  it('asks a store that is open for nothing', async () => {
    vi.useFakeTimers()
    try {
      const store = memoryStore()
      const asked: unknown[] = []
      const get: typeof store.get = (key, call) => {
        asked.push(call)
        return store.get(key, call)
      }
      const subscription = channel({ store: { ...store, get } }, 'news').subscribe()
      await subscription.ready
      await vi.advanceTimersByTimeAsync(1000)
      // A deadline of 0 has passed, so these calls send nothing.
      expect(asked).toEqual([{ deadline: 0 }, { deadline: 0 }])
      await subscription.close()
      await vi.advanceTimersByTimeAsync(10_000)
      expect([asked.length, vi.getTimerCount()]).toEqual([2, 0])
    } finally {
      vi.useRealTimers()
    }
  })
  it('stops counting a subscriber that has left', async () => {
    const news = channel<number>({ store: memoryStore() }, 'news')
    const subscription = news.subscribe()
    await subscription.ready
    expect(await news.publish(1)).toBe(1)
    await subscription.close()
    expect(await news.publish(2)).toBe(0)
  })
})
