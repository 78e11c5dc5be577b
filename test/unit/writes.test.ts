import { describe, expect, it } from 'vitest'
import { divideIntoWrites } from '../../src/store/writes.ts'

/** How many of these commands each write has. Only full writes count. */
function writesOf(commands: readonly (readonly unknown[])[]): number[] {
  const isFull = divideIntoWrites(commands.length)
  const writes: number[] = []
  let count = 0
  for (const args of commands) {
    count++
    if (!isFull(args)) continue
    writes.push(count)
    count = 0
  }
  return writes
}
const times = (count: number, ...args: unknown[]): unknown[][] => Array(count).fill(args)

describe('a batch is divided into writes', () => {
  it('of 32 commands, or half of a large one', () => {
    expect(writesOf(times(31, 'SET', 'k', 'v'))).toEqual([])
    expect(writesOf(times(64, 'SET', 'k', 'v'))).toEqual([32, 32])
    expect(writesOf(times(1024, 'SET', 'k', 'v'))).toEqual([512, 512])
  })
  it('of scripts for 32 keys, however many there are', () => {
    expect(writesOf(times(96, 'EVALSHA', 'sha', 1, 'k'))).toEqual([32, 32, 32])
    expect(writesOf(times(4, 'EVALSHA', 'sha', '16'))).toEqual([2, 2])
  })
})
