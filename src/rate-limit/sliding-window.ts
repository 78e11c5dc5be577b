import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { type Count, EACH, JUDGE, type Meter, SAVE_TEXT, steps, TEXT } from './meter.ts'

const into = ({ n: [at = 0], windowUs, us }: Count): number => us - at * windowUs

/** Numbers: of the window, since the epoch; what was taken in it; in the one before. */
const meter: Meter = {
  size: 3,
  add(count, cost) {
    const { windowUs: w, us, top } = count
    const index = Math.floor(us / w)
    let [at = 0, now = 0, before = 0] = count.n
    if (at < index) [at, now, before] = [index, 0, at === index - 1 ? now : 0]
    now += cost
    before = Math.max(0, before + Math.min(0, now))
    now = Math.max(0, now)
    count.n = [at, now, before]
    return top - now - Math.ceil((before * (w - Math.max(0, into(count)))) / w)
  },
  wait(count, cost) {
    const { windowUs: w, top } = count
    const [, now = 0, before = 0] = count.n
    const free = top - cost - now
    // One more, against rounding.
    const until = free < 0 ? 2 * w - (w * (top - cost)) / now : w - (w * free) / before
    return Math.ceil(until) + 1 - into(count)
  },
}

const lua = `${TEXT}
local function add(n, cost)
 local now = n[2] + cost
 n[2], n[3] = math.max(0, now), math.max(0, n[3] + math.min(0, now))
 return n.top - n[2] - math.ceil(n[3] * (n.w - math.max(0, us - n[1] * n.w)) / n.w)
end
local function wait(n, cost)
 local free = n.top - cost - n[2]
 local till = free < 0 and 2 * n.w - n.w * (n.top - cost) / n[2] or n.w - n.w * free / n[3]
 return math.ceil(till) + 1 - (us - n[1] * n.w)
end
${EACH}
 local this, was, now, before, to = math.floor(us / w), text:match('^(%d+) (%d+) (%d+) ?;()', at)
 local past = this - (was or -1)
 if past > 0 then was, now, before = this, 0, past == 1 and now or 0 end
 n, at = { was + 0, now + 0, before + 0, top = top, w = w, list = n }, to
${JUDGE}
${SAVE_TEXT}`

const sliding = /* @__PURE__ */ steps('limit.sliding-window', lua, meter)

/**
 * Counts in windows as `fixedWindow`, and adds the count of the window before, by the part of it that a window ending now
 * still covers. **Bound**: up to twice `limit`, less one, in a window's length against a caller that knows the windows; about
 * 1.1 times on random traffic. Three numbers a limit. Cloudflare, "How we built rate limiting capable of scaling to millions of domains".
 */
export function slidingWindow(limits: Limits): Algorithm {
  return algorithm('slidingWindow', sliding, limits, LIMIT, () => 0)
}
