import { channel } from 'hither/channel'
import { memoryStore } from 'hither/memory'
import { describe, expect, it } from 'vitest'

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
  it('takes no name that would come back as another, or not at all', () => {
    const store = memoryStore()
    for (const name of ['', '\ud800', 'x'.repeat(1025), 7 as never])
      expect(() => channel({ store }, name)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
    expect(channel({ store }, '\0{}🔑 ,')).toBeDefined()
  })
  it('a store that was closed takes no message and no subscriber', async () => {
    const store = memoryStore()
    const news = channel<number>({ store }, 'news')
    await expect(news.publish(1, { deadline: Date.now() - 1 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await store.close()
    await expect(news.publish(1)).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(news.subscribe().ready).rejects.toMatchObject({ code: 'CLOSED' })
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
