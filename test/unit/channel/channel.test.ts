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
  it('stops counting a subscriber that has left', async () => {
    const news = channel<number>({ store: memoryStore() }, 'news')
    const subscription = news.subscribe()
    await subscription.ready
    expect(await news.publish(1)).toBe(1)
    await subscription.close()
    expect(await news.publish(2)).toBe(0)
  })
})
