import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { EACH, EACH_KEY, JUDGE, type Meter, READ_TEXT, SAVE_TEXT, START, steps, TWO_NUMBERS } from './meter.ts'

/** Numbers: the number of the window since the epoch, and what was taken in it. */
const meter: Meter = {
  size: 2,
  add(count, cost) {
    const current = Math.floor(count.nowUs / count.windowUs)
    const [window = 0, taken = 0] = count.numbers
    count.numbers = window < current ? [current, Math.max(0, cost)] : [window, Math.max(0, taken + cost)]
    return count.most - (count.numbers[1] as number)
  },
  wait: ({ numbers: [window = 0], windowUs, nowUs }) => (window + 1) * windowUs - nowUs,
}

const lua = `${START}
 limits[#limits + 1] = { 0, 0, most = most, window_us = window_us, current = math.floor(now_us / window_us) }
end${TWO_NUMBERS}
local function add(limit, cost)
 local taken = limit[2] + cost
 limit[2] = taken > 0 and taken or 0
 return limit.most - limit[2]
end
local function wait(limit) return (limit[1] + 1) * limit.window_us - now_us end
${EACH_KEY}${READ_TEXT}${EACH}
 if not is_read or limit[1] < limit.current then limit[1], limit[2] = limit.current, 0 end
${JUDGE}
${SAVE_TEXT}`

const fixed = /* @__PURE__ */ steps('limit.fixed-window', lua, meter)

/**
 * Counts in windows that all start at multiples of `window` since the epoch (UTC). **Bound**: `limit` in each of these windows,
 * and up to twice `limit` in any span of a window's length: at the end of one window and the start of the next. Stores two
 * numbers for each limit.
 */
export function fixedWindow(limits: Limits): Algorithm {
  return algorithm({ name: 'fixedWindow', steps: fixed, options: LIMIT, extra: () => 0 }, limits)
}
