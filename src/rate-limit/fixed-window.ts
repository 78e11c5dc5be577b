import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { EACH, JUDGE, type Meter, SAVE_TEXT, START, steps, TEXT } from './meter.ts'

/** Numbers: of the window, since the epoch; what was taken in it. */
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
local limit_form, limit_length = '%d+ %d+ ?;', 35${TEXT}
local function add(limit, cost)
 limit[2] = math.max(0, limit[2] + cost)
 return limit.most - limit[2]
end
local function wait(limit) return (limit[1] + 1) * limit.window_us - now_us end
${EACH}
 local current, window, taken, next_position = math.floor(now_us / window_us), text:match('^(%d+) (%d+) ?;()', position)
 if not window or window - current < 0 then window, taken = current, 0 end
 limit = { window + 0, taken + 0, most = most, window_us = window_us, previous = limit }
 position = next_position
${JUDGE}
${SAVE_TEXT}`

const fixed = /* @__PURE__ */ steps('limit.fixed-window', lua, meter)

/**
 * Counts in windows that all start at multiples of `window` since the epoch (UTC). **Bound**: `limit` in each of these, and
 * twice `limit` in a window's length anywhere: the last moment of one and the first of the next. Two numbers a limit.
 */
export function fixedWindow(limits: Limits): Algorithm {
  return algorithm({ name: 'fixedWindow', steps: fixed, options: LIMIT, extra: () => 0 }, limits)
}
