import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import {
  type Count,
  EACH,
  EACH_KEY,
  JUDGE,
  type Meter,
  READ_TEXT,
  SAVE_TEXT,
  START,
  steps,
  THREE_NUMBERS,
} from './meter.ts'

/** Microseconds of the window that have passed. */
const passedUs = ({ numbers: [window = 0], windowUs, nowUs }: Count): number => nowUs - window * windowUs

/** Numbers: the number of the window since the epoch, what was taken in it, and what was taken in the window before. */
const meter: Meter = {
  size: 3,
  add(count, cost) {
    const { windowUs, nowUs, most } = count
    const current = Math.floor(nowUs / windowUs)
    let [window = 0, taken = 0, before = 0] = count.numbers
    if (window < current) [window, taken, before] = [current, 0, window === current - 1 ? taken : 0]
    taken += cost
    before = Math.max(0, before + Math.min(0, taken))
    taken = Math.max(0, taken)
    count.numbers = [window, taken, before]
    return most - taken - Math.ceil((before * (windowUs - Math.max(0, passedUs(count)))) / windowUs)
  },
  wait(count, cost) {
    const { windowUs, most } = count
    const [, taken = 0, before = 0] = count.numbers
    const free = most - cost - taken
    // One microsecond more, against rounding.
    const untilUs = free < 0 ? 2 * windowUs - (windowUs * (most - cost)) / taken : windowUs - (windowUs * free) / before
    return Math.ceil(untilUs) + 1 - passedUs(count)
  },
}

const lua = `${START}
 limits[#limits + 1] = { 0, 0, 0, most = most, window_us = window_us, current = math.floor(now_us / window_us) }
end${THREE_NUMBERS}
local function add(limit, cost)
 local taken, before, window_us = limit[2] + cost, limit[3], limit.window_us
 if taken < 0 then taken, before = 0, math.max(0, before + taken) end
 limit[2], limit[3] = taken, before
 if before == 0 then return limit.most - taken end
 return limit.most - taken - math.ceil(before * (window_us - math.max(0, now_us - limit[1] * window_us)) / window_us)
end
local function wait(limit, cost)
 local free, window_us = limit.most - cost - limit[2], limit.window_us
 local until_us = free < 0 and 2 * window_us - window_us * (limit.most - cost) / limit[2] or window_us - window_us * free / limit[3]
 return math.ceil(until_us) + 1 - (now_us - limit[1] * window_us)
end
${EACH_KEY}${READ_TEXT}${EACH}
 local windows_passed = is_read and limit.current - limit[1] or 2
 if windows_passed > 0 then limit[1], limit[2], limit[3] = limit.current, 0, windows_passed == 1 and limit[2] or 0 end
${JUDGE}
${SAVE_TEXT}`

const sliding = /* @__PURE__ */ steps('limit.sliding-window', lua, meter)

/**
 * Counts in windows as `fixedWindow`, and adds the count of the window before, in proportion to the part of it that a window
 * which ends now still covers. **Bound**: up to twice `limit`, less one, in a window's length against a caller that knows the
 * windows; about 1.1 times `limit` on random traffic. Stores three numbers for each limit. Source: Cloudflare, "How we built
 * rate limiting capable of scaling to millions of domains".
 */
export function slidingWindow(limits: Limits): Algorithm {
  return algorithm({ name: 'slidingWindow', steps: sliding, options: LIMIT, extra: () => 0 }, limits)
}
