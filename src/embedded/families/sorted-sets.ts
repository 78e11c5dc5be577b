import type { Client, Family } from '../contracts.ts'
import { float, int } from '../numbers.ts'
import { Double, fail, NULL_ARRAY, type Reply } from '../reply.ts'
import { readCursor, readScanOptions, scanPlaces } from '../scan.ts'
import { type Ranks, readLex, readRanks, readScores } from '../sorted-ranges.ts'
import { SortedSet } from '../sorted-set.ts'
import { pick, readPickCount } from './hashes.ts'
import { SYNTAX } from './strings.ts'

/** Members with their scores as a reply: pairs in RESP3, a flat list in RESP2. */
export const scored = (client: Client, nodes: readonly { member: string; score: number }[]): Reply => {
  const found = nodes.map(({ member, score }) => [member, new Double(score)])
  return client.resp === 3 ? found : found.flat()
}

interface AddFlags {
  nx: boolean
  xx: boolean
  gt: boolean
  lt: boolean
  ch: boolean
  incr: boolean
}

function addAll(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const flags: AddFlags = { nx: false, xx: false, gt: false, lt: false, ch: false, incr: false }
  let at = 2
  for (; at < args.length; at++) {
    const word = (args[at] as string).toLowerCase()
    if (!(word in flags)) break
    flags[word as keyof AddFlags] = true
  }
  const { nx, xx, gt, lt, ch, incr } = flags
  if (args.length === at || (args.length - at) % 2 !== 0) fail(SYNTAX)
  if (nx && xx) fail('ERR XX and NX options at the same time are not compatible')
  if ((gt && nx) || (lt && nx) || (gt && lt)) fail('ERR GT, LT, and/or NX options at the same time are not compatible')
  if (incr && args.length - at !== 2) fail('ERR INCR option supports a single increment-element pair')
  const scores: number[] = []
  for (let i = at; i < args.length; i += 2) scores.push(float(args[i]))
  let set = client.sorted(key)
  if (!set) {
    if (xx) return incr ? null : 0
    set = new SortedSet()
  }
  let added = 0
  let changed = 0
  let result: number | undefined
  for (let i = 0; i < scores.length; i++) {
    const member = args[at + 1 + 2 * i] as string
    const old = set.get(member)
    let score = scores[i] as number
    if (incr && old !== undefined) score += old
    if (Number.isNaN(score)) fail('ERR resulting score is not a number (NaN)')
    if (old === undefined ? xx : nx || (gt && score <= old) || (lt && score >= old)) continue
    result = score
    if (set.put(member, score)) added++
    else if (score !== old) changed++
  }
  if (added + changed > 0) {
    if (set.size === added && client.sorted(key) === undefined) client.put(key, set)
    client.changed(key, 'z', incr ? 'zincr' : 'zadd')
  }
  if (incr) return result === undefined ? null : new Double(result)
  return ch ? added + changed : added
}

function remove(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const set = client.sorted(key)
  if (!set) return 0
  let removed = 0
  for (const member of args.slice(2)) if (set.remove(member)) removed++
  if (removed > 0) {
    client.changed(key, 'z', 'zrem')
    client.removeIfEmpty(key, set)
  }
  return removed
}

const removeRange =
  (read: (a: string, b: string) => (set: SortedSet) => Ranks, event: string) =>
  (client: Client, [, key = '', a = '', b = '']: readonly string[]): Reply => {
    const find = read(a, b)
    const set = client.sorted(key)
    if (!set) return 0
    const { from, to } = find(set)
    const nodes = set.slice(from, Math.max(0, to - from))
    for (const { member } of nodes) set.remove(member)
    if (nodes.length > 0) {
      client.changed(key, 'z', event)
      client.removeIfEmpty(key, set)
    }
    return nodes.length
  }

const countRange =
  (read: (a: string, b: string) => (set: SortedSet) => Ranks) =>
  (client: Client, [, key = '', a = '', b = '']: readonly string[]): Reply => {
    const find = read(a, b)
    const set = client.sorted(key)
    if (!set) return 0
    const { from, to } = find(set)
    return Math.max(0, to - from)
  }

const rank =
  (backwards: boolean) =>
  (client: Client, args: readonly string[]): Reply => {
    const withScore = args[3] !== undefined
    if (args.length > 4) fail(`ERR wrong number of arguments for '${backwards ? 'zrevrank' : 'zrank'}' command`)
    if (withScore && args[3]?.toUpperCase() !== 'WITHSCORE') fail(SYNTAX)
    const set = client.sorted(args[1] as string)
    const place = set?.rank(args[2] as string)
    if (!set || place === undefined) return withScore ? NULL_ARRAY : null
    const at = backwards ? set.size - 1 - place : place
    return withScore ? [at, new Double(set.get(args[2] as string) as number)] : at
  }

function randomMember(client: Client, args: readonly string[]): Reply {
  const count = readPickCount(args, 'WITHSCORES')
  const set = client.sorted(args[1] as string)
  if (!set) return count === undefined ? null : []
  const nodes = pick(set, count ?? 1).map((place) => ({
    member: set.names[place] as string,
    score: set.values[place] as number,
  }))
  if (count === undefined) return (nodes[0] as { member: string }).member
  return args.length === 4 ? scored(client, nodes) : nodes.map(({ member }) => member)
}

export const sortedSets: Family = {
  zadd: addAll,
  zincrby(client, [, key = '', amount, member = '']) {
    if (/^([nx]x|[gl]t|ch|incr)$/i.test(amount as string)) fail(SYNTAX)
    const by = float(amount)
    const old = client.sorted(key)
    const before = old?.get(member)
    const score = before === undefined ? by : before + by
    if (Number.isNaN(score)) fail('ERR resulting score is not a number (NaN)')
    const set = old ?? new SortedSet()
    const isSame = set.get(member) === score
    set.put(member, score)
    if (!old) client.put(key, set)
    if (!isSame) client.changed(key, 'z', 'zincr')
    return new Double(score)
  },
  zrem: remove,
  zcard: (client, args) => client.sorted(args[1] as string)?.size ?? 0,
  zscore(client, args) {
    const score = client.sorted(args[1] as string)?.get(args[2] as string)
    return score === undefined ? null : new Double(score)
  },
  zmscore(client, args) {
    const set = client.sorted(args[1] as string)
    return args.slice(2).map((member) => {
      const score = set?.get(member)
      return score === undefined ? null : new Double(score)
    })
  },
  zrank: rank(false),
  zrevrank: rank(true),
  zcount: countRange(readScores),
  zlexcount: countRange(readLex),
  zremrangebyscore: removeRange(readScores, 'zremrangebyscore'),
  zremrangebylex: removeRange(readLex, 'zremrangebylex'),
  zremrangebyrank: removeRange((a, b) => readRanks(int(a), int(b)), 'zremrangebyrank'),
  zrandmember: randomMember,
  zscan(client, args) {
    const from = readCursor(args[2] as string)
    const set = client.sorted(args[1] as string)
    if (!set) return ['0', []]
    const { cursor, names } = scanPlaces(set, from, readScanOptions(args, 3, ''))
    return [cursor, names.flatMap((name) => [name, new Double(set.get(name) as number).text])]
  },
}
