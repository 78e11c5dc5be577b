import type { AtomicStore, CommandStore } from '../../src/index.ts'
import { batch, geo, hash, type Scored, sortedSet } from '../../src/structures/index.ts'

declare const commands: CommandStore
declare const atomic: AtomicStore

// @ts-expect-error a store without Redis commands has no structures
hash({ store: atomic }, 'k')

const top = sortedSet<string>({ store: commands }, 'k')
export const scored: Promise<Scored<string>[]> = top.range({ by: 'rank', from: 0, to: 1, withScores: true })
export const members: Promise<string[]> = top.range({ by: 'score', from: { above: 1 } })
declare const withScores: boolean
export const maybe: Promise<string[] | Scored<string>[]> = top.range({ by: 'rank', from: 0, to: 1, withScores })
// @ts-expect-error whether there are scores is not known at compile time
export const sure: Promise<string[]> = top.range({ by: 'rank', from: 0, to: 1, withScores })
// @ts-expect-error a range by rank needs both ends
top.range({ by: 'rank', from: 0 })
// @ts-expect-error members of this set are text
top.set(7, 1)

export const results: Promise<[number | undefined, boolean]> = batch({ store: commands }, (b) => [
  b.hash<number>('k').get('f'),
  b.set<string>('s').has('x'),
])
// @ts-expect-error an end of a range is above or below a number, not both
top.range({ by: 'score', from: { above: 0, below: 1 } })
// @ts-expect-error a search is within a radius or a box, not both
geo({ store: commands }, 'k').nearby({ around: { member: 'm' }, within: { radius: 1, width: 2, height: 3 } })
