import type { Typed } from './typed.ts'

/**
 * A rule for commands whose replies may differ between the engine and a Redis 8. Replies to all other commands must be equal to
 * the byte, with their types.
 */
export interface Allowed {
  readonly why: string
  readonly commands: RegExp
  /** Returns the part of a reply that is compared. */
  readonly seen: (reply: Typed, args: readonly string[]) => unknown
}

const text = (reply: unknown): string => JSON.stringify(reply)
const isList = (reply: Typed): reply is readonly Typed[] => Array.isArray(reply)

/** Returns the items of a list, set or map without their order; the pairs of a map stay together. */
function unordered(reply: Typed): unknown {
  if (isList(reply)) return [...reply].map(text).sort()
  if (typeof reply !== 'object' || reply === null) return reply
  const { set, map } = reply as { set?: readonly Typed[]; map?: readonly Typed[] }
  if (set) return { set: set.map(text).sort() }
  if (map) return { map: pairs(map) }
  return reply
}
const pairs = (items: readonly Typed[]): string[] =>
  items.flatMap((item, i) => (i % 2 === 0 ? [text([item, items[i + 1]])] : [])).sort()

/** Returns only the shape of a reply: its type, and the number of its items. */
const shape = (reply: Typed): unknown => {
  if (typeof reply === 'string') return 'text'
  if (isList(reply)) return ['list', reply.length]
  if (typeof reply === 'object' && reply !== null && 'set' in reply) return ['set', (reply.set as Typed[]).length]
  return reply
}

/** Times by the clocks of the two servers must differ by less than this. */
const APART_MS = 20_000

const numberOf = (reply: Typed): number | undefined =>
  typeof reply === 'object' && reply !== null && 'int' in reply ? Number(reply.int) : undefined

/** Whether two replies that depend on a clock are the same, apart from the difference between the two clocks. */
function isAbout(a: Typed, b: Typed): boolean {
  if (isList(a) && isList(b)) return a.length === b.length && a.every((item, i) => isAbout(item, b[i] as Typed))
  const [x, y] = [numberOf(a), numberOf(b)]
  if (x === undefined || y === undefined || x <= 0 || y <= 0) return text(a) === text(b)
  return Math.abs(x - y) < APART_MS
}

/** Fields of XINFO that depend on times, or on how Redis stores a stream. */
const OF_THE_SERVER = /^(idle|inactive|seen-time|active-time|radix-tree-keys|radix-tree-nodes|pel|pending)$/
function withoutTimes(reply: Typed): unknown {
  const items = isList(reply) ? reply : ((reply as { map?: readonly Typed[] } | null)?.map ?? undefined)
  if (!items) return reply
  const shown = items.map((item, i) => {
    const name = items[i - 1]
    const count = numberOf(item)
    if (typeof name !== 'string' || !OF_THE_SERVER.test(name)) return count ?? withoutTimes(item)
    return isList(item) ? item.length : /^(pel|pending)$/.test(name) ? item : 'of the server'
  })
  // A script receives a map as a list without a defined order.
  const isMap = items.length % 2 === 0 && items.every((item, i) => i % 2 === 1 || typeof item === 'string')
  return isMap ? pairs(shown as Typed[]).sort() : shown
}

const allowed: readonly Allowed[] = [
  { why: 'a set has no order', commands: /^(SMEMBERS|SINTER|SUNION|SDIFF|KEYS|HKEYS|HVALS)$/, seen: unordered },
  {
    why: 'a hash has no order',
    commands: /^HGETALL$/,
    seen: (reply) => (isList(reply) ? pairs(reply) : unordered(reply)),
  },
  {
    why: 'a scan has no order, and its cursors are its own',
    commands: /^([HSZ]?SCAN)$/,
    seen: (reply, args) => {
      if (!isList(reply)) return reply
      const items = reply[1] as readonly Typed[]
      // In ZSCAN Redis writes the scores of a skip list with 17 digits, so scores are compared as numbers.
      if (/^ZSCAN$/i.test(args[0] as string))
        return pairs(items.map((item, i) => (i % 2 === 1 ? Number(item) : item) as Typed))
      const isPairs = /^[HZ]SCAN$/i.test(args[0] as string) && !args.some((arg) => /^novalues$/i.test(arg))
      return isPairs ? pairs(items) : unordered(items)
    },
  },
  { why: 'picked at random', commands: /^(SRANDMEMBER|HRANDFIELD|ZRANDMEMBER|RANDOMKEY|SPOP)$/, seen: shape },
  { why: 'a form of its own', commands: /^DUMP$/, seen: shape },
  { why: 'times, and how a stream is kept', commands: /^XINFO$/, seen: withoutTimes },
  {
    why: 'elements of one weight have no order, and a set none that BY leaves it',
    commands: /^SORT(_RO)?$/,
    seen: (reply, args) => (args.some((arg) => /^by$/i.test(arg)) ? shape(reply) : reply),
  },
  {
    why: 'what an offset below 0 leaves is up to how a server keeps a sorted set: nothing, or one from the end',
    commands: /^Z(REV)?RANGE(BYSCORE|BYLEX|STORE)?$/,
    seen: (reply, args) => {
      const at = args.findIndex((arg) => /^limit$/i.test(arg))
      return at > 0 && Number(args[at + 1]) < 0 ? 'up to the server' : reply
    },
  },
  {
    why: 'idle times',
    commands: /^XPENDING$/,
    seen: (reply) =>
      isList(reply)
        ? reply.map((item) => (isList(item) && item.length === 4 ? [item[0], item[1], item[3]] : item))
        : reply,
  },
]
const OF_A_CLOCK = /^(P?TTL|P?EXPIRETIME|HP?TTL|HP?EXPIRETIME)$/

/** Returns the text by which a reply is compared: by the rule of its command, or whole if there is none. */
function seen(name: string, args: readonly string[], reply: Typed): string {
  const rule = allowed.find(({ commands }) => commands.test(name))
  // Whether an aggregation results in 0 or -0 depends on the order in which a server sorts its sources.
  if (/^B?Z/.test(name) && text(reply).includes('"-0"'))
    return seen(name, args, JSON.parse(text(reply).replaceAll('"-0"', '"0"')))
  const isError = typeof reply === 'object' && reply !== null && 'err' in reply
  return text(rule && !isError ? rule.seen(reply, args) : reply)
}

/** Whether the replies of two servers to a command are the same, apart from what the rules above allow. */
export function isSame(args: readonly string[], a: Typed, b: Typed): boolean {
  const name = (args[0] ?? '').toUpperCase()
  return OF_A_CLOCK.test(name) ? isAbout(a, b) : seen(name, args, a) === seen(name, args, b)
}
