import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { EACH, JUDGE, type Meter, SAVE_TEXT, steps, TEXT } from './meter.ts'

/** Numbers: of the window, since the epoch; what was taken in it. */
const meter: Meter = {
  size: 2,
  add(count, cost) {
    const now = Math.floor(count.us / count.windowUs)
    const [at = 0, taken = 0] = count.n
    count.n = at < now ? [now, Math.max(0, cost)] : [at, Math.max(0, taken + cost)]
    return count.top - (count.n[1] as number)
  },
  wait: ({ n: [at = 0], windowUs, us }) => (at + 1) * windowUs - us,
}

const lua = `${TEXT}
local function add(n, cost)
 n[2] = math.max(0, n[2] + cost)
 return n.top - n[2]
end
local function wait(n) return (n[1] + 1) * n.w - us end
${EACH}
 local this, was, taken, to = math.floor(us / w), text:match('^(%d+) (%d+) ?;()', at)
 if not was or was - this < 0 then was, taken = this, 0 end
 n, at = { was + 0, taken + 0, top = top, w = w, list = n }, to
${JUDGE}
${SAVE_TEXT}`

const fixed = /* @__PURE__ */ steps('limit.fixed-window', lua, meter)

/**
 * Counts in windows that all start at multiples of `window` since the epoch (UTC). **Bound**: `limit` in each of these, and
 * twice `limit` in a window's length anywhere: the last moment of one and the first of the next. Two numbers a limit.
 */
export function fixedWindow(limits: Limits): Algorithm {
  return algorithm('fixedWindow', fixed, limits, LIMIT, () => 0)
}
