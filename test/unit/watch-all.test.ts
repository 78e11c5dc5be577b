import { describe, expect, it } from 'vitest'
import { within } from '../../src/runtime/deadline.ts'
import { createTick, settle, type Unit } from '../../src/store/tick.ts'
import { watchAll } from '../../src/store/watch-all.ts'

/** A tick whose one timer is fired by hand. */
function handMade() {
  const timers = new Set<{ fn: () => void; ms: number }>()
  const flushed: { units: readonly Unit[]; end: () => void }[] = []
  const traits = { shared: true, ttlStepMs: 1, maxKeyBytes: 64, maxValueBytes: 64 } as const
  const tick = createTick(
    { ...traits, clock: 'server', consistency: 'strong' },
    60_000,
    (units, end) => void flushed.push({ units, end }),
    watchAll((fn, ms) => {
      const timer = { fn, ms }
      timers.add(timer)
      return () => void timers.delete(timer)
    }),
  )
  const fire = (): void => {
    for (const timer of [...timers]) {
      timers.delete(timer)
      timer.fn()
    }
  }
  const read = (key: string, deadline?: number): Promise<unknown> =>
    tick.add([key], ['GET', key], 'read', 1, deadline === undefined ? undefined : { deadline })
  return { tick, timers, flushed, fire, read }
}
const turn = (ms = 0): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'answered',
    (error: { code: string }) => error.code,
  )

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
  it('takes what arrives in the turn after the deadline', async () => {
    const { flushed, fire, read, tick } = handMade()
    const answer = read('a', Date.now() + 5)
    await turn(10)
    fire()
    settle(flushed[0]?.units[0] as Unit, 'resolve', 'x')
    expect(await answer).toBe('x')
    tick.close()
  })
  it('is not set again once nothing is under way, and is for what comes then', async () => {
    const { timers, flushed, fire, read, tick } = handMade()
    const answer = read('a')
    await turn()
    settle(flushed[0]?.units[0] as Unit, 'resolve', 'x')
    flushed[0]?.end()
    expect(await answer).toBe('x')
    fire()
    expect(timers.size).toBe(0)
    const next = code(read('b'))
    await turn()
    expect(timers.size).toBe(1)
    tick.close()
    expect(await next).toBe('CLOSED')
  })
})

describe('a process that was held up', () => {
  const block = (ms: number): void => {
    for (const end = Date.now() + ms; Date.now() < end; );
  }
  it('sends what came due meanwhile, and waits for its reply', async () => {
    const { flushed, fire, read, tick } = handMade()
    const answer = read('a', Date.now() + 10)
    block(30)
    await turn()
    fire()
    await turn()
    settle(flushed[0]?.units[0] as Unit, 'resolve', 'x')
    expect(await answer).toBe('x')
    tick.close()
  })
  it('leaves a deadline alone that is far', async () => {
    const { flushed, read, tick } = handMade()
    const far = Date.now() + 90_000
    const answer = code(read('a', far))
    block(30)
    await turn()
    expect(flushed[0]?.units[0]?.deadline).toBe(far)
    tick.close()
    expect(await answer).toBe('CLOSED')
  })
  it('leaves the deadlines of a process alone that was not', async () => {
    const { flushed, read, tick } = handMade()
    const soon = Date.now() + 20
    const answer = code(read('a', soon))
    await undefined
    await undefined
    expect(flushed[0]?.units[0]?.deadline).toBe(soon)
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
    // Set before it is due, and due after: between the two the loop takes a turn.
    for (const end = Date.now() + 20; Date.now() < end; );
    setTimeout(() => arrive('x'))
    expect(await result).toBe('x')
    const late = code(within(new Promise(() => {}), { signals: [], deadline: Date.now() + 5 }))
    expect(await late).toBe('TIMEOUT')
  })
})
