import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { bucketMeter } from './bucket-meter.ts'
import { EACH, JUDGE, SAVE_TEXT, steps, TEXT } from './meter.ts'

/** Buckets of a window. */
const BUCKETS = 32

const lua = `${TEXT}
local function add(n, cost)
 while n[1] and n[1] + n.w <= us do
  table.remove(n, 1)
  table.remove(n, 1)
 end
 local newest = n[#n - 1] or 0
 local at, i = math.max(us, newest), #n + 1
 if cost > 0 then
  if math.floor(newest / n.size) == math.floor(at / n.size) then i = i - 2 end
  n[i], n[i + 1] = at, (n[i + 1] or 0) + cost
 end
 while cost < 0 and #n > 0 do
  local left = n[#n] + cost
  if left > 0 then n[#n] = left else n[#n], n[#n - 1] = nil, nil end
  cost = math.min(left, 0)
 end
 local left = n.top
 for i = 2, #n, 2 do left = left - n[i] end
 return left
end
local function wait(n, cost)
 local left, i = add(n, 0), 1
 while left < cost do left, i = left + n[i + 1], i + 2 end
 return n[i - 2] + n.w - us
end
${EACH}
 local list, to = text:match('^([%d ]*);()', at)
 n, at = { top = top, w = w, size = w / x, list = n }, to
 local i = 1
 for stamp, taken in (list or ''):gmatch('(%d+) (%d+)') do n[i], n[i + 1], i = stamp + 0, taken + 0, i + 2 end
${JUDGE}
${SAVE_TEXT}`

const buckets = /* @__PURE__ */ steps('limit.sliding-buckets', lua, /* @__PURE__ */ bucketMeter(false))

/**
 * Counts in a sliding window cut into 32 buckets. What was taken leaves the window up to a 32nd of it late, never early.
 * **Bound**: exactly `limit` in any window's length, one of its ends not counted, and at least 32/33 of what is lawful
 * under full load. At most 33 pairs of numbers a limit, however large.
 */
export function slidingBuckets(limits: Limits): Algorithm {
  return algorithm('slidingBuckets', buckets, limits, LIMIT, () => BUCKETS)
}
