import type { Arg, Moment, Operation, Transition } from '../protocol/operation.ts'

/** The longest time a count can last, in milliseconds: 31 years. */
export const MAX_MS = 1e12

/**
 * The step that all algorithms share. Arguments: the verb, its number, then three for each limit: the most at once, the
 * window in milliseconds, and what the algorithm adds.
 *
 * | verb | number | does |
 * | --- | --- | --- |
 * | take | cost | counts it where every limit has room and nothing blocks |
 * | peek | cost | decides the same, and changes nothing |
 * | refund | cost | counts so much less |
 * | block | milliseconds | refuses everything until then |
 *
 * `refund` and `block` are told of no plan: they leave alone what a limit decides, such as how much has drained.
 *
 * Reply: 1 allowed, 0 limited or 2 blocked; the most at once, what is left, when all of it is free (epoch ms), and after
 * how many milliseconds the call would be allowed (−1: never). Of the limits, that with the longest wait or the least left.
 *
 * State in text: `r`, the end of a block in microseconds, then the numbers of each limit, all closed by `;`. Text of
 * another form counts as absent. The key lives until nothing of it matters, 31 years at the most; the clock that ends it
 * runs in milliseconds.
 */
export type Verdict = readonly [code: number, limit: number, left: number, resetMs: number, retryMs: number]

/** The step: as `take`, `refund` and `block` send it, once; as `peek` does, which may be sent again. */
export type Steps = readonly [once: Operation<readonly Arg[], Verdict>, read: Operation<readonly Arg[], Verdict>]

/** A limit, and what an algorithm has counted against it. */
export interface Count {
  readonly top: number
  readonly windowUs: number
  readonly extra: number
  readonly us: number
  /** The limit is not known to be the one that was counted by. */
  readonly still: boolean
  /** How long a number may matter: `windowUs`, or the longest where limits share them. */
  readonly keptUs: number
  /** Whole numbers; empty before the first call. */
  n: number[]
}

/** An algorithm, over the numbers it keeps. */
export interface Meter {
  /** All limits read the numbers of the first, which alone counts. @default false */
  readonly shared?: boolean
  /** Brings the numbers to this moment. Answers what is left, which is below 0 where the limit was lowered. */
  roll(count: Count): number
  /** Microseconds until `cost`, which does not fit now and is not above the top, will. After `roll`. */
  wait(count: Count, cost: number): number
  /** Counts `cost`, less than 0 to give back. After `roll`. */
  add(count: Count, cost: number): void
}

/** Before `roll`, `wait` and `add` in Lua: reads text. A rule holds its numbers, and by name what the arguments say. */
export const LOAD_TEXT = `
local verb, cost, us, key, rules = ARGV[1], tonumber(ARGV[2]), now(), KEYS[1], {}
local still = verb == 'refund' or verb == 'block'
local text = redis.call('GET', key) or ''
if not text:find('^r%d+;[%d ;]*$') then text = 'r0;' end
local part = text:sub(2):gmatch('[^;]*;')
local bar = tonumber((part():match('%d+')))
for i = 3, #ARGV - 2, 3 do
 local n = { top = tonumber(ARGV[i]), w = ARGV[i + 1] * 1000, x = tonumber(ARGV[i + 2]) }
 for d in (part() or ''):gmatch('%d+') do n[#n + 1] = tonumber(d) end
 rules[#rules + 1] = n
end`

/** After them: decides and counts. `changed`: there is something to write, for `life` microseconds. */
export const JUDGE = `
local first, kept = nil, (verb == 'refund' or verb == 'block') and redis.call('PTTL', key) or 0
for _, n in ipairs(rules) do
 n.left = roll(n)
 n.wait = cost > n.top and math.huge or n.left < cost and wait(n, cost) or 0
 if not first or n.wait > first.wait or n.wait == first.wait and n.left < first.left then first = n end
end
local blocked = math.max(0, bar - us)
local code = blocked > 0 and 2 or first.wait > 0 and 0 or 1
local delta = verb == 'take' and code == 1 and cost or verb == 'refund' and -cost or 0
if verb == 'block' then bar = us + cost * 1000 end
local life, changed = math.max(0, bar - us), delta ~= 0 or verb == 'block'
for _, n in ipairs(rules) do
 if delta ~= 0 then
  add(n, delta)
  n.left = roll(n)
 end
 n.whole = n.left < n.top and wait(n, n.top) or 0
 life = math.max(life, n.whole, n.left < n.top and kept * 1000 or 0)
end
local most = 1e12
local ms = math.min(most, math.ceil(life / 1000) + 1)
local reply = { code, first.top, math.max(0, first.left), math.ceil(us / 1000 + math.min(most, math.max(first.whole, blocked) / 1000)),
 code == 1 and 0 or first.wait == math.huge and -1 or math.ceil(math.min(most, math.max(first.wait, blocked) / 1000)) }`

/** Then writes text, and answers. */
export const SAVE_TEXT = `
if changed and life == 0 then redis.call('DEL', key) elseif changed then
 local words = { ('r%.0f'):format(bar) }
 for i, n in ipairs(rules) do
  local digits = {}
  for j, d in ipairs(n) do digits[j] = ('%.0f'):format(d) end
  words[i + 1] = table.concat(digits, ' ')
 end
 words[#words + 1] = ''
 redis.call('SET', key, table.concat(words, ';'), 'PX', ms)
end
return reply`

/** The same step without Lua: `LOAD_TEXT`, `JUDGE` and `SAVE_TEXT` around a meter. */
function judge(
  meter: Meter,
  current: string | undefined,
  args: readonly Arg[],
  { nowUs: us, leftMs = 0 }: Moment,
): Transition<Verdict> {
  const [verb, given, ...numbers] = args as [string, number, ...number[]]
  const cost = Number(given)
  const still = verb === 'refund' || verb === 'block'
  const [head = '', ...parts] = current && /^r\d+;[\d ;]*$/.test(current) ? current.slice(1).split(';') : []
  let bar = Number(head)
  const rules: { count: Count; left: number; wait: number; whole: number }[] = []
  const longestMs = Math.max(...numbers.filter((_, i) => i % 3 === 1).map(Number))
  for (let i = 0; i < numbers.length; i += 3) {
    const [top = 0, windowMs = 0, extra = 0] = numbers.slice(i, i + 3).map(Number)
    const n = (meter.shared && rules[0]?.count.n) || (parts[i / 3]?.match(/\d+/g)?.map(Number) ?? [])
    const keptUs = (meter.shared ? longestMs : windowMs) * 1000
    const count: Count = { top, windowUs: windowMs * 1000, keptUs, extra, us, still, n }
    const left = meter.roll(count)
    const wait = cost > top ? Number.POSITIVE_INFINITY : left < cost ? meter.wait(count, cost) : 0
    rules.push({ count, left, wait, whole: 0 })
  }
  const first = rules.reduce((a, b) => (b.wait > a.wait || (b.wait === a.wait && b.left < a.left) ? b : a))
  const blocked = Math.max(0, bar - us)
  const code = blocked > 0 ? 2 : first.wait > 0 ? 0 : 1
  const delta = verb === 'take' && code === 1 ? cost : verb === 'refund' ? -cost : 0
  if (verb === 'block') bar = us + cost * 1000
  let life = Math.max(0, bar - us)
  for (const rule of rules) {
    const { count } = rule
    if (delta !== 0) {
      if (!meter.shared || rule === rules[0]) meter.add(count, delta)
      rule.left = meter.roll(count)
    }
    rule.whole = rule.left < count.top ? meter.wait(count, count.top) : 0
    // A count that another limit has made lives as long as that one has said.
    life = Math.max(life, rule.whole, still && rule.left < count.top ? Math.floor(leftMs) * 1000 : 0)
  }
  const retry =
    first.wait < Number.POSITIVE_INFINITY ? Math.ceil(Math.min(MAX_MS, Math.max(first.wait, blocked) / 1000)) : -1
  const reset = Math.ceil(us / 1000 + Math.min(MAX_MS, Math.max(first.whole, blocked) / 1000))
  const reply: Verdict = [code, first.count.top, Math.max(0, first.left), reset, code === 1 ? 0 : retry]
  if (delta === 0 && verb !== 'block') return { next: current, ttl: 'keep', reply }
  const kept = meter.shared ? rules.slice(0, 1) : rules
  const next = life > 0 ? `r${[bar, ...kept.map(({ count }) => count.n.join(' '))].join(';')};` : undefined
  return { next, ttl: { ms: Math.min(MAX_MS, Math.ceil(life / 1000) + 1) }, reply }
}

/** An algorithm's step, in both forms. */
export function steps(name: string, lua: string, meter: Meter): Steps {
  const apply: Operation<readonly Arg[], Verdict>['apply'] = (current, args, at) => judge(meter, current, args, at)
  const take: Operation<readonly Arg[], Verdict> = { name, effect: 'once', lua, apply }
  return [take, { ...take, effect: 'read' }]
}
