import type { Operation, Transition } from '../protocol/operation.ts'

/** How long a name's last fencing token is remembered after its last step, in milliseconds: a day, and its lease. */
const REMEMBERED_MS = 86_400_000
/** Most claims of one name: those who wait without one are as many as may be. */
const MAX_CLAIMS = 32

/**
 * What is stored under one name: `l<last token>;`, then a record for each holder or claim: `<id> <most> <token> <ends>;`.
 *
 * - `most`: with how many holders at a time this one agrees, itself counted.
 * - `token`: 0 is a claim. It holds nothing and says that somebody waits, who will try again before it ends.
 * - `ends`: the end of the lease or claim in epoch milliseconds by the store's clock; 0 once it was given back.
 *
 * A token is the store's clock in microseconds, or the last token + 1 where that is more. After a failover that lost the
 * record the clock still rises; after a clock that was set back the record does. Records that have ended are dropped by
 * the next step that writes. Text of another form counts as no record.
 *
 * | verb | further arguments | replies |
 * | --- | --- | --- |
 * | take | lease ms, most, claim ms or 0 | the token, again where the id holds already; 0: refused; or -1: refused, and the claim is there |
 * | keep | lease ms | 1: the lease ends no earlier than so far and than lease ms from now; or 0: not held |
 * | free | | 1: released by this step or by one before; or 0: not held. A claim ends too |
 *
 * While anybody has a claim, only those who have one are let in: a holder that releases and asks again at once would
 * otherwise always be first. A claim of fewer holders than there would be keeps others from joining: readers would
 * otherwise keep a writer out for ever. Where nobody holds, whoever has a claim and tries first is next.
 *
 * Each step may run again at any later moment, so that a lost reply costs nothing. `take` recognises its own id and leaves
 * its lease as it is, and is refused after `free`; `keep` never shortens a lease and revives none; `free` finds its own
 * mark. No step touches the record of another id before it has ended.
 */
const lua = `
local verb, id, lease, most, us = ARGV[1], ARGV[2], ARGV[3], ARGV[4], now()
local ms = math.floor(us / 1000)
local text = redis.call('GET', KEYS[1]) or ''
local last = text:match('^l(%d+);') or 0
local count, least, claims, want, rest = 0, most or 0, 0, 1e9, ''
local agreed, token, ends = 0, 0, -1
for from, who, limit, fence, till, to in text:gmatch('()([%w_-]+) (%d+) (%d+) (%d+);()') do
 if who == id then agreed, token, ends = limit, fence, till
 elseif till - ms > 0 then
  rest = rest .. text:sub(from, to - 1)
  if fence == '0' then claims, want = claims + 1, math.min(want, limit)
  else count, least = count + 1, math.min(least, limit) end
 end
end
local live, freed, holds = ends - ms > 0, ends + 0 == 0, token + 0 > 0
local function put(most, token, ends)
 text = ('l%016.0f;'):format(last) .. rest .. ('%s %.0f %.0f %.0f;'):format(id, most, token, ends)
 redis.call('SET', KEYS[1], text, 'PX', ('%.0f'):format(math.max(lease + ${REMEMBERED_MS}, redis.call('PTTL', KEYS[1]))))
 return 1
end
if verb == 'take' then
 if freed then return 0 end
 if live and holds then return token + 0 end
 if (live or claims == 0) and (count == 0 or count - least < 0 and most - want <= 0) then
  last = math.max(us, last + 1)
  put(most, last, ms + lease + 1)
  return last
 end
 if ARGV[5] == '0' or not live and claims >= ${MAX_CLAIMS} then return 0 end
 put(most, 0, ms + ARGV[5])
 return -1
elseif verb == 'keep' then
 return live and holds and put(agreed, token, math.max(ends, ms + lease + 1)) or 0
end
if live or freed then put(agreed, token, 0) end
return (live or freed) and holds and 1 or 0`

type Args =
  | readonly [verb: 'take', id: string, leaseMs: number, most: number, claimMs: number]
  | readonly [verb: 'keep' | 'free', id: string, leaseMs: number]

/** One step on the holders of one name. */
export const lockStep: Operation<Args, number> = {
  name: 'lock.step',
  effect: 'repeat',
  lua,
  apply(current, [verb, id, lease, most = 0, claimMs = 0], { nowUs, leftMs = 0 }) {
    const text = current ?? ''
    const ms = Math.floor(nowUs / 1000)
    let last = Number(/^l(\d+);/.exec(text)?.[1] ?? 0)
    let [count, least, claims, want, rest] = [0, most, 0, 1e9, '']
    let [agreed, token, ends] = [0, 0, -1]
    for (const [record, who, ...numbers] of text.matchAll(/([\w-]+) (\d+) (\d+) (\d+);/g)) {
      const [limit, fence, till] = numbers.map(Number) as [number, number, number]
      if (who === id) [agreed, token, ends] = [limit, fence, till]
      else if (till > ms) {
        rest += record
        if (fence === 0) [claims, want] = [claims + 1, Math.min(want, limit)]
        else [count, least] = [count + 1, Math.min(least, limit)]
      }
    }
    const live = ends > ms
    const freed = ends === 0
    const holds = token > 0
    let next = current
    let ttl: Transition<number>['ttl'] = 'keep'
    const put = (most: number, token: number, ends: number): number => {
      next = `l${`${last}`.padStart(16, '0')};${rest}${id} ${most} ${token} ${ends};`
      ttl = { ms: Math.max(lease + REMEMBERED_MS, leftMs) }
      return 1
    }
    const step = (): number => {
      if (verb === 'take') {
        if (freed) return 0
        if (live && holds) return token
        if ((live || claims === 0) && (count === 0 || (count < least && most <= want))) {
          last = Math.max(nowUs, last + 1)
          put(most, last, ms + lease + 1)
          return last
        }
        if (claimMs === 0 || (!live && claims >= MAX_CLAIMS)) return 0
        put(most, 0, ms + claimMs)
        return -1
      }
      if (verb === 'keep') return live && holds ? put(agreed, token, Math.max(ends, ms + lease + 1)) : 0
      if (live || freed) put(agreed, token, 0)
      return Number((live || freed) && holds)
    }
    const reply = step()
    return { next, ttl, reply }
  },
}
