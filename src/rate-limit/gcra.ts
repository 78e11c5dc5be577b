import { invalid } from '../protocol/arguments.ts'
import { type Algorithm, algorithm, BURST_LIMIT, type BurstLimit, type CheckedLimit, type Limits } from './algorithm.ts'
import {
  type Count,
  EACH,
  EACH_KEY,
  JUDGE,
  MAX_MS,
  type Meter,
  READ_TEXT,
  SAVE_TEXT,
  START,
  steps,
  THREE_NUMBERS,
} from './meter.ts'

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b)
}

/** The weight of a token, and what drains in a microsecond, in the largest unit that makes both whole numbers. */
function units({ windowUs, extra }: Count): [token: number, drain: number] {
  const unit = divisor(windowUs, extra)
  return [windowUs / unit, extra / unit]
}

/**
 * Numbers: the level, the moment of that level, and the weight of a token then. `extra`: how many tokens drain in each window.
 */
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
 local divisor, rest = window_us, extra
 while rest > 0 do divisor, rest = rest, divisor % rest end
 limits[#limits + 1] = { 0, 0, 0, most = most, window_us = window_us, token = window_us / divisor, drain = extra / divisor }
end${THREE_NUMBERS}
local function add(limit, cost)
 local level, token = limit[1] + cost * limit.token, limit.token
 limit[1] = level > 0 and level or 0
 return limit.most - math.ceil(limit[1] / token)
end
local function wait(limit, cost)
 return math.ceil((limit[1] + (cost - limit.most) * limit.token) / limit.drain) + limit[2] - now_us
end
${EACH_KEY}${READ_TEXT}${EACH}
 if not is_read then limit[1], limit[2], limit[3] = 0, now_us, limit.token end
 if limit[3] ~= limit.token then limit[1], limit[3] = math.ceil(limit[1] * limit.token / math.max(1, limit[3])), limit.token end
 if not without_plan and now_us > limit[2] then
  limit[1], limit[2] = math.max(0, limit[1] - (now_us - limit[2]) * limit.drain), now_us
 end
${JUDGE}
${SAVE_TEXT}`

const cells = /* @__PURE__ */ steps('limit.gcra', lua, meter)

/**
 * The generic cell rate algorithm: a bucket that drains evenly, `limit` in each `window`, and takes up to `burst` at once.
 * **Bound**: `burst + limit − 1` in a window's length, and `burst` at once. Stores three numbers for each limit. Source: ITU-T
 * I.371, annex A.
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
