import type { Client, Family, Outcome } from '../contracts.ts'
import { intBetween, parseFloat64 } from '../numbers.ts'
import { fail, NULL_ARRAY, type Reply } from '../reply.ts'
import { List } from '../values.ts'
import { reportPop, takeItems } from './lists.ts'
import { SYNTAX } from './strings.ts'

/** A timeout in seconds, as milliseconds; 0 waits without an end. Throws error replies. */
export function readTimeout(text: string | undefined): number {
  const seconds = parseFloat64(text ?? '')
  if (seconds === undefined) return fail('ERR timeout is not a float or out of range')
  if (seconds < 0) return fail('ERR timeout is negative')
  if (seconds * 1000 > 2 ** 62) return fail('ERR timeout is out of range')
  return Math.ceil(seconds * 1000)
}

const sideOf = (word: string | undefined): 'l' | 'r' => {
  const side = word?.toUpperCase()
  return side === 'LEFT' ? 'l' : side === 'RIGHT' ? 'r' : fail(SYNTAX)
}

/** A move from one end of a list to one end of another. */
interface Move {
  readonly from: string
  readonly to: string
  readonly take: 'l' | 'r'
  readonly put: 'l' | 'r'
}

/** Moves an item and returns it; undefined if the source has none. */
function move(client: Client, { from, to, take, put }: Move): string | undefined {
  const source = client.list(from)
  if (!source) return undefined
  const target = client.list(to)
  const item = (take === 'l' ? source.shift() : source.pop()) as string
  const list = target ?? new List()
  if (!target) client.put(to, list)
  if (put === 'l') list.unshift(item)
  else list.push(item)
  client.changed(to, 'l', `${put}push`)
  client.changed(from, 'l', `${take}pop`)
  client.removeIfEmpty(from, source)
  return item
}

/** Takes items from the first list of `keys` that has any. Returns its key and the items. */
function popFirst(
  client: Client,
  keys: readonly string[],
  side: 'l' | 'r',
  count: number,
): readonly [string, string[]] | undefined {
  for (const key of keys) {
    const list = client.list(key)
    if (!list) continue
    const items = takeItems(list, side, count)
    reportPop(client, key, list, side)
    return [key, items]
  }
  return undefined
}

function blockingPop(client: Client, args: readonly string[], side: 'l' | 'r'): Outcome {
  const timeoutMs = readTimeout(args.at(-1))
  const keys = args.slice(1, -1)
  const found = popFirst(client, keys, side, 1)
  return found ? [found[0], found[1][0] as string] : client.wait({ keys, kind: 'list', timeoutMs })
}

/** Reads `COUNT n`, which may stand once, up to the end. Throws error replies. */
export function readPopCount(args: readonly string[], from: number): number {
  let count: number | undefined
  for (let i = from; i < args.length; i += 2) {
    if (count !== undefined || args[i]?.toUpperCase() !== 'COUNT' || args[i + 1] === undefined) fail(SYNTAX)
    count = intBetween(args[i + 1], 1, 2 ** 63, 'ERR count should be greater than 0')
  }
  return count ?? 1
}

/** Reads `numkeys key … LEFT|RIGHT [COUNT n]` from `at` on. */
function readMultiPop(args: readonly string[], at: number): readonly [string[], 'l' | 'r', number] {
  const many = intBetween(args[at], 1, 2 ** 63, 'ERR numkeys should be greater than 0')
  const end = at + 1 + many
  if (end >= args.length) fail(SYNTAX)
  const side = sideOf(args[end])
  return [args.slice(at + 1, end), side, readPopCount(args, end + 1)]
}

function multiPop(client: Client, args: readonly string[], at: number, timeout: string | undefined): Outcome {
  const [keys, side, count] = readMultiPop(args, at)
  const timeoutMs = timeout === undefined ? undefined : readTimeout(timeout)
  const found = popFirst(client, keys, side, count)
  if (found) return found as Reply
  return timeoutMs === undefined ? NULL_ARRAY : client.wait({ keys, kind: 'list', timeoutMs })
}

function blockingMove(client: Client, wanted: Move, timeoutMs: number): Outcome {
  const item = move(client, wanted)
  if (item === undefined && !client.mayWait) return null
  return item ?? client.wait({ keys: [wanted.from], kind: 'list', timeoutMs })
}

export const listMoves: Family = {
  lmove: (client, [, from = '', to = '', take, put]) =>
    move(client, { from, to, take: sideOf(take), put: sideOf(put) }) ?? null,
  rpoplpush: (client, [, from = '', to = '']) => move(client, { from, to, take: 'r', put: 'l' }) ?? null,
  blmove: (client, [, from = '', to = '', take, put, timeout]) =>
    blockingMove(client, { from, to, take: sideOf(take), put: sideOf(put) }, readTimeout(timeout)),
  brpoplpush: (client, [, from = '', to = '', timeout]) =>
    blockingMove(client, { from, to, take: 'r', put: 'l' }, readTimeout(timeout)),
  blpop: (client, args) => blockingPop(client, args, 'l'),
  brpop: (client, args) => blockingPop(client, args, 'r'),
  lmpop: (client, args) => multiPop(client, args, 1, undefined),
  blmpop: (client, args) => multiPop(client, args, 2, args[1]),
}
