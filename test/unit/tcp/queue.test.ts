import { describe, expect, it } from 'vitest'
import { createQueue } from '../../../adapters/tcp/queue.ts'

describe('the queue of a connection', () => {
  it('gives back in order what was put in, also where places of what is gone are cut off', () => {
    const queue = createQueue<number>()
    let next = 0
    for (let i = 0; i < 5000; i++) {
      queue.push(i)
      // Two of three rounds take an item out, so the queue grows by one in three.
      if (i % 3 > 0) expect(queue.shift()).toBe(next++)
      expect([queue.size(), queue.peek()]).toEqual([i + 1 - next, queue.size() > 0 ? next : undefined])
    }
    expect([...queue]).toEqual(Array.from({ length: 5000 - next }, (_, i) => next + i))
    while (queue.size() > 0) expect(queue.shift()).toBe(next++)
    expect([next, queue.shift(), queue.peek(), queue.size()]).toEqual([5000, undefined, undefined, 0])
  })
  it('drops what does not pass, of what is still there', () => {
    const queue = createQueue<number>()
    for (let i = 0; i < 10; i++) queue.push(i)
    queue.shift()
    queue.keep((item) => item % 2 === 1)
    expect([...queue, queue.size()]).toEqual([1, 3, 5, 7, 9, 5])
    queue.push(10)
    expect([queue.shift(), queue.size()]).toEqual([1, 5])
  })
})
