import { describe, expect, it, vi } from 'vitest'
import { createTick, type PendingCall, settle } from '../../src/store/tick.ts'
import { code, handMade, turn } from './hand-made-tick.ts'

describe('one timer for all deadlines', () => {
  it('is shared by ticks, moved forward by an earlier deadline, and left alone by a later one', async () => {
    const { timers, read, tick } = handMade()
    const calls = [code(read('a'))]
    await turn()
    const [first] = timers
    calls.push(code(read('b', Date.now() + 90_000)))
    await turn()
    expect(timers.size).toBe(1)
    expect([...timers][0]).toBe(first)
    calls.push(code(read('c', Date.now() + 1000)))
    await turn()
    expect(timers.size).toBe(1)
    expect([...timers][0]?.ms).toBeLessThan(first?.ms as number)
    tick.close()
    expect(await Promise.all(calls)).toEqual(['CLOSED', 'CLOSED', 'CLOSED'])
  })
  it('ends what is late, in every tick, and is set again for what is not', async () => {
    const { timers, fire, read, tick } = handMade()
    const soon = Date.now() + 200
    const late = [code(read('a', soon))]
    const later = code(read('a'))
    await turn()
    late.push(code(read('b', soon)))
    await turn(250)
    fire()
    expect(await Promise.all(late)).toEqual(['TIMEOUT', 'TIMEOUT'])
    expect(timers.size).toBe(1)
    tick.close()
    expect(await later).toBe('CLOSED')
  })
  it('ends what is late though the clock was set back meanwhile, and waits no longer for what is not', async () => {
    const { timers, fire, read, tick } = handMade()
    const late = code(read('a', Date.now() + 100))
    const later = code(read('b', Date.now() + 5000))
    await turn()
    setBack()
    fire()
    expect(await late).toBe('TIMEOUT')
    expect([...timers].every(({ ms }) => ms <= 5000)).toBe(true)
    tick.close()
    expect(await later).toBe('CLOSED')
    vi.restoreAllMocks()
  })
  it('does so also where other calls were sent since', async () => {
    const { fire, read, tick } = handMade()
    const late = code(read('a', Date.now() + 100))
    await turn()
    setBack()
    const later = code(read('b', Date.now() + 5000))
    await turn(150)
    fire()
    expect(await late).toBe('TIMEOUT')
    tick.close()
    expect(await later).toBe('CLOSED')
    vi.restoreAllMocks()
  })
  it('takes what arrives in the turn after the deadline', async () => {
    const { flushed, fire, read, tick } = handMade()
    const answer = read('a', Date.now() + 5)
    await turn(10)
    fire()
    settle(flushed[0]?.calls[0] as PendingCall, 'resolve', 'x')
    expect(await answer).toBe('x')
    tick.close()
  })
  it('is not set again once nothing is under way, and is for what comes then', async () => {
    const { timers, flushed, fire, read, tick } = handMade()
    const answer = read('a')
    await turn()
    settle(flushed[0]?.calls[0] as PendingCall, 'resolve', 'x')
    flushed[0]?.end()
    expect(await answer).toBe('x')
    fire()
    expect(timers.size).toBe(0)
    const next = code(read('b', Date.now() + 90_000))
    // The timer that fired ends in a turn of the loop, before or after the one in which this call is sent.
    await vi.waitFor(() => expect(timers.size).toBe(1))
    tick.close()
    expect(await next).toBe('CLOSED')
  })
})

function setBack(): void {
  const read = Date.now.bind(Date)
  vi.spyOn(Date, 'now').mockImplementation(() => read() - 3_600_000)
}

describe('a clock that is set back', () => {
  it('makes no call of a tick longer that has a timer of its own', async () => {
    const traits = { shared: true, ttlStepMs: 1, maxKeyBytes: 64, maxValueBytes: 64 } as const
    const tick = createTick({ ...traits, clock: 'server', consistency: 'strong' }, 60_000, () => {})
    const read = (key: string, deadline: number): Promise<unknown> =>
      tick.add({ keys: [key], args: ['GET', key], effect: 'read', size: 1 }, { deadline })
    const calls = [code(read('a', Date.now() + 20)), code(read('b', Date.now() + 40))]
    await turn()
    setBack()
    expect(await Promise.all(calls)).toEqual(['TIMEOUT', 'TIMEOUT'])
    vi.restoreAllMocks()
  })
})
