import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { bucketMeter } from './bucket-meter.ts'
import { EACH, JUDGE, START, steps } from './meter.ts'

/**
 * One sorted set for all limits: a member for each call that was allowed, the total before it and its cost, scored by its
 * moment; and `b`, scored by the end of a block, less than 0.
 */
const lua = `${START}
local bar = -(redis.call('ZSCORE', key, 'b') or 0)
local function at(rank)
 local found = redis.call('ZRANGE', key, rank, rank, 'WITHSCORES')
 if not found[1] or found[1] == 'b' then return 0, 0, 0 end
 return found[2] + 0, found[1]:sub(1, 16) + 0, found[1]:sub(18) + 0, found[1]
end
local newest, before, taken, member = at(-1)
local function put(cost)
 redis.call('ZADD', key, ('%.0f'):format(newest), ('%016.0f:%.0f'):format(before, cost))
end
local counted = 0
local function add(n, cost)
 if cost ~= counted then
  counted = cost
  if cost > 0 then
   redis.call('ZREMRANGEBYSCORE', key, 0, ('%.0f'):format(us - n.kept))
   newest, before, taken = math.max(us, newest), before + taken, cost
   put(cost)
  end
  while cost < 0 and member do
   redis.call('ZREM', key, member)
   cost = cost + taken
   if cost > 0 then put(cost) end
   newest, before, taken, member = at(-1)
  end
 end
 local total = before + taken
 if counted < 0 or not n.gone then
  local found = redis.call('ZRANGEBYSCORE', key, ('(%.0f'):format(us - n.w), '+inf', 'LIMIT', 0, 1)[1]
  n.gone = found and found:sub(1, 16) or total
 end
 return n.top - total + n.gone
end
local function wait(n, cost)
 if cost == n.top then return newest + n.w - us end
 local low, high, goal = bar > 0 and 1 or 0, redis.call('ZCARD', key) - 1, before + taken + cost - n.top
 while low < high do
  local middle = math.floor((low + high) / 2)
  local _, before, taken = at(middle)
  if before + taken < goal then low = middle + 1 else high = middle end
 end
 return at(low) + n.w - us
end
${EACH}
 n = { top = top, w = w, kept = x * 1000, list = n }
${JUDGE}
 if verb == 'block' then redis.call('ZADD', key, ('-%.0f'):format(bar), 'b') end
 redis.call('PEXPIRE', key, ms)
end
return reply`

const log = /* @__PURE__ */ steps('limit.sliding-log', lua, /* @__PURE__ */ bucketMeter(true))

/**
 * Remembers the moment of each call. **Bound**: exactly `limit` in any window's length, one of its ends not counted, and
 * nothing lawful is refused. Memory grows with the limit, so that it takes at most 10,000 (1,000 over a store that does not
 * run scripts): use `slidingBuckets` above.
 */
export function slidingLog(limits: Limits): Algorithm {
  return algorithm(
    'slidingLog',
    log,
    limits,
    LIMIT,
    (_limit, _windowMs, _burst, longestMs) => longestMs,
    [10_000, 1000],
  )
}
