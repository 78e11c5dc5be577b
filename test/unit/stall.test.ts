import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { within } from '../../src/runtime/deadline.ts'
import { type PendingCall, settle } from '../../src/store/tick.ts'
import { code, handMade, turn } from './hand-made-tick.ts'

// The clock of a Worker stands still while it computes, so a stall of the event loop is tested in Node alone.

describe('a process that was held up', () => {
  beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
  afterEach(() => void vi.useRealTimers())
  const block = (ms: number): void => void vi.setSystemTime(Date.now() + ms)
  it('sends what came due meanwhile, and waits for its reply', async () => {
    const { flushed, fire, read, tick } = handMade()
    const answer = read('a', Date.now() + 10)
    block(30)
    await turn()
    fire()
    await turn()
    settle(flushed[0]?.calls[0] as PendingCall, 'resolve', 'x')
    expect(await answer).toBe('x')
    tick.close()
  })
  it('leaves a deadline alone that is far', async () => {
    const { flushed, read, tick } = handMade()
    const far = Date.now() + 90_000
    const answer = code(read('a', far))
    block(30)
    await turn()
    expect(flushed[0]?.calls[0]?.deadline).toBe(far)
    tick.close()
    expect(await answer).toBe('CLOSED')
  })
  it('leaves the deadlines of a process alone that was not', async () => {
    const { flushed, read, tick } = handMade()
    const soon = Date.now() + 20
    const answer = code(read('a', soon))
    await undefined
    await undefined
    expect(flushed[0]?.calls[0]?.deadline).toBe(soon)
    tick.close()
    expect(await answer).toBe('CLOSED')
  })
})

describe('within', () => {
  it('gives what has arrived by the turn after the deadline', async () => {
    let arrive = (_: string): void => {}
    const work = new Promise<string>((resolve) => {
      arrive = resolve
    })
    const result = within(work, { signals: [], deadline: Date.now() + 5 })
    // Blocks past the deadline. The timer below fires after that of the deadline, so the loop needs one more turn for the value.
    for (const end = Date.now() + 20; Date.now() < end; );
    setTimeout(() => arrive('x'))
    expect(await result).toBe('x')
    const late = code(within(new Promise(() => {}), { signals: [], deadline: Date.now() + 5 }))
    expect(await late).toBe('TIMEOUT')
  })
})
