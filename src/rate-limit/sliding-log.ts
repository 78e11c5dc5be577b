import { type Algorithm, algorithm, LIMIT, type Limits } from './algorithm.ts'
import { bucketMeter } from './bucket-meter.ts'
import { EACH, EACH_KEY, JUDGE, START, steps } from './meter.ts'

/** The largest limit, and so the most that a log can hold. */
const MOST = 10_000

/**
 * One sorted set for all limits. It has a member for each call that was allowed: the total before the call and its cost, with
 * the moment of the call as its score. The score of a member `b` is the end of a block, negated. A key of another type, a set
 * whose newest member has another form, and a set too large to be a log count as absent, and are deleted when something is
 * taken or blocked. The size of the set is read only where the totals of its oldest and newest member do not bound it: each
 * costs at least 1.
 *
 * Commands that may grow the key come first: a server past its `maxmemory` refuses them, but nothing after a first write.
 */
const lua = `${START}
 limits[#limits + 1] = { most = most, window_us = window_us, kept_us = extra * 1000 }
end
local unsound, foreign, is_blocked, oldest_us, oldest_total, counted, blocked_until_us
local newest_us, before, taken, member
local function entry(rank)
 local found = redis.call('ZRANGE', key, rank, rank, 'WITHSCORES')
 local member = found[1]
 if not member or member == 'b' then return 0, 0, 0 end
 local before, taken = member:match('^(%d+):([1-9]%d*)$')
 if not before or #before ~= 16 or #taken > 15 then return end
 return found[2] + 0, before + 0, taken + 0, member
end
local function replace_unsound()
 if not unsound then return end
 if foreign then redis.call('SET', key, '') else redis.call('ZADD', key, 0, 'b') end
 redis.call('UNLINK', key)
 unsound = false
end
local function put(cost)
 replace_unsound()
 redis.call('ZADD', key, whole(newest_us), ('%016.0f'):format(before) .. ':' .. whole(cost))
end
local function add(limit, cost)
 if cost ~= counted then
  counted = cost
  if cost > 0 then
   newest_us, before, taken = now_us > newest_us and now_us or newest_us, before + taken, cost
   local ended_us = now_us - limit.kept_us
   put(cost)
   if is_blocked or oldest_us <= ended_us then redis.call('ZREMRANGEBYSCORE', key, 0, ('%.0f'):format(ended_us)) end
  elseif cost < 0 then
   local gone = {}
   while cost < 0 and member and #gone <= ${MOST} do
    gone[#gone + 1] = member
    cost = cost + taken
    if cost > 0 then
     taken = cost
     put(cost)
    else newest_us, before, taken, member = entry(-1 - #gone) end
    if not newest_us then newest_us, before, taken = 0, 0, 0 end
   end
   for _, each in ipairs(gone) do redis.call('ZREM', key, each) end
  end
 end
 local total = before + taken
 if counted < 0 or not limit.total_before then
  local start_us, first_total = now_us - limit.window_us, not unsound and oldest_total
  if first_total and (is_blocked or counted < 0 or oldest_us <= start_us) then
   local first = redis.call('ZRANGEBYSCORE', key, ('(%.0f'):format(start_us), '+inf', 'LIMIT', 0, 1)
   first_total = (first[1] or ''):sub(1, 16):match('^%d+')
  end
  limit.total_before = (first_total or total) + 0
 end
 local used = total - limit.total_before
 return limit.most - (used > 0 and used or 0)
end
local function wait(limit, cost)
 if cost == limit.most then return newest_us + limit.window_us - now_us end
 local low, high = blocked_until_us > 0 and 1 or 0, redis.call('ZCARD', key) - 1
 local enough = before + taken + cost - limit.most
 while low < high do
  local middle = math.floor((low + high) / 2)
  local _, before, taken = entry(middle)
  if (before or 0) + (taken or 0) < enough then low = middle + 1 else high = middle end
 end
 return (entry(low) or now_us) + limit.window_us - now_us
end
${EACH_KEY}
local lowest = redis.pcall('ZRANGE', key, '0', '0', 'WITHSCORES')
foreign = is_foreign(lowest)
if lowest.err and not foreign then return lowest end
is_blocked, oldest_us, newest_us, counted = lowest[1] == 'b', (lowest[2] or 0) + 0, nil, 0
oldest_total = lowest[1] and (lowest[1]:match('^%d+') or 1 / 0) + 0
unsound = foreign or is_blocked and oldest_us > 0
blocked_until_us = is_blocked and not unsound and -oldest_us or 0
if not unsound then newest_us, before, taken, member = entry('-1') end
local held = newest_us and oldest_total and before + taken - oldest_total or 0
if (held < 0 or held > ${MOST}) and redis.call('ZCARD', key) > ${MOST + 1} then newest_us = nil end
if not newest_us then unsound, newest_us, before, taken, blocked_until_us, member = true, 0, 0, 0, 0 end
${EACH}
 limit.total_before = nil
${JUDGE}
 if verb == 'block' then
  replace_unsound()
  redis.call('ZADD', key, ('-%.0f'):format(blocked_until_us), 'b')
 end
 redis.call('PEXPIRE', key, whole(life_ms))
end
return reply`

const log = /* @__PURE__ */ steps('limit.sliding-log', lua, /* @__PURE__ */ bucketMeter(true, 2 * MOST))

/**
 * Remembers the moment of each call. **Bound**: exactly `limit` in any span of a window's length, one of its ends not counted,
 * and no call that fits is refused. Memory grows with the limit, so the limit is at most 10,000 (1,000 over a store that does
 * not run scripts): use `slidingBuckets` above that.
 */
export function slidingLog(limits: Limits): Algorithm {
  return algorithm(
    { name: 'slidingLog', steps: log, options: LIMIT, extra: ({ longestMs }) => longestMs, most: [MOST, 1000] },
    limits,
  )
}
