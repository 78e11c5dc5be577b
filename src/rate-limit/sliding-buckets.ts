import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { bucketMeter } from './bucket-meter.ts'
import { EACH, EACH_KEY, JUDGE, READ_TEXT, SAVE_TEXT, START, steps } from './meter.ts'

/** How many buckets a window has. A window that does not begin with a bucket overlaps 33. */
const BUCKETS = 32
const MOST_NUMBERS = 66

/** Pairs that are not in order, or more than 33 of them, count as none. */
const lua = `${START}
 limits[#limits + 1] = { most = most, window_us = window_us, bucket_us = window_us / extra }
end
local text_end = ('%.0f'):format(18 + #limits * 1123)
local function read(limit, text, position)
 local numbers, next_position = text:match('^([%d ]*);()', position)
 if not numbers then return end
 local count, newest_us, is_sound = 0, 0, not numbers:find('^ ') and not numbers:find('  ', 1, true)
 for number in numbers:gmatch('%d+') do
  if #number > 16 then return end
  count = count + 1
  limit[count] = number + 0
  if count % 2 == 1 then is_sound, newest_us = is_sound and newest_us <= limit[count], limit[count] end
 end
 if count % 2 == 1 or count > ${MOST_NUMBERS} or not is_sound then count = 0 end
 for i = #limit, count + 1, -1 do limit[i] = nil end
 return next_position
end
local function text_of(limit)
 local parts = {}
 for i = 1, #limit do parts[i] = whole(limit[i]) end
 parts[#limit + 1] = ';'
 return table.concat(parts, ' ')
end
local function add(limit, cost)
 local gone = 0
 while limit[gone + 1] and limit[gone + 1] + limit.window_us <= now_us do gone = gone + 2 end
 if gone > 0 then for i = 1, #limit do limit[i] = limit[i + gone] end end
 local newest_us = limit[#limit - 1] or 0
 local at_us, i = math.max(now_us, newest_us), #limit + 1
 if cost > 0 then
  if math.floor(newest_us / limit.bucket_us) == math.floor(at_us / limit.bucket_us) then i = i - 2 end
  limit[i], limit[i + 1] = at_us, (limit[i + 1] or 0) + cost
 end
 while cost < 0 and #limit > 0 do
  local rest = limit[#limit] + cost
  if rest > 0 then limit[#limit] = rest else limit[#limit], limit[#limit - 1] = nil, nil end
  cost = math.min(rest, 0)
 end
 local left = limit.most
 for i = 2, #limit, 2 do left = left - limit[i] end
 return left
end
local function wait(limit, cost)
 local left, i = add(limit, 0), 1
 while left < cost and limit[i] do left, i = left + limit[i + 1], i + 2 end
 return limit[i - 2] + limit.window_us - now_us
end
${EACH_KEY}${READ_TEXT}${EACH}
 if not is_read then for i = #limit, 1, -1 do limit[i] = nil end end
${JUDGE}
${SAVE_TEXT}`

const buckets = /* @__PURE__ */ steps('limit.sliding-buckets', lua, /* @__PURE__ */ bucketMeter(false, MOST_NUMBERS))

/**
 * Counts in a sliding window that is cut into 32 buckets. A cost leaves the window up to a 32nd of it late, never early.
 * **Bound**: exactly `limit` in any span of a window's length, one of its ends not counted, and under full load at least 32/33
 * of what the limit allows. Stores at most 33 pairs of numbers for each limit, however large it is.
 */
export function slidingBuckets(limits: Limits): Algorithm {
  return algorithm({ name: 'slidingBuckets', steps: buckets, options: LIMIT, extra: () => BUCKETS }, limits)
}
