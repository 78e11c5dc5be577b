import { checkFlag, checkNames, checkOneOf, checkWhole, invalid } from '../protocol/arguments.ts'
import type { Call } from '../store/store.ts'
import type { Wire } from '../store/transport.ts'
import {
  checkOptions,
  isObject,
  type Lifetime,
  numberOrAbsent,
  type Place,
  pairsOf,
  placeOf,
  type StructureSpace,
  scanPages,
  scoreOrAbsent,
  scoreText,
  toList,
  toNumber,
  toPairs,
  toScore,
} from './place.ts'

/** A member and its score. */
export type Scored<T> = [member: T, score: number]

/** An end of a range of scores: a number, which is included; or `above` or `below` a number, without it. @default no end */
export type ScoreBound =
  | number
  | { readonly above: number; readonly below?: never }
  | { readonly below: number; readonly above?: never }

export type SortedRange =
  /** Positions counted from the lowest score: 0 is the first, -1 the last. Both ends are included. */
  | { readonly by: 'rank'; readonly from: number; readonly to: number }
  | { readonly by: 'score'; readonly from?: ScoreBound; readonly to?: ScoreBound }

export type RangeOptions = SortedRange & {
  /** From the highest score down; ranks then count from there. @default false */
  readonly reverse?: boolean
  /** For a range of scores: how many members to skip. @default 0 */
  readonly offset?: number
  /** For a range of scores: how many members to return at most. @default all */
  readonly limit?: number
}

export interface ScoreOptions extends Call {
  /** Sets only members that are new, or only those that exist. @default both */
  readonly only?: 'new' | 'existing'
  /** Sets a score only if it is higher, or lower, than the current one; new members are added all the same. @default always */
  readonly if?: 'higher' | 'lower'
}

/** Members by score, under one key. Members of equal score are ordered by their encoded text. */
export interface SortedSet<T> extends Lifetime, AsyncIterable<Scored<T>> {
  /** Resolves to whether the member is new. */
  set(member: T, score: number, options?: ScoreOptions): Promise<boolean>
  /** Resolves to how many members are new. */
  setMany(entries: Iterable<readonly [member: T, score: number]>, options?: ScoreOptions): Promise<number>
  /** Adds to a score; a new member starts at 0. Resolves to the sum. */
  incrementBy(member: T, by: number, call?: Call): Promise<number>
  /** Undefined if it is no member. */
  score(member: T, call?: Call): Promise<number | undefined>
  /** In the order of `members`. */
  scores(members: readonly T[], call?: Call): Promise<(number | undefined)[]>
  /** Position counted from the lowest score, or from the highest with `reverse`; 0 is the first. */
  rank(member: T, options?: Call & { readonly reverse?: boolean }): Promise<number | undefined>
  /** The members in the range, in the order of their scores; with `withScores`, each with its score. */
  range(options: RangeOptions & { readonly withScores: true }, call?: Call): Promise<Scored<T>[]>
  range(options: RangeOptions & { readonly withScores?: false }, call?: Call): Promise<T[]>
  range(options: RangeOptions & { readonly withScores?: boolean }, call?: Call): Promise<T[] | Scored<T>[]>
  /** How many members have a score in the range. */
  count(range?: { readonly from?: ScoreBound; readonly to?: ScoreBound }, call?: Call): Promise<number>
  /** Resolves to how many members were deleted. */
  delete(members: readonly T[], call?: Call): Promise<number>
  /** Deletes the members in the range. Resolves to how many were deleted. */
  deleteRange(range: SortedRange, call?: Call): Promise<number>
  /** Removes up to `count` members of the lowest scores, by default 1, and resolves to them. */
  takeLowest(count?: number, call?: Call): Promise<Scored<T>[]>
  /** Removes up to `count` members of the highest scores, by default 1, and resolves to them. */
  takeHighest(count?: number, call?: Call): Promise<Scored<T>[]>
  size(call?: Call): Promise<number>
  /** Pages through members and scores. A member that exists during the whole iteration comes at least once. */
  [Symbol.asyncIterator](): AsyncIterator<Scored<T>>
}

/** A sorted set at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function sortedSet<T = unknown>(space: StructureSpace, key: string): SortedSet<T> {
  return sortedSetAt(placeOf<T>(space, key))
}

const PAGE = 200

export function sortedSetAt<T>(place: Place<T>): SortedSet<T> {
  const { read, write, text, texts, values, lifetime } = place
  const scored = async (reply: Wire): Promise<Scored<T>[]> => {
    const pairs = toPairs(reply)
    const members = await values(pairs.map(([member]) => member))
    return pairs.map(([, score], i) => [members[i] as T, toScore(score)])
  }
  const setMany: SortedSet<T>['setMany'] = async (entries, options) => {
    checkOptions('set', options, ['only', 'if'])
    const { only, if: condition, ...call } = options ?? {}
    const parts = pairsOf(entries).flatMap(([member, score]) => [scoreText(score), text(member)])
    return parts.length === 0 ? 0 : write('ZADD', [...flagsOf(only, condition), ...parts], toNumber, call)
  }
  const ends = ({ from, to }: { readonly from?: ScoreBound; readonly to?: ScoreBound }): string[] => [
    boundText(from, '-inf'),
    boundText(to, '+inf'),
  ]
  return {
    ...lifetime,
    set: async (member, score, options) => (await setMany([[member, score]], options)) === 1,
    setMany,
    incrementBy: (member, by, call) => write('ZINCRBY', () => [scoreText(by, 'by'), text(member)], toScore, call),
    score: (member, call) => read('ZSCORE', () => [text(member)], scoreOrAbsent, call),
    async scores(members, call) {
      const parts = texts(members)
      return parts.length === 0 ? [] : read('ZMSCORE', parts, (reply) => toList(reply).map(scoreOrAbsent), call)
    },
    async rank(member, options) {
      checkOptions('rank', options, ['reverse'])
      const { reverse = false, ...call } = options ?? {}
      checkFlag(reverse, 'reverse')
      return read(reverse ? 'ZREVRANK' : 'ZRANK', [text(member)], numberOrAbsent, call)
    },
    // The overloads declare which of the two results a call gets.
    range: (async (options: RangeOptions & { readonly withScores?: boolean }, call?: Call) =>
      options?.withScores
        ? read('ZRANGE', [...rangeParts(options), 'WITHSCORES'], scored, call)
        : read('ZRANGE', rangeParts(options), values, call)) as SortedSet<T>['range'],
    async count(range, call) {
      checkNames('count', range, ['from', 'to'])
      return read('ZCOUNT', ends(range ?? {}), toNumber, call)
    },
    async delete(members, call) {
      const parts = texts(members)
      return parts.length === 0 ? 0 : write('ZREM', parts, toNumber, call)
    },
    async deleteRange(range, call) {
      checkRange('deleteRange', range, [])
      return range.by === 'rank'
        ? write('ZREMRANGEBYRANK', ranks(range), toNumber, call)
        : write('ZREMRANGEBYSCORE', ends(range), toNumber, call)
    },
    takeLowest: (count = 1, call) => write('ZPOPMIN', () => [checkWhole(count, 'count', 0)], scored, call),
    takeHighest: (count = 1, call) => write('ZPOPMAX', () => [checkWhole(count, 'count', 0)], scored, call),
    size: (call) => read('ZCARD', [], toNumber, call),
    async *[Symbol.asyncIterator]() {
      for await (const page of scanPages(place, 'ZSCAN', PAGE)) yield* await scored(page)
    },
  }
}

const ranks = ({ from, to }: { readonly from: number; readonly to: number }): number[] => [
  checkWhole(from, 'from'),
  checkWhole(to, 'to'),
]

function flagsOf(only: ScoreOptions['only'], condition: ScoreOptions['if']): string[] {
  const flags: string[] = []
  if (only !== undefined) flags.push(checkOneOf(only, 'only', ['new', 'existing']) === 'new' ? 'NX' : 'XX')
  if (condition !== undefined) flags.push(checkOneOf(condition, 'if', ['higher', 'lower']) === 'higher' ? 'GT' : 'LT')
  if (flags.length === 2 && only === 'new') throw invalid("only: 'new' has no score to compare: leave out `if`")
  return flags
}

/** Refuses unknown names: with a mistyped `from` or `to` the range would have no end, and `deleteRange` would delete too much. */
function checkRange(what: string, range: SortedRange, further: readonly string[]): void {
  checkNames(what, range ?? null, ['by', 'from', 'to', ...further])
  checkOneOf(range.by, 'by', ['rank', 'score'])
}

function boundText(bound: ScoreBound | undefined, none: '-inf' | '+inf'): string {
  if (bound === undefined) return none
  if (!isObject(bound)) return scoreText(bound, 'an end of a range')
  const { above, below } = bound as { readonly above?: number; readonly below?: number }
  if (above !== undefined && below !== undefined)
    throw invalid('an end of a range is above or below a number, not both')
  return `(${scoreText(above ?? (below as number), 'an end of a range')}`
}

function rangeParts(options: RangeOptions & { readonly withScores?: boolean }): (string | number)[] {
  checkRange('range', options, ['reverse', 'offset', 'limit', 'withScores'])
  const { reverse = false, withScores = false, offset, limit } = options
  checkFlag(reverse, 'reverse')
  checkFlag(withScores, 'withScores')
  const parts: (string | number)[] = []
  if (options.by === 'rank') parts.push(...ranks(options))
  else {
    const ends = [boundText(options.from, '-inf'), boundText(options.to, '+inf')]
    parts.push(...(reverse ? ends.reverse() : ends), 'BYSCORE')
  }
  if (reverse) parts.push('REV')
  if (offset === undefined && limit === undefined) return parts
  if (options.by === 'rank') throw invalid('a range by rank has its limit in from and to')
  return [...parts, 'LIMIT', checkWhole(offset ?? 0, 'offset', 0), checkWhole(limit ?? -1, 'limit')]
}
