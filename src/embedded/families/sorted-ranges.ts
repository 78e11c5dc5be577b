import type { Client, Family, Run } from '../contracts.ts'
import { int } from '../numbers.ts'
import { fail, type Reply } from '../reply.ts'
import { nodesOf, type Ranks, readLex, readRanks, readScores } from '../sorted-ranges.ts'
import { SortedSet } from '../sorted-set.ts'
import { scored } from './sorted-sets.ts'
import { SYNTAX } from './strings.ts'

type By = 'rank' | 'score' | 'lex'

interface RangeOptions {
  by: By
  backwards: boolean
  limit: readonly [offset: number, count: number] | undefined
  withScores: boolean
}

function readOptions(
  args: readonly string[],
  from: number,
  fixed: Partial<RangeOptions>,
  isStore: boolean,
): RangeOptions {
  const options: RangeOptions = { by: 'rank', backwards: false, limit: undefined, withScores: false, ...fixed }
  // One of BYSCORE and BYLEX at most, and each word once.
  const isAny = (): boolean => fixed.by === undefined && options.by === 'rank'
  for (let i = from; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    if (!isStore && word === 'WITHSCORES') options.withScores = true
    else if (word === 'LIMIT' && i + 2 < args.length) {
      options.limit = [int(args[i + 1]), int(args[i + 2])]
      i += 2
    } else if (fixed.by === undefined && !options.backwards && word === 'REV') options.backwards = true
    else if (isAny() && word === 'BYLEX') options.by = 'lex'
    else if (isAny() && word === 'BYSCORE') options.by = 'score'
    else fail(SYNTAX)
  }
  if (options.limit && options.limit[1] !== -1 && options.by === 'rank') {
    fail('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX')
  }
  // A LIMIT with the count -1 is allowed, and has no effect on ranks.
  if (options.by === 'rank') {
    options.limit = undefined
  }
  if (options.withScores && options.by === 'lex')
    fail('ERR syntax error, WITHSCORES not supported in combination with BYLEX')
  return options
}

function finder({ by, backwards }: RangeOptions, a: string, b: string): (set: SortedSet) => Ranks {
  if (by === 'score') return backwards ? readScores(b, a) : readScores(a, b)
  if (by === 'lex') return backwards ? readLex(b, a) : readLex(a, b)
  const [first, last] = [int(a), int(b)]
  if (!backwards) return readRanks(first, last)
  return (set) => {
    const { from, to } = readRanks(first, last)(set)
    return { from: set.size - to, to: set.size - from }
  }
}

const range =
  (fixed: Partial<RangeOptions>): Run =>
  (client, args) => {
    const [, key = '', a = '', b = ''] = args
    const options = readOptions(args, 4, fixed, false)
    const find = finder(options, a, b)
    const set = client.sorted(key)
    if (!set) return []
    const nodes = nodesOf(set, find(set), options)
    return options.withScores ? scored(client, nodes) : nodes.map(({ member }) => member)
  }

function store(client: Client, args: readonly string[]): Reply {
  const [, target = '', key = '', a = '', b = ''] = args
  const options = readOptions(args, 5, {}, true)
  const find = finder(options, a, b)
  const source = client.sorted(key)
  const nodes = source ? nodesOf(source, find(source), options) : []
  return storeMembers(client, target, nodes, 'zrangestore')
}

/** Stores these members as a sorted set. Deletes the key if there are none. */
export function storeMembers(
  client: Client,
  target: string,
  members: Iterable<{ member: string; score: number }>,
  event: string,
): number {
  const set = new SortedSet()
  for (const { member, score } of members) set.put(member, score)
  const existed = client.remove(target)
  if (set.size > 0) {
    client.put(target, set)
    client.changed(target, 'z', event)
  } else if (existed) client.changed(target, 'g', 'del')
  return set.size
}

export const sortedRanges: Family = {
  zrange: range({}),
  zrevrange: range({ by: 'rank', backwards: true }),
  zrangebyscore: range({ by: 'score' }),
  zrevrangebyscore: range({ by: 'score', backwards: true }),
  zrangebylex: range({ by: 'lex' }),
  zrevrangebylex: range({ by: 'lex', backwards: true }),
  zrangestore: store,
}
