import type { Client, Family, Outcome, Run } from '../contracts.ts'
import { float, int, intBetween } from '../numbers.ts'
import { Double, fail, NULL_ARRAY, type Reply } from '../reply.ts'
import type { SortedNode } from '../sorted-set.ts'
import { SortedSet } from '../sorted-set.ts'
import { MemberSet } from '../values.ts'
import { readPopCount, readTimeout } from './list-moves.ts'
import { storeMembers } from './sorted-ranges.ts'
import { scored } from './sorted-sets.ts'
import { SYNTAX } from './strings.ts'

type How = 'union' | 'inter' | 'diff'

const WRONG_TYPE = 'WRONGTYPE Operation against a key holding the wrong kind of value'

/** Members and scores of a sorted set, or of a set, whose members count with the score 1. */
function membersOf(client: Client, key: string): ReadonlyMap<string, number> {
  const value = client.find(key)
  if (value === undefined) return new Map()
  if (value instanceof SortedSet) return new Map(value.names.map((name, i) => [name, value.values[i] as number]))
  if (value instanceof MemberSet) return new Map(value.names.map((name) => [name, 1]))
  return fail(WRONG_TYPE)
}

interface Wanted {
  readonly keys: readonly string[]
  weights: number[]
  aggregate: string
  withScores: boolean
}

function read(client: Client, args: readonly string[], how: How, isStore: boolean): Wanted {
  const at = isStore ? 2 : 1
  const many = int(args[at])
  if (many < 1) fail(`ERR at least 1 input key is needed for '${args[0]?.toLowerCase()}' command`)
  if (many > args.length - at - 1) fail(SYNTAX)
  const keys = args.slice(at + 1, at + 1 + many)
  for (const key of keys) membersOf(client, key)
  const wanted: Wanted = { keys, weights: keys.map(() => 1), aggregate: 'SUM', withScores: false }
  for (let i = at + 1 + many; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    if (how !== 'diff' && word === 'WEIGHTS' && args.length - i > many) {
      wanted.weights = args.slice(i + 1, i + 1 + many).map((weight) => float(weight, 'ERR weight value is not a float'))
      i += many
    } else if (how !== 'diff' && word === 'AGGREGATE' && i + 1 < args.length) {
      wanted.aggregate = (args[++i] as string).toUpperCase()
      if (!/^(SUM|MIN|MAX)$/.test(wanted.aggregate)) fail(SYNTAX)
    } else if (!isStore && word === 'WITHSCORES') wanted.withScores = true
    else fail(SYNTAX)
  }
  return wanted
}

function combine(client: Client, how: How, { keys, weights, aggregate }: Wanted): Map<string, number> {
  const sources = keys.map((key) => membersOf(client, key))
  const together = (a: number, b: number): number => {
    // Redis treats -0 and 0 as equal and keeps the first; Math.min and Math.max would not.
    const isSecond = aggregate === 'MIN' ? b < a : b > a
    const sum = aggregate === 'SUM' ? a + b : isSecond ? b : a
    return Number.isNaN(sum) ? 0 : sum
  }
  const weighted = (score: number, i: number): number => {
    const product = score * (weights[i] as number)
    return Number.isNaN(product) ? 0 : product
  }
  const result = new Map<string, number>()
  const [first = new Map<string, number>(), ...rest] = sources
  if (how === 'union') {
    sources.forEach((source, i) => {
      for (const [member, score] of source) {
        const old = result.get(member)
        const own = weighted(score, i)
        result.set(member, old === undefined ? own : together(old, own))
      }
    })
    return result
  }
  for (const [member, score] of first) {
    if (how === 'diff') {
      if (!rest.some((source) => source.has(member))) result.set(member, score)
    } else if (rest.every((source) => source.has(member))) {
      const total = rest.reduce(
        (sum, source, i) => together(sum, weighted(source.get(member) as number, i + 1)),
        weighted(score, 0),
      )
      result.set(member, total)
    }
  }
  return result
}

function sortedNodes(members: ReadonlyMap<string, number>): SortedNode[] {
  const set = new SortedSet()
  for (const [member, score] of members) set.put(member, score)
  return set.slice(0, set.size)
}

const reply =
  (how: How): Run =>
  (client, args) => {
    const wanted = read(client, args, how, false)
    const nodes = sortedNodes(combine(client, how, wanted))
    return wanted.withScores ? scored(client, nodes) : nodes.map(({ member }) => member)
  }

const store =
  (how: How, event: string): Run =>
  (client, args) => {
    const members = combine(client, how, read(client, args, how, true))
    return storeMembers(
      client,
      args[1] as string,
      [...members].map(([member, score]) => ({ member, score })),
      event,
    )
  }

function interCard(client: Client, args: readonly string[]): Reply {
  const many = int(args[1])
  if (many < 1) fail("ERR at least 1 input key is needed for 'zintercard' command")
  if (many > args.length - 2) fail(SYNTAX)
  for (const key of args.slice(2, 2 + many)) membersOf(client, key)
  let limit = 0
  for (let i = 2 + many; i < args.length; i += 2) {
    if (args[i]?.toUpperCase() !== 'LIMIT' || args[i + 1] === undefined) fail(SYNTAX)
    limit = intBetween(args[i + 1], 0, 2 ** 63, "ERR LIMIT can't be negative")
  }
  const keys = args.slice(2, 2 + many)
  const count = combine(client, 'inter', { keys, weights: keys.map(() => 1), aggregate: 'SUM', withScores: false }).size
  return limit > 0 ? Math.min(count, limit) : count
}

/** Removes and returns up to `count` of the lowest or highest members. */
function takeNodes(set: SortedSet, isMax: boolean, count: number): SortedNode[] {
  const nodes = set.slice(isMax ? set.size - 1 : 0, count, isMax)
  for (const { member } of nodes) set.remove(member)
  return nodes
}

/** Reports that the lowest or highest members were removed. */
function reportPop(client: Client, key: string, set: SortedSet, isMax: boolean): void {
  client.changed(key, 'z', isMax ? 'zpopmax' : 'zpopmin')
  client.removeIfEmpty(key, set)
}

const pop =
  (isMax: boolean): Run =>
  (client, args) => {
    if (args.length > 3) fail(SYNTAX)
    const range = 'ERR value is out of range, must be positive'
    const count = args.length > 2 ? intBetween(args[2], 0, 2 ** 63, range) : undefined
    const key = args[1] as string
    const set = client.sorted(key)
    if (!set || count === 0) return []
    const nodes = takeNodes(set, isMax, count ?? 1)
    reportPop(client, key, set, isMax)
    if (count === undefined) return nodes.flatMap(({ member, score }) => [member, new Double(score)])
    return scored(client, nodes)
  }

const blockingPop =
  (isMax: boolean): Run =>
  (client, args) => {
    const timeoutMs = readTimeout(args.at(-1))
    const keys = args.slice(1, -1)
    for (const key of keys) {
      const set = client.sorted(key)
      if (!set) continue
      const [node] = takeNodes(set, isMax, 1) as [SortedNode]
      reportPop(client, key, set, isMax)
      return [key, node.member, new Double(node.score)]
    }
    return client.wait({ keys, kind: 'zset', timeoutMs })
  }

function multiPop(client: Client, args: readonly string[], at: number, timeout: string | undefined): Outcome {
  const many = intBetween(args[at], 1, 2 ** 63, 'ERR numkeys should be greater than 0')
  const end = at + 1 + many
  if (end >= args.length) fail(SYNTAX)
  const where = args[end]?.toUpperCase()
  if (where !== 'MIN' && where !== 'MAX') fail(SYNTAX)
  const count = readPopCount(args, end + 1)
  const timeoutMs = timeout === undefined ? undefined : readTimeout(timeout)
  const keys = args.slice(at + 1, end)
  for (const key of keys) {
    const set = client.sorted(key)
    if (!set) continue
    const nodes = takeNodes(set, where === 'MAX', count)
    reportPop(client, key, set, where === 'MAX')
    return [key, nodes.map(({ member, score }) => [member, new Double(score)])]
  }
  return timeoutMs === undefined ? NULL_ARRAY : client.wait({ keys, kind: 'zset', timeoutMs })
}

export const sortedCombined: Family = {
  zunion: reply('union'),
  zinter: reply('inter'),
  zdiff: reply('diff'),
  zunionstore: store('union', 'zunionstore'),
  zinterstore: store('inter', 'zinterstore'),
  zdiffstore: store('diff', 'zdiffstore'),
  zintercard: interCard,
  zpopmin: pop(false),
  zpopmax: pop(true),
  bzpopmin: blockingPop(false),
  bzpopmax: blockingPop(true),
  zmpop: (client, args) => multiPop(client, args, 1, undefined),
  bzmpop: (client, args) => multiPop(client, args, 2, args[1]),
}
