import type { Arg, Moment, Operation, Transition } from '../protocol/operation.ts'
import { NEVER } from '../runtime/clock.ts'

/** The longest time a count can last, in milliseconds: 31 years. */
export const MAX_MS = 1e12
/** How much longer a count is kept than it matters. */
const SPARE_US = 5e6

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
 * another form counts as absent. The key lives until nothing of it matters, and a window longer, of 5 s at the most: a
 * clock that goes back finds it there. 31 years in all; the clock that ends it runs in milliseconds.
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
  /** Whole numbers; empty before the first call. */
  n: number[]
}

/** An algorithm, over the numbers it keeps. */
export interface Meter {
  /** How many numbers it keeps, or how many belong together. */
  readonly size: number
  /** Brings the numbers to this moment and counts `cost`, below 0 to give back. Answers what is left, below 0 where the limit was lowered. */
  add(count: Count, cost: number): number
  /** Microseconds until `cost`, which does not fit now and is not above the top, will. After `add`. */
  wait(count: Count, cost: number): number
}

/**
 * A script is put together of these, in this order: `START`; a form's own (`TEXT`); the functions `add` and `wait`, as of a
 * meter; `EACH`; how `n` is made of a limit; `JUDGE`; a form's own (`SAVE_TEXT`). `n` is a limit: the numbers brought to this
 * moment, `top`, what else the functions need, and in `list` the limit before it.
 */
export const START = `
local verb, cost, us, key = ARGV[1], ARGV[2] + 0, now(), KEYS[1]
local still = verb == 'refund' or verb == 'block'
local n, first, least, late, whole`

/** Reads text: `bar`, and `at`, where the numbers of the next limit begin. */
export const TEXT: string = `${START}
local text = redis.call('GET', key) or ''
local bar, at = text:match('^r(%d+);()[%d ;]*$')
if not bar then bar, text = 0, '' end`

export const EACH = `
for i = 3, #ARGV - 2, 3 do
 local top, w, x = ARGV[i] + 0, ARGV[i + 1] * 1000, ARGV[i + 2] + 0`

/** Decides and counts. `changed`: there is something to write, for `life` microseconds. */
export const JUDGE = `
 local left = add(n, 0)
 local long = cost > top and 1 / 0 or left < cost and wait(n, cost) or 0
 if not first or long > late or long == late and left < least then first, late, least = n, long, left end
end
local blocked, kept = math.max(0, bar - us), still and redis.call('PTTL', key) * 1000 or 0
local code = blocked > 0 and 2 or late > 0 and 0 or 1
local delta = verb == 'take' and code == 1 and cost or verb == 'refund' and -cost or 0
if verb == 'block' then bar = us + cost * 1000 end
local life, changed, last = math.max(0, bar - us), delta ~= 0 or verb == 'block', n
while n do
 local left = add(n, delta)
 local long = left < n.top and wait(n, n.top) or 0
 if n == first then least, whole = left, long end
 life = math.max(life, long > 0 and long + math.min(n.w, 5e6) or 0, left < n.top and kept or 0)
 n = n.list
end
local ms = math.min(1e12, math.ceil(life / 1000) + 1)
local reply = { code, first.top, math.max(0, least), math.ceil(us / 1000 + math.min(1e12, math.max(whole, blocked) / 1000)),
 code == 1 and 0 or late == 1 / 0 and -1 or math.ceil(math.min(1e12, math.max(late, blocked) / 1000)) }
if changed and life == 0 then redis.call('DEL', key) elseif changed then`

/** Writes text, and answers. */
export const SAVE_TEXT = `
 local state = ''
 while last do
  state = ('%.0f '):rep(#last):format(unpack(last)) .. ';' .. state
  last = last.list
 end
 redis.call('SET', key, ('r%.0f;%s'):format(bar, state), 'PX', ms)
end
return reply`

/** The same step without Lua. */
function judge(
  meter: Meter,
  current: string | undefined,
  args: readonly Arg[],
  { nowUs: us, leftMs = 0 }: Moment,
): Transition<Verdict> {
  const [verb, cost, ...limits] = args as [string, number, ...number[]]
  const still = verb === 'refund' || verb === 'block'
  const [head = '', ...parts] = current && /^r\d+;[\d ;]*$/.test(current) ? current.slice(1).split(';') : []
  let bar = Number(head)
  const rules: { count: Count; left: number; wait: number; whole: number }[] = []
  for (let i = 0; i < limits.length; i += 3) {
    const [top, windowMs, extra] = limits.slice(i) as [number, number, number]
    const own = parts[i / 3]?.match(/\d+/g)?.map(Number) ?? []
    const n = own.length % meter.size ? [] : own
    const count: Count = { top, windowUs: windowMs * 1000, extra, us, still, n }
    const left = meter.add(count, 0)
    const wait = cost > top ? NEVER : left < cost ? meter.wait(count, cost) : 0
    rules.push({ count, left, wait, whole: 0 })
  }
  const first = rules.reduce((a, b) => ((b.wait - a.wait || a.left - b.left) > 0 ? b : a))
  const blocked = Math.max(0, bar - us)
  const code = blocked > 0 ? 2 : first.wait > 0 ? 0 : 1
  const delta = verb === 'take' && code === 1 ? cost : verb === 'refund' ? -cost : 0
  if (verb === 'block') bar = us + cost * 1000
  let life = Math.max(0, bar - us)
  for (const rule of rules) {
    const { count } = rule
    rule.left = meter.add(count, delta)
    if (rule.left < count.top) {
      rule.whole = meter.wait(count, count.top)
      // A count that another limit has made lives as long as that one has said.
      const spare = Math.min(count.windowUs, SPARE_US)
      life = Math.max(life, rule.whole + spare, still ? Math.floor(leftMs) * 1000 : 0)
    }
  }
  const ms = (time: number): number => Math.min(MAX_MS, Math.max(time, blocked) / 1000)
  const retry = code === 1 ? 0 : first.wait < NEVER ? Math.ceil(ms(first.wait)) : -1
  const reset = Math.ceil(us / 1000 + ms(first.whole))
  const reply: Verdict = [code, first.count.top, Math.max(0, first.left), reset, retry]
  if (delta === 0 && verb !== 'block') return { next: current, ttl: 'keep', reply }
  const next = life > 0 ? `r${[bar, ...rules.map(({ count }) => count.n.join(' '))].join(';')};` : undefined
  return { next, ttl: { ms: Math.min(MAX_MS, Math.ceil(life / 1000) + 1) }, reply }
}

/** An algorithm's step, in both forms. */
export function steps(name: string, lua: string, meter: Meter): Steps {
  const apply: Operation<readonly Arg[], Verdict>['apply'] = (current, args, at) => judge(meter, current, args, at)
  const take: Operation<readonly Arg[], Verdict> = { name, effect: 'once', lua, apply }
  return [take, { ...take, effect: 'read' }]
}
