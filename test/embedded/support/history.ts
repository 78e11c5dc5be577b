import type { Grammar, Part } from './grammar.ts'

/** Returns a generator of numbers from 0 to below 1. The same seed gives the same numbers (mulberry32). */
export function createChance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

export type Chance = () => number

const KEYS: Readonly<Record<string, readonly string[]>> = {
  string: ['s:1', 's:2', 's:3'],
  bitmap: ['s:1', 's:2', 'b:1'],
  hash: ['h:1', 'h:2'],
  list: ['l:1', 'l:2', 'l:3'],
  set: ['t:1', 't:2', 't:3'],
  'sorted-set': ['z:1', 'z:2', 'z:3'],
  geo: ['g:1', 'g:2'],
  stream: ['x:1', 'x:2'],
  hyperloglog: ['p:1', 'p:2', 'p:3'],
}
// The engine stores every HyperLogLog in the dense form, Redis not always. So no other command reads the key of one.
const EVERY_KEY = Object.values(KEYS)
  .flat()
  .filter((key) => !key.startsWith('p'))
const WORDS = [
  'a',
  'b',
  'c',
  'd',
  'e',
  '',
  '1',
  '2',
  '10',
  '-3',
  '3.5',
  'foo',
  'bar',
  '\xff\0',
  'hello world',
  'A',
  'aa',
  'ab',
  'zz',
]
const INTS = ['0', '1', '2', '3', '-1', '-2', '5', '10', '100']
const HOSTILE = [
  '',
  'x',
  ' 1',
  '1 ',
  '01',
  '+1',
  '-0',
  '1e3',
  '9223372036854775807',
  '-9223372036854775808',
  '9223372036854775808',
  '18446744073709551615',
  '99999999999999999999',
  'nan',
  'inf',
  '-inf',
  '0x10',
  '1.5',
  '.5',
  '5.',
  '*',
  '(1',
  '[a',
  '-',
  '+',
  '$',
  '>',
  '=',
  'NX',
  'XX',
  'GET',
  'LIMIT',
  'COUNT',
  'WITHSCORES',
  '\r\n',
  '\0',
  'é',
]
const DOUBLES = [
  '0',
  '1',
  '2',
  '1.5',
  '-1',
  '0.1',
  '0.2',
  '3.0',
  '1e3',
  '10',
  '-2.5',
  '1e-7',
  '12345678.9',
  '1e21',
  '3',
  'inf',
  '-inf',
]
const IDS = [
  '1-1',
  '1-2',
  '2-0',
  '3',
  '5-5',
  '0',
  '0-0',
  '0-1',
  '10-*',
  '*',
  '7-1',
  '18446744073709551615-18446744073709551615',
]
const RANGES = ['0', '1', '-1', '2', '-2', '(1', '(2', '-inf', '+inf', '3', '100', '-', '+', '[a', '(b', '[c', '[', '(']
const SECONDS = ['100', '1000', '200000', '0', '-1', '500000']
const TIMEOUTS = ['0.01', '0.001', '0.02']

export interface Wish {
  readonly chance: Chance
  readonly grammar: Grammar
}

const of = (chance: Chance, items: readonly string[]): string => items[Math.floor(chance() * items.length)] as string

/** Returns a time for an option; its token or name says the unit, and whether the time is absolute. */
function moment(chance: Chance, name: string): string {
  const unit = /milli|px/i.test(name) ? 1000 : 1
  const isAbsolute = /unix|at$/i.test(name)
  const base = isAbsolute ? Math.floor(Date.now() / 1000) * unit : 0
  const seconds = Number(of(chance, SECONDS))
  // A random offset keeps any two times of a history apart: otherwise the clock would decide which of them is later.
  return `${base + (seconds > 0 ? seconds + Math.floor(chance() * 1e6) / 1000 : seconds) * unit}`.replace(/\..*/, '')
}

function value({ chance, grammar }: Wish, part: Part, forced: string): string {
  const { name, type, token } = part
  const from = (items: readonly string[]): string => of(chance, items)
  // A HyperLogLog has keys of which no other command reads the bytes.
  if (type === 'key' && grammar.group === 'hyperloglog') return from(['p:1', 'p:2', 'p:3', 'p:1', 'p:2', 'p:list'])
  if (chance() < 0.03) return from(HOSTILE)
  if (type === 'key') return chance() < 0.9 ? from(KEYS[grammar.group] ?? EVERY_KEY) : from(EVERY_KEY)
  if (/^(EX|PX|EXAT|PXAT)$/.test(token)) return moment(chance, token)
  if (/^(seconds|milliseconds|unix-time)/.test(name)) return moment(chance, `${grammar.words[0]} ${name}`)
  if (name === 'timeout') return from(TIMEOUTS)
  if (name === 'numkeys' || name === 'numfields') return forced || from(['1', '2', '0'])
  if (name === 'longitude') return from(['13.36', '15.08', '2.35', '-0.12', '180', '200', '0'])
  if (name === 'latitude') return from(['38.11', '37.50', '48.85', '51.5', '85', '90', '0'])
  if (/^(radius|width|height)$/.test(name)) return from(['1', '100', '500', '900', '0', '-1', '3000.5'])
  if (grammar.group === 'stream' && /^(id|start|end|last-id|lastid|new|min-idle)/i.test(name))
    return from(name.startsWith('min-idle') ? ['0', '3600000'] : [...IDS, '-', '+', '$', '>'])
  if (/^(group|groupname)$/.test(name)) return from(['g1', 'g2'])
  if (/^consumer/.test(name)) return from(['c1', 'c2'])
  if (/^(min|max)$/.test(name) || (/^(start|stop)$/.test(name) && grammar.group === 'sorted-set')) return from(RANGES)
  if (name === 'cursor') return '0'
  if (/^(count|offset|start|stop|end|index|rank|len|limit)$/.test(name)) return from(INTS)
  if (name === 'encoding') return from(['u8', 'i8', 'u4', 'i64', 'u63', 'i1', 'u64', 'i16', 'x'])
  if (type === 'integer') return from([...INTS, ...INTS, '9223372036854775807'])
  if (type === 'double') return from(DOUBLES)
  if (type === 'unix-time') return moment(chance, grammar.words[0] as string)
  if (type === 'pattern') return from(['*', 'a*', '?', '[ab]', 'k*', 's:*', 'h:*->a', '#', 'nosort'])
  return from(WORDS)
}

function emit(wish: Wish, part: Part, out: string[], forced: string, isMandatory = false): void {
  const { chance } = wish
  if (part.optional && !isMandatory && chance() < 0.62) return
  const times = part.multiple
    ? forced && /^(key|field|data)/.test(part.name)
      ? Number(forced)
      : 1 + Math.floor(chance() * 3)
    : 1
  for (let i = 0; i < times; i++) {
    if (part.token && (i === 0 || part.repeatsToken)) out.push(part.token === '""' ? '' : part.token)
    if (part.type === 'pure-token') continue
    if (part.type === 'oneof') {
      const chosen = part.parts[Math.floor(chance() * part.parts.length)] as Part
      emit(wish, chosen, out, forced, true)
    } else if (part.type === 'block') emitAll(wish, part.parts, out)
    else out.push(value(wish, part, forced))
  }
}

/** Adds the parts to `out`. A count mostly agrees with the length of its list. */
function emitAll(wish: Wish, parts: readonly Part[], out: string[]): void {
  const counts = parts.some(({ name }) => name === 'numkeys' || name === 'numfields')
  const forced = counts && wish.chance() < 0.93 ? `${1 + Math.floor(wish.chance() * 2)}` : ''
  for (const part of parts) emit(wish, part, out, forced)
}

/** Makes a command from its grammar, now and then with a word too many, too few, or of another kind. */
export function makeCommand(chance: Chance, grammar: Grammar): string[] {
  const args = [...grammar.words]
  emitAll({ chance, grammar }, grammar.parts, args)
  // The first key of a HyperLogLog command is never removed or moved.
  const words = grammar.words.length + (grammar.group === 'hyperloglog' ? 1 : 0)
  if (chance() < 0.04 && args.length > words) args.splice(words + Math.floor(chance() * (args.length - words)), 1)
  if (chance() < 0.03) args.splice(words + Math.floor(chance() * (args.length - words + 1)), 0, of(chance, HOSTILE))
  waitLittle(args)
  ofOneScore(args)
  if (chance() < 0.1) args[0] = (args[0] as string).toLowerCase()
  return args
}

/** The key of a sorted set whose members all have the same score. Only then are ranges by the members' bytes defined. */
export const ONE_SCORE = 'z:lex'

function ofOneScore(args: string[]): void {
  const name = (args[0] as string).toUpperCase()
  const isByLex = args.some((arg) => /^bylex$/i.test(arg))
  if (/^Z(REV)?RANGEBYLEX$|^ZLEXCOUNT$|^ZREMRANGEBYLEX$/.test(name) || (name === 'ZRANGE' && isByLex))
    args[1] = ONE_SCORE
  if (name === 'ZRANGESTORE' && isByLex && args.length > 2) args[2] = ONE_SCORE
}

/**
 * Makes a command that may wait do so for 1 ms only, since an endless wait would block the history. Also replaces scan counts and
 * clock ids, which differ between servers.
 */
function waitLittle(args: string[]): void {
  const name = args[0] as string
  const isTime = (text: string | undefined): boolean =>
    text !== undefined && (Number(text) >= 0 || /^(inf|0x)/i.test(text))
  if (/^(BLPOP|BRPOP|BZPOPMIN|BZPOPMAX|BLMOVE|BRPOPLPUSH)$/.test(name) && isTime(args.at(-1)))
    args[args.length - 1] = '0.001'
  if (/^(BLMPOP|BZMPOP)$/.test(name) && isTime(args[1])) args[1] = '0.001'
  // Each server decides how many items one step of a scan returns, so every scan takes a single step.
  if (name === 'SCAN' && Number(args[1]) >= 0) args[1] = '0'
  if (name === 'SCAN' && args.length > 1 && !args.some((arg) => /^COUNT$/i.test(arg))) args.push('COUNT', '1000')
  if (/^[HSZ]?SCAN$/.test(name))
    for (let i = 1; i < args.length; i++)
      if (/^COUNT$/i.test(args[i - 1] as string) && Number(args[i]) > 0) args[i] = '1000'
  // An id from the clock would differ between the servers.
  if (name === 'XADD') {
    const at = args.indexOf('*', 2)
    if (at > 0) args[at] = '9-*'
  }
  if (/^XREAD/.test(name)) {
    for (let i = 1; i < args.length; i++) if (/^BLOCK$/i.test(args[i - 1] as string) && isTime(args[i])) args[i] = '1'
  }
}
