import { describe, expect, it } from 'vitest'
import { lockStep } from '../../../src/lock/operations.ts'

const US = 1_795_000_000_000_000
type Step = Parameters<typeof lockStep.apply>[1]

/** Applies steps on one name, each `ms` after the start. Returns the replies. */
function play(...steps: readonly (readonly [ms: number, ...step: Step])[]): number[] {
  let text: string | undefined
  return steps.map(([ms, ...step]) => {
    const { next, reply } = lockStep.apply(text, step as Step, { nowUs: US + ms * 1000, leftMs: 1e9 })
    text = next
    return reply
  })
}

describe('the steps on one name', () => {
  it('hold until the lease has ended', () => {
    const replies = play(
      [0, 'take', 'a', 10, 1, 0],
      [5, 'take', 'b', 10, 1, 0],
      [10, 'take', 'b', 10, 1, 0],
      [11, 'take', 'b', 10, 1, 0],
    )
    expect(replies).toEqual([US, 0, 0, US + 11_000])
  })
  it('extend no lease that has ended, and give none back that another has taken', () => {
    const replies = play(
      [0, 'take', 'a', 10, 1, 0],
      [11, 'keep', 'a', 10],
      [11, 'free', 'b', 0],
      [12, 'take', 'b', 10, 1, 0],
      [13, 'keep', 'a', 10],
      [13, 'free', 'a', 0],
      [13, 'take', 'c', 10, 1, 0],
    )
    expect(replies).toEqual([US, 0, 0, US + 12_000, 0, 0, 0])
  })
  it('give back and extend a lease that has not, and the first twice', () => {
    const replies = play([0, 'take', 'a', 10, 1, 0], [10, 'keep', 'a', 10], [20, 'free', 'a', 0], [30, 'free', 'a', 0])
    expect(replies).toEqual([US, 1, 1, 1])
  })
  it('let nobody in before those who have a claim, and them only where nobody holds', () => {
    const replies = play(
      [0, 'take', 'a', 10, 1, 0],
      [1, 'take', 'b', 10, 1, 100],
      [2, 'free', 'a', 0],
      [3, 'take', 'c', 10, 1, 0],
      [4, 'take', 'c', 10, 1, 100],
      [5, 'take', 'c', 10, 1, 100],
      [6, 'take', 'b', 10, 1, 100],
    )
    expect(replies).toEqual([US, -1, 1, 0, -1, US + 5000, -1])
  })
  it('let no reader that waits join those who read while a writer waits', () => {
    const replies = play(
      [0, 'take', 'w1', 10, 1, 0],
      [1, 'take', 'r1', 100, 9, 100],
      [1, 'take', 'r2', 100, 9, 100],
      [2, 'take', 'w2', 100, 1, 100],
      [3, 'free', 'w1', 0],
      [4, 'take', 'r1', 100, 9, 100],
      [5, 'take', 'r2', 100, 9, 100],
      [6, 'take', 'w2', 100, 1, 100],
      [7, 'free', 'w2', 0],
      [8, 'take', 'r2', 100, 9, 100],
    )
    expect(replies).toEqual([US, -1, -1, -1, 1, US + 4000, -1, -1, 1, US + 8000])
  })
  it('end a claim that is given back, and one whose time has passed', () => {
    const replies = play(
      [0, 'take', 'a', 5, 1, 0],
      [0, 'take', 'b', 10, 1, 100],
      [1, 'free', 'b', 0],
      [2, 'free', 'a', 0],
      [3, 'take', 'c', 10, 1, 0],
      [4, 'take', 'd', 10, 1, 50],
      [5, 'free', 'c', 0],
      [53, 'take', 'e', 10, 1, 0],
      [54, 'take', 'e', 10, 1, 0],
    )
    expect(replies).toEqual([US, -1, 1, 1, US + 3000, -1, 1, 0, US + 54_000])
  })
  it('are no holder by a claim', () => {
    const replies = play([0, 'take', 'a', 5, 1, 0], [1, 'take', 'b', 10, 1, 100], [2, 'keep', 'b', 100])
    expect(replies).toEqual([US, -1, 0])
  })
  it('keep 32 claims of one name', () => {
    const claim = (i: number): readonly [number, ...Step] => [1, 'take', `c${i}`, 10, 1, 100]
    const claims = Array.from({ length: 34 }, (_, i) => claim(i))
    const replies = play([0, 'take', 'a', 50, 1, 0], ...claims, claim(3))
    expect(replies.slice(1)).toEqual([...Array(32).fill(-1), 0, 0, -1])
  })
})
