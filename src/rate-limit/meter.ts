import { type Arg, KEY_LINE, type Moment, type Operation, type Transition } from '../protocol/operation.ts'
import { NEVER } from '../runtime/clock.ts'

/** The longest time a count can last, in milliseconds: 31 years. */
export const MAX_MS = 1e12
/** How much longer at most a count is kept than it matters, in microseconds. */
const SPARE_US = 5e6

/**
 * The step that all algorithms share. Arguments: the verb, its number, then three for each limit: the most at once, the window
 * in milliseconds, and the `extra` of the algorithm.
 *
 * | verb | number | does |
 * | --- | --- | --- |
 * | take | cost | counts it where every limit has room and nothing blocks |
 * | peek | cost | decides the same, and changes nothing |
 * | refund | cost | counts so much less |
 * | block | milliseconds | refuses everything until then |
 *
 * `refund` and `block` do not know the limits of the calls that were counted. So they leave alone what depends on a limit, such
 * as how much has drained.
 *
 * Reply: five numbers as text with a space between them, because a list of numbers costs the server and ioredis more. They are:
 * 1 allowed, 0 limited or 2 blocked; the most at once; what is left; when all of it is free (epoch ms); and after how many
 * milliseconds the call would be allowed (−1: never). Of several limits, the numbers are of the one with the longest wait, or
 * else of the one with the least left.
 *
 * State in text: `r`, the end of a block in microseconds, then the numbers of each limit; each part ends with `;`. Text of
 * another form counts as absent, and no more of it is read than the longest text that these limits can have. The key lives
 * until none of this matters, and then for one more window, 5 s at most, so that a clock that is set back still finds the key.
 * The lifetime is 31 years at most. It is a millisecond longer than needed, because the server's clock for it runs in ms.
 */
export type LimitReply = string
/** The numbers in the text of a reply. */
export type LimitNumbers = readonly [code: number, limit: number, left: number, resetMs: number, retryMs: number]

/** The step, twice: for `take`, `refund` and `block`, which are sent only once; and for `peek`, which may be sent again. */
export type Steps = readonly [once: Operation<readonly Arg[], LimitReply>, read: Operation<readonly Arg[], LimitReply>]

/** A limit, and what an algorithm has counted against it. */
export interface Count {
  /** The most that can be taken at once. */
  readonly most: number
  readonly windowUs: number
  /** The third argument of the limit, which the algorithm sets. */
  readonly extra: number
  readonly nowUs: number
  /** The limits may not be the ones that the counted calls had. */
  readonly withoutPlan: boolean
  /** Whole numbers; empty before the first call. */
  numbers: number[]
}

/** An algorithm, over the numbers it keeps. */
export interface Meter {
  /** How many numbers it keeps for each limit; with `pairs`, how many at most. */
  readonly size: number
  /** The numbers are moments, oldest first, each followed by what was taken then. */
  readonly pairs?: true
  /**
   * Brings the numbers up to this moment and counts `cost`; below 0 it gives back. Returns what is left, which is below 0 where
   * the limit was lowered.
   */
  add(count: Count, cost: number): number
  /** Microseconds until `cost` fits. To be called after `add`, for a cost that does not fit now and is not above the most. */
  wait(count: Count, cost: number): number
}

/**
 * A script consists of these parts, in this order: `START`; how a limit is put into `limits`; for state in text, the functions
 * `read` and `text_of`; the functions `add` and `wait`, as in a meter; `EACH_KEY`; for state in text, `READ_TEXT`; `EACH`; how
 * `limit` is brought up to this moment; `JUDGE`; how the state is written (`SAVE_TEXT`). A limit has its numbers, `most`,
 * `window_us`, and what else its functions need.
 *
 * The part before `EACH_KEY` runs once for all keys of a joined script. Formatting numbers costs a server most: `whole` formats
 * each number once, and most numbers are the same for all keys.
 */
export const START = `
local verb, amount, now_us = ARGV[1], ARGV[2] + 0, now()
local without_plan = verb == 'refund' or verb == 'block'
local function is_foreign(reply) return reply.err and reply.err:find('WRONGTYPE') end
local texts = { [0] = '0' }
local function whole(number)
 local text = texts[number] or ('%.0f'):format(number)
 texts[number] = text
 return text
end
local key
local limits = {}
for i = 3, #ARGV - 2, 3 do
 local most, window_us, extra = ARGV[i] + 0, ARGV[i + 1] * 1000, ARGV[i + 2] + 0`

export const EACH_KEY: string = `
${KEY_LINE}
key = KEYS[1]
local deciding, deciding_left, deciding_wait_us, all_free_us`

/** `read` and `text_of` where a limit has two numbers. `text_end` is the length of the longest text there can be. */
export const TWO_NUMBERS = `
local text_end = ('%.0f'):format(18 + #limits * 35)
local function read(limit, text, position)
 local first, second, next_position = text:match('^(%d+) (%d+) ?;()', position)
 if not first or #first > 16 or #second > 16 then return end
 limit[1], limit[2] = first + 0, second + 0
 return next_position
end
local function text_of(limit) return whole(limit[1]) .. ' ' .. whole(limit[2]) .. ' ;' end`

export const THREE_NUMBERS = `
local text_end = ('%.0f'):format(18 + #limits * 52)
local function read(limit, text, position)
 local first, second, third, next_position = text:match('^(%d+) (%d+) (%d+) ?;()', position)
 if not first or #first > 16 or #second > 16 or #third > 16 then return end
 limit[1], limit[2], limit[3] = first + 0, second + 0, third + 0
 return next_position
end
local function text_of(limit) return whole(limit[1]) .. ' ' .. whole(limit[2]) .. ' ' .. whole(limit[3]) .. ' ;' end`

/**
 * `read` puts the numbers of a limit into it, and returns the position of the next limit, or nothing where the text has another
 * form. `is_read`: the whole text is that of these limits.
 */
export const READ_TEXT = `
local text = redis.pcall('GETRANGE', key, '0', text_end)
if type(text) == 'table' then
 if not is_foreign(text) then return text end
 text = ''
end
local blocked_until, position = text:match('^r(%d+);()')
for i = 1, #limits do position = position and read(limits[i], text, position) end
local is_read = position == #text + 1 and #blocked_until <= 16
local blocked_until_us = is_read and blocked_until + 0 or 0`

export const EACH = `
for i = 1, #limits do
 local limit = limits[i]
 local most, window_us = limit.most, limit.window_us`

/** Decides and counts. `changed`: there is something to write, for `life_ms` milliseconds. */
export const JUDGE = `
 local left, wait_us = add(limit, 0), 0
 if amount > most then wait_us = 1 / 0 elseif left < amount then wait_us = wait(limit, amount) end
 if not deciding or wait_us > deciding_wait_us or wait_us == deciding_wait_us and left < deciding_left then
  deciding, deciding_wait_us, deciding_left = limit, wait_us, left
 end
end
local blocked_us = blocked_until_us > now_us and blocked_until_us - now_us or 0
local kept_us = without_plan and redis.call('PTTL', key) * 1000 or 0
local code = blocked_us > 0 and 2 or deciding_wait_us > 0 and 0 or 1
local delta = verb == 'take' and code == 1 and amount or verb == 'refund' and -amount or 0
local life_us, changed = blocked_us, delta ~= 0
if verb == 'block' then life_us, changed, blocked_until_us = amount * 1000, true, now_us + amount * 1000 end
for i = 1, #limits do
 local limit = limits[i]
 local left, free_us = add(limit, delta), 0
 if left < limit.most then
  free_us = wait(limit, limit.most)
  local lasts_us = free_us > 0 and free_us + (limit.window_us < 5e6 and limit.window_us or 5e6) or 0
  if lasts_us < kept_us then lasts_us = kept_us end
  if lasts_us > life_us then life_us = lasts_us end
 end
 if limit == deciding then deciding_left, all_free_us = left, free_us end
end
local life_ms = math.min(1e12, math.ceil(life_us / 1000) + 1)
if all_free_us < blocked_us then all_free_us = blocked_us end
if deciding_wait_us < blocked_us then deciding_wait_us = blocked_us end
local reply = whole(code) .. ' ' .. whole(deciding.most) .. ' ' .. whole(deciding_left > 0 and deciding_left or 0) .. ' '
 .. whole(math.ceil(now_us / 1000 + math.min(1e12, all_free_us / 1000))) .. ' '
 .. whole(deciding_wait_us == 1 / 0 and -1 or math.ceil(math.min(1e12, deciding_wait_us / 1000)))
if changed and life_us == 0 then redis.call('DEL', key) elseif changed then`

/** Writes the state as text, and replies. */
export const SAVE_TEXT = `
 local state = 'r' .. whole(blocked_until_us) .. ';'
 for i = 1, #limits do state = state .. text_of(limits[i]) end
 redis.call('SET', key, state, 'PX', whole(life_ms))
end
return reply`

/** Most characters of a number in the state: 16 digits, and what separates it from the next. */
const NUMBER_LENGTH = 17

/** The end of a block and the numbers of each limit; 0 and no numbers where the text has another form. */
function read(meter: Meter, text: string | undefined, limits: number): [blockedUntilUs: number, numbers: number[][]] {
  const none: [number, number[][]] = [0, []]
  if (!text || text.length > NUMBER_LENGTH + 1 + limits * (meter.size * NUMBER_LENGTH + 1)) return none
  if (!/^r\d+;[\d ;]*;$/.test(text) || /\d{17}/.test(text)) return none
  const parts = text.slice(1, -1).split(';')
  if (parts.length !== limits + 1) return none
  const numbers: number[][] = []
  for (const part of parts.slice(1)) {
    const list = part.match(/\d+/g)?.map(Number) ?? []
    if (meter.pairs) numbers.push(arePairs(part, list, meter.size) ? list : [])
    else if (/^\d+( \d+)* ?$/.test(part) && list.length === meter.size) numbers.push(list)
    else return none
  }
  return [Number(parts[0]), numbers]
}

/** Whether these are moments in order, each followed by a number. */
function arePairs(part: string, list: readonly number[], most: number): boolean {
  if (list.length % 2 === 1 || list.length > most || /^ | {2}/.test(part)) return false
  for (let i = 2; i < list.length; i += 2) if ((list[i] as number) < (list[i - 2] as number)) return false
  return true
}

/** The same step without Lua, for a store that runs `apply`. */
function judge(
  meter: Meter,
  current: string | undefined,
  args: readonly Arg[],
  { nowUs, leftMs = 0 }: Moment,
): Transition<LimitReply> {
  const [verb, amount, ...limits] = args as [string, number, ...number[]]
  const withoutPlan = verb === 'refund' || verb === 'block'
  let [blockedUntilUs, numbers] = read(meter, current, limits.length / 3)
  const rules: { count: Count; left: number; waitUs: number; allFreeUs: number }[] = []
  for (let i = 0; i < limits.length; i += 3) {
    const [most, windowMs, extra] = limits.slice(i) as [number, number, number]
    const count: Count = { most, windowUs: windowMs * 1000, extra, nowUs, withoutPlan, numbers: numbers[i / 3] ?? [] }
    const left = meter.add(count, 0)
    const waitUs = amount > most ? NEVER : left < amount ? meter.wait(count, amount) : 0
    rules.push({ count, left, waitUs, allFreeUs: 0 })
  }
  const deciding = rules.reduce((a, b) => ((b.waitUs - a.waitUs || a.left - b.left) > 0 ? b : a))
  const blockedUs = Math.max(0, blockedUntilUs - nowUs)
  const code = blockedUs > 0 ? 2 : deciding.waitUs > 0 ? 0 : 1
  const delta = verb === 'take' && code === 1 ? amount : verb === 'refund' ? -amount : 0
  if (verb === 'block') blockedUntilUs = nowUs + amount * 1000
  let lifeUs = Math.max(0, blockedUntilUs - nowUs)
  for (const rule of rules) {
    const { count } = rule
    rule.left = meter.add(count, delta)
    if (rule.left < count.most) {
      rule.allFreeUs = meter.wait(count, count.most)
      // A count may have been made under another limit, which has set the lifetime: do not shorten that.
      const keptUs = withoutPlan ? Math.floor(leftMs) * 1000 : 0
      const spareUs = rule.allFreeUs > 0 ? Math.min(count.windowUs, SPARE_US) : 0
      lifeUs = Math.max(lifeUs, rule.allFreeUs + spareUs, keptUs)
    }
  }
  const ms = (timeUs: number): number => Math.min(MAX_MS, Math.max(timeUs, blockedUs) / 1000)
  const retry = deciding.waitUs < NEVER ? Math.ceil(ms(deciding.waitUs)) : -1
  const reset = Math.ceil(nowUs / 1000 + ms(deciding.allFreeUs))
  const reply: LimitReply = [code, deciding.count.most, Math.max(0, deciding.left), reset, retry].join(' ')
  if (delta === 0 && verb !== 'block') return { next: current, ttl: 'keep', reply }
  const next =
    lifeUs > 0 ? `r${[blockedUntilUs, ...rules.map(({ count }) => count.numbers.join(' '))].join(';')};` : undefined
  return { next, ttl: { ms: Math.min(MAX_MS, Math.ceil(lifeUs / 1000) + 1) }, reply }
}

/** The step of an algorithm, as `Steps`. */
export function steps(name: string, lua: string, meter: Meter): Steps {
  const apply: Operation<readonly Arg[], LimitReply>['apply'] = (current, args, at) => judge(meter, current, args, at)
  const take: Operation<readonly Arg[], LimitReply> = { name, effect: 'once', lua, apply }
  return [take, { ...take, effect: 'read' }]
}
