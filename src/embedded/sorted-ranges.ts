import { parseFloat64 } from './numbers.ts'
import { fail } from './reply.ts'
import type { SortedNode, SortedSet } from './sorted-set.ts'

/** The part of a sorted set with the ranks from `from` up to, but not including, `to`. */
export interface Ranks {
  readonly from: number
  readonly to: number
}

const NOT_FLOAT = 'ERR min or max is not a float'
const NOT_LEX = 'ERR min or max not valid string range item'

interface ScoreBound {
  readonly value: number
  readonly isOpen: boolean
}

function scoreBound(text: string): ScoreBound {
  const isOpen = text.startsWith('(')
  // As `strtod` reads it: empty text is 0.
  const digits = (isOpen ? text.slice(1) : text).split('\0', 1)[0] as string
  // Hexadecimal numbers are refused here.
  const value = (digits === '' ? 0 : /^[+-]?0x/i.test(digits) ? undefined : parseFloat64(digits)) ?? fail(NOT_FLOAT)
  return { value, isOpen }
}

/** Parses bounds such as `1`, `(1`, `-inf`. Throws error replies. The function that it returns finds the ranks in a set. */
export function readScores(min: string, max: string): (set: SortedSet) => Ranks {
  const low = scoreBound(min)
  const high = scoreBound(max)
  return (set) => ({
    from: set.countBefore(({ score }) => (low.isOpen ? score <= low.value : score < low.value)),
    to: set.countBefore(({ score }) => (high.isOpen ? score < high.value : score <= high.value)),
  })
}

type LexBound = '-' | '+' | { readonly member: string; readonly isOpen: boolean }

function lexBound(text: string): LexBound {
  if (text === '-' || text === '+') return text
  if (text[0] !== '[' && text[0] !== '(') return fail(NOT_LEX)
  return { member: text.slice(1), isOpen: text[0] === '(' }
}

/** Parses bounds such as `[a`, `(a`, `-` and `+`, for members with one score. */
export function readLex(min: string, max: string): (set: SortedSet) => Ranks {
  const low = lexBound(min)
  const high = lexBound(max)
  const below = (bound: LexBound, isOpen: boolean): ((node: SortedNode) => boolean) =>
    bound === '-'
      ? () => false
      : bound === '+'
        ? () => true
        : ({ member }) => (isOpen ? member <= bound.member : member < bound.member)
  return (set) => ({
    from: set.countBefore(below(low, typeof low === 'object' && low.isOpen)),
    to: set.countBefore(below(high, !(typeof high === 'object' && high.isOpen))),
  })
}

/** Ranks from `first` to `last`, both included. Negative ranks count from the end. */
export function readRanks(first: number, last: number): (set: SortedSet) => Ranks {
  return ({ size }) => ({
    from: Math.max(0, first < 0 ? size + first : first),
    to: Math.min(size, (last < 0 ? size + last : last) + 1),
  })
}

/** Which nodes of a part are wanted: from its end if `backwards`, and then `count` nodes after the first `offset`. */
export interface Pick {
  readonly backwards: boolean
  readonly limit: readonly [offset: number, count: number] | undefined
}

export function nodesOf(set: SortedSet, { from, to }: Ranks, { backwards, limit }: Pick): SortedNode[] {
  const [offset, count] = limit ?? [0, -1]
  const length = Math.max(0, to - from)
  if (offset < 0 || offset >= length) return []
  const most = count < 0 ? length - offset : Math.min(count, length - offset)
  return set.slice(backwards ? to - 1 - offset : from + offset, most, backwards)
}
