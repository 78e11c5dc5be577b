import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { bucketMeter } from './bucket-meter.ts'
import { JUDGE, steps } from './meter.ts'

/**
 * One sorted set for all limits: a member for each call that was allowed, the total before it and its cost, scored by its
 * moment; and `b`, scored by the end of a block, less than 0.
 */
const lua = `
local verb, cost, us, key, rules = ARGV[1], tonumber(ARGV[2]), now(), KEYS[1], {}
local bar, longest = -(redis.call('ZSCORE', key, 'b') or 0), 0
local base = bar > 0 and 1 or 0
for i = 3, #ARGV - 2, 3 do
 local n = { top = tonumber(ARGV[i]), w = ARGV[i + 1] * 1000 }
 rules[#rules + 1] = n
 longest = math.max(longest, n.w)
end
local function at(rank)
 local found = redis.call('ZRANGE', key, rank, rank, 'WITHSCORES')
 if not found[1] or found[1] == 'b' then return 0, 0, 0 end
 return tonumber(found[2]), tonumber(found[1]:sub(1, 16)), tonumber(found[1]:sub(18)), found[1]
end
local function put(stamp, before, cost)
 redis.call('ZADD', key, ('%.0f'):format(stamp), ('%016.0f:%.0f'):format(before, cost))
end
local newest, total
local function look()
 local stamp, before, taken = at(-1)
 newest, total = stamp, before + taken
end
look()
local function roll(n)
 local found = redis.call('ZRANGEBYSCORE', key, ('(%.0f'):format(us - n.w), '+inf', 'LIMIT', 0, 1)[1]
 return n.top - total + (found and tonumber(found:sub(1, 16)) or total)
end
local function wait(n, cost)
 if cost == n.top then return newest + n.w - us end
 local low, high = base, redis.call('ZCARD', key) - 1
 while low < high do
  local middle = math.floor((low + high) / 2)
  local _, before, taken = at(middle)
  if before + taken < total + cost - n.top then low = middle + 1 else high = middle end
 end
 return at(low) + n.w - us
end
local function add(n, cost)
 if n ~= rules[1] then return end
 redis.call('ZREMRANGEBYSCORE', key, 0, ('%.0f'):format(us - longest))
 look()
 if cost > 0 then
  newest = math.max(us, newest)
  put(newest, total, cost)
  total = total + cost
 end
 while cost < 0 and total > 0 do
  local stamp, before, taken, member = at(-1)
  if not member then break end
  redis.call('ZREM', key, member)
  if taken + cost > 0 then put(stamp, before, taken + cost) end
  cost = cost + taken
 end
 look()
end
${JUDGE}
if changed then
 if verb == 'block' then redis.call('ZADD', key, ('-%.0f'):format(bar), 'b') end
 if life > 0 then redis.call('PEXPIRE', key, ms) else redis.call('DEL', key) end
end
return reply`

const log = /* @__PURE__ */ steps('limit.sliding-log', lua, { ...bucketMeter, shared: true })

/**
 * Remembers the moment of each call. **Bound**: exactly `limit` in any window's length, one of its ends not counted, and
 * nothing lawful is refused. Memory grows with the limit, so that it takes at most 10,000 (1,000 over a store that does not
 * run scripts): use `slidingBuckets` above.
 */
export function slidingLog(limits: Limits): Algorithm {
  return algorithm('slidingLog', log, limits, LIMIT, (_, windowMs) => windowMs * 1000, [10_000, 1000])
}
