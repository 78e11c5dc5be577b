import { invalid } from '../protocol/arguments.ts'
import { type Algorithm, algorithm, BURST_LIMIT, type BurstLimit, type CheckedLimit, type Limits } from './algorithm.ts'
import { type Count, EACH, JUDGE, MAX_MS, type Meter, SAVE_TEXT, START, steps, TEXT } from './meter.ts'

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}

/** What a token weighs, and what leaves in a microsecond, in the largest unit that makes both whole. */
function units({ windowUs, extra }: Count): [token: number, drain: number] {
  const unit = divisor(windowUs, extra)
  return [windowUs / unit, extra / unit]
}

/** Numbers: the level; when it stood so; what a token weighed. `extra`: tokens that leave in each window. */
const meter: Meter = {
  size: 3,
  add(count, cost) {
    const { nowUs, most, withoutPlan } = count
    const [token, drain] = units(count)
    const [level = 0, since = nowUs, weighed = token] = count.numbers
    const passedUs = withoutPlan ? 0 : Math.max(0, nowUs - since)
    const rest = (weighed === token ? level : Math.ceil((level * token) / Math.max(1, weighed))) - passedUs * drain
    const next = Math.max(0, Math.max(0, rest) + cost * token)
    count.numbers = [next, since + passedUs, token]
    return most - Math.ceil(next / token)
  },
  wait(count, cost) {
    const [token, drain] = units(count)
    const [level = 0, since = 0] = count.numbers
    return Math.ceil((level + (cost - count.most) * token) / drain) + since - count.nowUs
  },
}

const lua = `${START}
local limit_form, limit_length = '%d+ %d+ %d+ ?;', 52${TEXT}
local function add(limit, cost)
 limit[1] = math.max(0, limit[1] + cost * limit[3])
 return limit.most - math.ceil(limit[1] / limit[3])
end
local function wait(limit, cost)
 return math.ceil((limit[1] + (cost - limit.most) * limit[3]) / limit.drain) + limit[2] - now_us
end
${EACH}
 local level, since_us, weighed, next_position = text:match('^(%d+) (%d+) (%d+) ?;()', position)
 local divisor, rest = window_us, extra
 while rest > 0 do divisor, rest = rest, divisor % rest end
 local token, drain = window_us / divisor, extra / divisor
 local passed_us = without_plan and 0 or math.max(0, now_us - (since_us or now_us))
 if weighed and weighed - token ~= 0 then level = math.ceil(level * token / math.max(1, weighed)) end
 limit = { math.max(0, (level or 0) - passed_us * drain), (since_us or now_us) + passed_us, token,
  most = most, window_us = window_us, drain = drain, previous = limit }
 position = next_position
${JUDGE}
${SAVE_TEXT}`

const cells = /* @__PURE__ */ steps('limit.gcra', lua, meter)

/**
 * The generic cell rate algorithm: a bucket that leaks evenly, `limit` in each `window`, and takes up to `burst` at once.
 * **Bound**: `burst + limit − 1` in a window's length, and `burst` at once. Three numbers a limit. ITU-T I.371, annex A.
 */
export function gcra(limits: Limits<BurstLimit>): Algorithm {
  const extra = ({ limit, windowMs, burst }: CheckedLimit): number => {
    const tokens = (windowMs * 1000) / divisor(windowMs * 1000, limit)
    if (!(burst * tokens <= Number.MAX_SAFE_INTEGER) || (burst * windowMs) / limit > MAX_MS)
      throw invalid('gcra cannot count so fine: take a limit that divides its window, or slidingBuckets')
    return limit
  }
  return algorithm({ name: 'gcra', steps: cells, options: BURST_LIMIT, extra }, limits)
}
