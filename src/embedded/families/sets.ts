import { random } from '../../runtime/random.ts'
import type { Client, Family } from '../contracts.ts'
import { intBetween } from '../numbers.ts'
import { fail, type Reply, SetReply } from '../reply.ts'
import { readCursor, readScanOptions, scanPlaces } from '../scan.ts'
import { MemberSet } from '../values.ts'
import { pick, readPickCount } from './hashes.ts'
import { SYNTAX } from './strings.ts'

function add(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  let set = client.set(key)
  if (!set) {
    set = new MemberSet()
    client.put(key, set)
  }
  let added = 0
  for (let i = 2; i < args.length; i++) if (set.set(args[i] as string, true)) added++
  if (added > 0) client.changed(key, 's', 'sadd')
  return added
}

function remove(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  const set = client.set(key)
  if (!set) return 0
  let removed = 0
  for (let i = 2; i < args.length; i++) if (set.delete(args[i] as string)) removed++
  if (removed > 0) {
    client.changed(key, 's', 'srem')
    client.removeIfEmpty(key, set)
  }
  return removed
}

function move(client: Client, [, from = '', to = '', member = '']: readonly string[]): Reply {
  const source = client.set(from)
  if (!source) return 0
  const target = client.set(to)
  if (from === to) return source.has(member) ? 1 : 0
  if (!source.delete(member)) return 0
  client.changed(from, 's', 'srem')
  client.removeIfEmpty(from, source)
  const set = target ?? new MemberSet()
  if (!target) client.put(to, set)
  const isNew = set.set(member, true)
  if (isNew) client.changed(to, 's', 'sadd')
  return 1
}

type Combine = 'inter' | 'union' | 'diff'

/** Intersection, union or difference of several sets. Throws WRONGTYPE for a key that is not a set. */
function combine(
  client: Client,
  keys: readonly string[],
  how: Combine,
  limit: number = Number.POSITIVE_INFINITY,
): string[] {
  const sets = keys.map((key) => client.set(key))
  const [first, ...rest] = sets
  if (how === 'union') return [...new Set(sets.flatMap((set) => set?.names ?? []))]
  if (!first || (how === 'inter' && sets.includes(undefined))) return []
  const found: string[] = []
  for (const member of first.names) {
    const fits = how === 'inter' ? rest.every((set) => set?.has(member)) : !rest.some((set) => set?.has(member))
    if (fits && found.push(member) >= limit) break
  }
  return found
}

const store =
  (how: Combine, event: string) =>
  (client: Client, args: readonly string[]): Reply => {
    const target = args[1] as string
    const members = combine(client, args.slice(2), how)
    if (members.length === 0) {
      if (client.remove(target)) client.changed(target, 'g', 'del')
      return 0
    }
    const set = new MemberSet()
    for (const member of members) set.set(member, true)
    client.remove(target)
    client.put(target, set)
    client.changed(target, 's', event)
    return set.size
  }

function pop(client: Client, args: readonly string[]): Reply {
  const key = args[1] as string
  if (args.length > 3) fail(SYNTAX)
  const range = 'ERR value is out of range, must be positive'
  const count = args.length > 2 ? intBetween(args[2], 0, 2 ** 63, range) : undefined
  const set = client.set(key)
  if (!set) return count === undefined ? null : new SetReply([])
  if (count === 0) return new SetReply([])
  const members: string[] = []
  while (set.size > 0 && members.length < (count ?? 1)) {
    const member = set.names[Math.floor(random() * set.size)] as string
    set.delete(member)
    members.push(member)
  }
  client.changed(key, 's', 'spop')
  client.removeIfEmpty(key, set)
  return count === undefined ? (members[0] as string) : new SetReply(members)
}

function randomMember(client: Client, args: readonly string[]): Reply {
  if (args.length > 3) fail(SYNTAX)
  const count = readPickCount(args, '')
  const set = client.set(args[1] as string)
  if (!set) return count === undefined ? null : []
  const places = pick(set, count ?? 1)
  const members = places.map((place) => set.names[place] as string)
  return count === undefined ? (members[0] as string) : members
}

function interCard(client: Client, args: readonly string[]): Reply {
  const many = intBetween(args[1], 1, 2 ** 63, 'ERR numkeys should be greater than 0')
  if (many > args.length - 2) fail("ERR Number of keys can't be greater than number of args")
  let limit = 0
  for (let i = 2 + many; i < args.length; i += 2) {
    if (args[i]?.toUpperCase() !== 'LIMIT' || args[i + 1] === undefined) fail(SYNTAX)
    limit = intBetween(args[i + 1], 0, 2 ** 63, "ERR LIMIT can't be negative")
  }
  return combine(client, args.slice(2, 2 + many), 'inter', limit || undefined).length
}

export const sets: Family = {
  sadd: add,
  srem: remove,
  smove: move,
  scard: (client, args) => client.set(args[1] as string)?.size ?? 0,
  sismember: (client, args) => (client.set(args[1] as string)?.has(args[2] as string) ? 1 : 0),
  smismember(client, args) {
    const set = client.set(args[1] as string)
    return args.slice(2).map((member) => (set?.has(member) ? 1 : 0))
  },
  smembers: (client, args) => new SetReply([...(client.set(args[1] as string)?.names ?? [])]),
  sinter: (client, args) => new SetReply(combine(client, args.slice(1), 'inter')),
  sunion: (client, args) => new SetReply(combine(client, args.slice(1), 'union')),
  sdiff: (client, args) => new SetReply(combine(client, args.slice(1), 'diff')),
  sinterstore: store('inter', 'sinterstore'),
  sunionstore: store('union', 'sunionstore'),
  sdiffstore: store('diff', 'sdiffstore'),
  sintercard: interCard,
  spop: pop,
  srandmember: randomMember,
  sscan(client, args) {
    const from = readCursor(args[2] as string)
    const set = client.set(args[1] as string)
    if (!set) return ['0', []]
    const { cursor, names } = scanPlaces(set, from, readScanOptions(args, 3, ''))
    return [cursor, names]
  },
}
