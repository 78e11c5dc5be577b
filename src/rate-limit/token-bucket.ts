import { invalid } from '../protocol/arguments.ts'
import { type Algorithm, algorithm, BURST_LIMIT, type BurstLimit, type CheckedLimit, type Limits } from './algorithm.ts'
import { EACH, EACH_KEY, JUDGE, MAX_MS, type Meter, READ_TEXT, SAVE_TEXT, START, steps, TWO_NUMBERS } from './meter.ts'

/** Numbers: how many tokens are missing, and since when. `extra`: how many tokens are added in each window. */
const meter: Meter = {
  size: 2,
  add(count, cost) {
    const { windowUs, nowUs, most, extra, withoutPlan } = count
    const [was = 0, since = nowUs] = count.numbers
    const windows = withoutPlan ? 0 : Math.max(0, Math.floor((nowUs - since) / windowUs))
    const missing = Math.max(0, was - windows * extra)
    const next = Math.max(0, missing + cost)
    count.numbers = [next, missing === 0 ? nowUs : since + windows * windowUs]
    return most - next
  },
  wait: ({ numbers: [missing = 0, since = 0], windowUs, nowUs, most, extra }, cost) =>
    Math.ceil((cost - most + missing) / extra) * windowUs - (nowUs - since),
}

const lua = `${START}
 limits[#limits + 1] = { 0, 0, most = most, window_us = window_us, extra = extra }
end${TWO_NUMBERS}
local function add(limit, cost)
 local missing = limit[1] + cost
 limit[1] = missing > 0 and missing or 0
 return limit.most - limit[1]
end
local function wait(limit, cost)
 return math.ceil((cost - limit.most + limit[1]) / limit.extra) * limit.window_us - (now_us - limit[2])
end
${EACH_KEY}${READ_TEXT}${EACH}
 if not is_read then limit[1], limit[2] = 0, now_us end
 local passed_us = without_plan and 0 or now_us - limit[2]
 if passed_us >= window_us then
  local windows = math.floor(passed_us / window_us)
  limit[1], limit[2] = math.max(0, limit[1] - windows * limit.extra), limit[2] + windows * window_us
 end
 if limit[1] == 0 then limit[2] = now_us end
${JUDGE}
${SAVE_TEXT}`

const bucket = /* @__PURE__ */ steps('limit.token-bucket', lua, meter)

/**
 * A bucket of up to `burst` tokens. It gets `limit` of them at once after each `window`, counted from when it was last full.
 * **Bound**: `burst + limit − 1` in a window's length. Stores two numbers for each limit.
 */
export function tokenBucket(limits: Limits<BurstLimit>): Algorithm {
  const extra = ({ limit, windowMs, burst }: CheckedLimit): number => {
    if (Math.ceil(burst / limit) * windowMs > MAX_MS) throw invalid('a tokenBucket fills in 31 years at most')
    return limit
  }
  return algorithm({ name: 'tokenBucket', steps: bucket, options: BURST_LIMIT, extra }, limits)
}
