import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { JUDGE, LOAD_TEXT, type Meter, SAVE_TEXT, steps } from './meter.ts'

/** Numbers: of the window, since the epoch; what was taken in it. */
const meter: Meter = {
  roll(count) {
    const at = Math.floor(count.us / count.windowUs)
    if (!((count.n[0] as number) >= at)) count.n = [at, 0]
    return count.top - (count.n[1] as number)
  },
  wait: ({ n: [at = 0], windowUs, us }) => (at + 1) * windowUs - us,
  add({ n }, cost) {
    n[1] = Math.max(0, (n[1] as number) + cost)
  },
}

const lua = `${LOAD_TEXT}
local function roll(n)
 local at = math.floor(us / n.w)
 if not n[1] or n[1] < at then n[1], n[2] = at, 0 end
 return n.top - n[2]
end
local function wait(n) return (n[1] + 1) * n.w - us end
local function add(n, cost) n[2] = math.max(0, n[2] + cost) end
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
