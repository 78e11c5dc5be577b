import type { Client, Family } from '../contracts.ts'
import { exactInt, int } from '../numbers.ts'
import { fail, NULL_ARRAY, OK, type Reply } from '../reply.ts'
import { List } from '../values.ts'
import { SYNTAX } from './strings.ts'

const BELOW_LONG = 'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807'

function push(client: Client, args: readonly string[], side: 'l' | 'r', mustExist: boolean): Reply {
  const key = args[1] as string
  let list = client.list(key)
  if (!list) {
    if (mustExist) return 0
    list = new List()
    client.put(key, list)
  }
  for (let i = 2; i < args.length; i++) {
    if (side === 'l') list.unshift(args[i] as string)
    else list.push(args[i] as string)
  }
  client.changed(key, 'l', `${side}push`)
  return list.size
}

/** Takes up to `count` items from an end of a list. */
export function takeItems(list: List, side: 'l' | 'r', count: number): string[] {
  const items: string[] = []
  while (items.length < count) {
    const item = side === 'l' ? list.shift() : list.pop()
    if (item === undefined) break
    items.push(item)
  }
  return items
}

/** Reports that items were taken from an end of a list. */
export function reportPop(client: Client, key: string, list: List, side: 'l' | 'r'): void {
  client.changed(key, 'l', `${side}pop`)
  client.removeIfEmpty(key, list)
}

function pop(client: Client, args: readonly string[], side: 'l' | 'r'): Reply {
  const key = args[1] as string
  const name = `${side}pop`
  if (args.length > 3) fail(`ERR wrong number of arguments for '${name}' command`)
  const count = args.length > 2 ? int(args[2], 'ERR value is out of range, must be positive') : undefined
  if (count !== undefined && count < 0) fail('ERR value is out of range, must be positive')
  const list = client.list(key)
  if (!list) return count === undefined ? null : NULL_ARRAY
  if (count === 0) return []
  const items = takeItems(list, side, count ?? 1)
  reportPop(client, key, list, side)
  return count === undefined ? (items[0] as string) : items
}

function range(size: number, from: number, to: number): readonly [number, number] {
  const first = Math.max(0, from < 0 ? size + from : from)
  return [first, Math.min(size, (to < 0 ? size + to : to) + 1)]
}

function remove(client: Client, [, key = '', limit, item]: readonly string[]): Reply {
  const count = int(limit)
  if (exactInt(limit) === -(2n ** 63n)) fail(BELOW_LONG)
  const list = client.list(key)
  if (!list) return 0
  const items = list.toArray()
  if (count < 0) items.reverse()
  let left = count === 0 ? Number.POSITIVE_INFINITY : Math.abs(count)
  const kept = items.filter((one) => one !== item || left-- <= 0)
  if (kept.length === items.length) return 0
  list.replace(count < 0 ? kept.reverse() : kept)
  client.changed(key, 'l', 'lrem')
  client.removeIfEmpty(key, list)
  return items.length - kept.length
}

function insert(client: Client, [, key = '', where, pivot, item = '']: readonly string[]): Reply {
  const before = where?.toLowerCase() === 'before'
  if (!before && where?.toLowerCase() !== 'after') fail(SYNTAX)
  const list = client.list(key)
  if (!list) return 0
  const items = list.toArray()
  const at = items.indexOf(pivot as string)
  if (at < 0) return -1
  items.splice(before ? at : at + 1, 0, item)
  list.replace(items)
  client.changed(key, 'l', 'linsert')
  return list.size
}

function positions(client: Client, args: readonly string[]): Reply {
  const item = args[2]
  let rank = 1
  let count: number | undefined
  let most = 0
  for (let i = 3; i < args.length; i += 2) {
    const word = args[i]?.toUpperCase()
    const value = args[i + 1]
    if (value === undefined) fail(SYNTAX)
    if (word === 'RANK') {
      rank = int(value, 'ERR value is not an integer or out of range')
      if (exactInt(value) === -(2n ** 63n)) fail(BELOW_LONG)
      if (rank === 0) {
        fail(
          "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list",
        )
      }
    } else if (word === 'COUNT') {
      count = int(value, "ERR COUNT can't be negative")
      if (count < 0) fail("ERR COUNT can't be negative")
    } else if (word === 'MAXLEN') {
      most = int(value, "ERR MAXLEN can't be negative")
      if (most < 0) fail("ERR MAXLEN can't be negative")
    } else fail(SYNTAX)
  }
  const list = client.list(args[1] as string)
  if (!list) return count === undefined ? null : []
  const found: number[] = []
  let skip = Math.abs(rank) - 1
  const wanted = count === undefined ? 1 : count === 0 ? Number.POSITIVE_INFINITY : count
  for (let i = 0; i < list.size && (most === 0 || i < most) && found.length < wanted; i++) {
    const at = rank > 0 ? i : list.size - 1 - i
    if (list.get(at) === item && skip-- <= 0) found.push(at)
  }
  return count === undefined ? (found[0] ?? null) : found
}

export const lists: Family = {
  lpush: (client, args) => push(client, args, 'l', false),
  rpush: (client, args) => push(client, args, 'r', false),
  lpushx: (client, args) => push(client, args, 'l', true),
  rpushx: (client, args) => push(client, args, 'r', true),
  lpop: (client, args) => pop(client, args, 'l'),
  rpop: (client, args) => pop(client, args, 'r'),
  llen: (client, args) => client.list(args[1] as string)?.size ?? 0,
  lindex(client, args) {
    const list = client.list(args[1] as string)
    if (!list) return null
    return list.get(int(args[2])) ?? null
  },
  lset(client, [, key = '', index, item = '']) {
    const list = client.list(key) ?? fail('ERR no such key')
    // Redis takes only the low 32 bits of this index.
    const at = Number(BigInt.asIntN(32, BigInt(exactInt(index))))
    if (list.get(at) === undefined) fail('ERR index out of range')
    list.set(at < 0 ? list.size + at : at, item)
    client.changed(key, 'l', 'lset')
    return OK
  },
  lrange(client, args) {
    const [from, to] = [int(args[2]), int(args[3])]
    const list = client.list(args[1] as string)
    return list ? list.slice(...range(list.size, from, to)) : []
  },
  ltrim(client, args) {
    const key = args[1] as string
    const [from, to] = [int(args[2]), int(args[3])]
    const list = client.list(key)
    if (!list) return OK
    const [first, end] = range(list.size, from, to)
    const beyond = list.size - end
    if (first >= end) list.replace([])
    else {
      for (let i = 0; i < first; i++) list.shift()
      for (let i = 0; i < beyond; i++) list.pop()
    }
    client.changed(key, 'l', 'ltrim')
    client.removeIfEmpty(key, list)
    return OK
  },
  lrem: remove,
  linsert: insert,
  lpos: positions,
}
