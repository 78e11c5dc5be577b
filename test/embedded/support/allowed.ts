import type { Typed } from './typed.ts'

/**
 * Where the engine's replies may differ from those of a Redis 8, and how they are compared then. What is not written
 * here is compared to the byte, with its type.
 */
export interface Allowed {
  readonly why: string
  readonly commands: RegExp
  /** What of a reply is compared. */
  readonly seen: (reply: Typed, args: readonly string[]) => unknown
}

const text = (reply: unknown): string => JSON.stringify(reply)
const isList = (reply: Typed): reply is readonly Typed[] => Array.isArray(reply)

/** The items of a list, set or map without their order; a map keeps its pairs. */
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

/** Its shape alone: a type, and how many. */
const shape = (reply: Typed): unknown => {
  if (typeof reply === 'string') return 'text'
  if (isList(reply)) return ['list', reply.length]
  if (typeof reply === 'object' && reply !== null && 'set' in reply) return ['set', (reply.set as Typed[]).length]
  return reply
}

/** A number of seconds or milliseconds, give or take what the two clocks are apart. */
const near =
  (unit: number) =>
  (reply: Typed): unknown => {
    if (isList(reply)) return reply.map(near(unit))
    if (typeof reply !== 'object' || reply === null || !('int' in reply)) return reply
    const value = Number(reply.int)
    return value > 0 ? { about: Math.round(value / unit) } : reply
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
      const isPairs = /^[HZ]SCAN$/i.test(args[0] as string) && !args.some((arg) => /^novalues$/i.test(arg))
      return isPairs ? pairs(items) : unordered(items)
    },
  },
  { why: 'picked at random', commands: /^(SRANDMEMBER|HRANDFIELD|ZRANDMEMBER|RANDOMKEY|SPOP)$/, seen: shape },
  {
    why: 'BYLEX over members of different scores has no order that means anything',
    commands: /^(Z(REV)?RANGEBYLEX|ZLEXCOUNT)$/,
    seen: (reply) => (typeof reply === 'object' && reply !== null && 'err' in reply ? reply : 'some'),
  },
  {
    why: 'places have no order where none is asked for',
    commands: /^GEO(RADIUS|RADIUSBYMEMBER|SEARCH)(_RO)?$/,
    seen: (reply, args) => (args.some((arg) => /^(asc|desc|count)$/i.test(arg)) ? reply : unordered(reply)),
  },
  { why: 'two clocks', commands: /^(P?TTL|P?EXPIRETIME|HP?TTL|HP?EXPIRETIME)$/, seen: near(60_000) },
]

/** Redis ends an argument at its first NUL where it quotes it in an error. */
const withoutNul = (reply: Typed): unknown => {
  if (typeof reply !== 'object' || reply === null || !('err' in reply)) return reply
  return {
    err: String(reply.err)
      .replace(/\0[^']*'/g, "'")
      .replace(/\0.*$/s, ''),
  }
}

/** What of a reply is compared. */
export function seen(args: readonly string[], reply: Typed): string {
  const name = (args[0] as string).toUpperCase()
  const byLex = name === 'ZRANGE' && args.some((arg) => /^bylex$/i.test(arg))
  const rule = allowed.find(({ commands }) => commands.test(byLex ? 'ZRANGEBYLEX' : name))
  return text(rule ? rule.seen(reply, args) : withoutNul(reply))
}
