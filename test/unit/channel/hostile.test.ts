import { channel } from 'hither/channel'
import { memoryStore } from 'hither/memory'
import { describe, expect, it } from 'vitest'
import { createInbox } from '../../../src/channel/inbox.ts'

const gap = { type: 'gap' }
const message = <T>(value: T) => ({ type: 'message', value })

describe('channel: slow readers', () => {
  it('an inbox of any size says where messages were lost, and how many come is bounded', async () => {
    for (const size of [1, 2, 3, 7]) {
      const inbox = createInbox<number>(size)
      const kept = Math.max(1, size - 1)
      for (let n = 0; n < 50; n++) inbox.add(n)
      inbox.end()
      const items: unknown[] = []
      for (let item = await inbox.next(); item; item = await inbox.next()) items.push(item)
      expect(items).toEqual([gap, ...Array.from({ length: kept }, (_, i) => message(50 - kept + i))])
    }
  })
  it('gaps beside each other are one, whatever is lost between them', async () => {
    const steps: [(inbox: ReturnType<typeof createInbox<number>>) => unknown, unknown[]][] = [
      [(inbox) => [inbox.lose(), inbox.lose()], [message(1), gap]],
      [(inbox) => [inbox.add(2), inbox.lose(), inbox.add(3)], [gap, message(3)]],
      [(inbox) => [inbox.lose(), inbox.add(2), inbox.add(3), inbox.add(4)], [gap, message(3), message(4)]],
    ]
    for (const [step, expected] of steps) {
      const inbox = createInbox<number>(3)
      inbox.add(1)
      step(inbox)
      inbox.end()
      const items: unknown[] = []
      for (let item = await inbox.next(); item; item = await inbox.next()) items.push(item)
      expect(items).toEqual(expected)
    }
  })
  it('an inbox that is read as it fills loses nothing', async () => {
    const inbox = createInbox<number>(1)
    for (let n = 0; n < 5; n++) {
      inbox.add(n)
      expect(await inbox.next()).toEqual(message(n))
    }
  })
})

describe('channel: schemas and callbacks', () => {
  const validate = (value: unknown) =>
    typeof value === 'string' ? { value: Number(value) } : { issues: ['a text is wanted'] }
  const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const

  it('a schema that transforms is applied once, where a message comes in', async () => {
    const space = { store: memoryStore() }
    const numbers = channel<number>(space, 'n', { schema })
    await using subscription = numbers.subscribe()
    await subscription.ready
    await numbers.publish('7' as never)
    await channel(space, 'n').publish('8')
    expect([(await subscription.next()).value, (await subscription.next()).value]).toEqual([message(7), message(8)])
    await expect(numbers.publish(7)).rejects.toMatchObject({ code: 'INVALID_VALUE' })
  })
  it('drops no option in silence', () => {
    const space = { store: memoryStore() }
    expect(() => channel({ ...space, namspace: 'x' } as never, 'n')).toThrow('channel has no option namspace')
    expect(() => channel(undefined as never, 'n')).toThrow('channel takes an object')
    expect(() => channel(space, 'n', { shema: schema } as never)).toThrow('channel has no option shema')
    expect(() => channel(space, 'n').subscribe({ queue: 5 } as never)).toThrow('subscribe has no option queue')
  })
  it('onInvalid that throws ends the subscription with its error', async () => {
    const space = { store: memoryStore() }
    const subscription = channel<number>(space, 'n', { schema }).subscribe({
      onInvalid: () => {
        throw new Error('mine')
      },
    })
    await subscription.ready
    const other = channel<unknown>(space, 'n')
    await other.publish(1)
    await expect(subscription.next()).rejects.toThrow('mine')
    expect(await other.publish('2')).toBe(0)
  })
})
