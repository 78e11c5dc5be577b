import type { Operation, Transition } from '../protocol/operation.ts'

/** How long the last fencing token of a name is kept after the name's last lease or claim has ended, in milliseconds: a day. */
const REMEMBERED_MS = 86_400_000
/** Most claims of one name. Any number of further callers may wait without a claim. */
const MAX_CLAIMS = 32
/** A text of at most this length has no record: it is the last token, and the mark that one holder left when it was freed. */
const BARE = 36

/**
 * The text stored under one name: `l<last token>;`, then a record for each holder or claim: `<id> <most> <token> <ends>;`.
 *
 * - `most`: the number of holders at a time that this one accepts, itself counted.
 * - `token`: the fencing token; 0 marks a claim. A claim holds nothing. It says that a caller waits and will try again before
 *   the claim ends.
 * - `ends`: the end of the lease or claim in epoch milliseconds by the store's clock.
 *
 * A record that was freed leaves the mark `<id>;` until the next `take` that writes: a repeated `free` sees that it is done.
 *
 * A token is the store's clock in microseconds, or the last token + 1 if that is more. So tokens rise after a failover that lost
 * the record, thanks to the clock, and after the clock was set back, thanks to the record. Records that have ended are dropped by
 * the next `take` that writes. Text of another form counts as no record.
 *
 * | verb | further arguments | replies |
 * | --- | --- | --- |
 * | take | lease ms, most, claim ms or 0 | the token, the same one if this id holds already; 0: refused; or -1: refused, and the claim is stored |
 * | keep | lease ms | 1: the lease ends no earlier than before, and no earlier than lease ms from now; or 0: not held |
 * | free | | 1: released by this step or by an earlier one; or 0: there is no record of this id. Ends a claim too |
 *
 * While anybody has a claim, only callers with a claim get in: otherwise a holder that releases and asks again at once would
 * always be first. Nobody may join the holders while a claim accepts fewer holders than the newcomer does: otherwise readers
 * would keep a writer out for ever. When nobody holds the name, the caller with a claim that tries first is next.
 *
 * Each step may run again at any later moment, so a lost reply costs nothing. `take` recognises its own id and leaves its lease
 * as it is; after a `free` of that id it is refused. `keep` never shortens a lease and never revives one. `free` finds its own
 * mark. No step changes the record of another id before that record has ended.
 *
 * `free` does not read the store's clock: a holder whose lease ended before its release knows that by its own clock. The script
 * cuts text out of the record instead of formatting it anew where it can: taking and releasing are the most frequent steps.
 */
const lua = `
local verb, id, key = ARGV[1], ARGV[2], KEYS[1]
local text = redis.call('GET', key) or ''
local freed = text:find(';' .. id .. ';', 1, true)
local fence, from, till, to
if verb ~= 'take' then
 if freed then return verb == 'free' and 1 or 0 end
 local at = text:find(';' .. id .. ' ', 1, true)
 if at then fence, from, till, to = text:match('^%d+ (%d+) ()(%d+)();', at + #id + 2) end
 if not fence then return 0 end
 if verb == 'free' then
  redis.call('SET', key, text:sub(1, at + #id) .. text:sub(to), 'KEEPTTL')
  return 1
 end
end
local us = now()
local ms = math.floor(us / 1000)
local ends = ms + ARGV[3] + 1
if verb == 'keep' then
 if fence == '0' or till - ms <= 0 then return 0 end
 ends = math.max(ends, till + 0)
 text = text:sub(1, from - 1) .. ('%.0f'):format(ends) .. text:sub(to)
 redis.call('SET', key, text, 'PX', math.max(ends - ms + ${REMEMBERED_MS}, redis.call('PTTL', key)))
 return 1
end
if freed then return 0 end
local most, claim, last = ARGV[4], ARGV[5], text:match('^l(%d+);') or 0
local count, least, claims, want, latest, rest, claimed = 0, most + 0, 0, 1e9, ends, ''
if #text > ${BARE} then
 for from, who, limit, fence, till, to in text:gmatch('()([%w_-]+) (%d+) (%d+) (%d+);()') do
  local lasts = till - ms > 0
  if who == id then
   if lasts and fence ~= '0' then return fence + 0 end
   claimed = lasts
  elseif lasts then
   rest = rest .. text:sub(from, to - 1)
   latest = math.max(latest, till + 0)
   if fence == '0' then claims, want = claims + 1, math.min(want, limit + 0)
   else count, least = count + 1, math.min(least, limit + 0) end
  end
 end
end
local token = -1
if (claimed or claims == 0) and (count == 0 or count - least < 0 and most - want <= 0) then
 last = math.max(us, last + 1)
 token = last
elseif claim == '0' or not claimed and claims >= ${MAX_CLAIMS} then return 0
else ends = ms + claim end
text = ('l%016.0f;%s%s %s %.0f %.0f;'):format(last, rest, id, most, math.max(token, 0), ends)
redis.call('SET', key, text, 'PX', math.max(ends, latest) - ms + ${REMEMBERED_MS})
return token`

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
    const same = (reply: number): Transition<number> => ({ next: current, ttl: 'keep', reply })
    const parts = text.length > BARE ? text.matchAll(/([\w-]+) (\d+) (\d+) (\d+);/g) : []
    const records = [...parts].map(([whole, who, ...rest]) => {
      const [limit, fence, till] = rest.map(Number) as [number, number, number]
      return { whole, who, limit, fence, till }
    })
    const own = records.find(({ who }) => who === id)
    const freed = text.includes(`;${id};`)
    let ends = ms + lease + 1
    if (verb === 'free')
      return own && !freed ? { ...same(1), next: text.replace(own.whole, `${id};`) } : same(Number(freed))
    if (verb === 'keep') {
      if (!own || own.fence === 0 || own.till <= ms) return same(0)
      ends = Math.max(ends, own.till)
      const next = text.replace(own.whole, `${id} ${own.limit} ${own.fence} ${ends};`)
      return { next, ttl: { ms: Math.max(ends - ms + REMEMBERED_MS, leftMs) }, reply: 1 }
    }
    if (freed) return same(0)
    const claimed = own !== undefined && own.till > ms
    if (claimed && own.fence > 0) return same(own.fence)
    let last = Number(/^l(\d+);/.exec(text)?.[1] ?? 0)
    const others = records.filter(({ who, till }) => who !== id && till > ms)
    const claims = others.filter(({ fence }) => fence === 0)
    const holders = others.filter(({ fence }) => fence > 0)
    const joins =
      holders.length < Math.min(most, ...holders.map(({ limit }) => limit)) &&
      claims.every(({ limit }) => most <= limit)
    let token = 0
    const latest = Math.max(ends, ...others.map(({ till }) => till))
    if ((claimed || claims.length === 0) && (holders.length === 0 || joins)) {
      last = Math.max(nowUs, last + 1)
      token = last
    } else if (claimMs === 0 || (!claimed && claims.length >= MAX_CLAIMS)) return same(0)
    else ends = ms + claimMs
    const kept = others.map(({ whole }) => whole).join('')
    return {
      next: `l${`${last}`.padStart(16, '0')};${kept}${id} ${most} ${token} ${ends};`,
      ttl: { ms: Math.max(ends, latest) - ms + REMEMBERED_MS },
      reply: token || -1,
    }
  },
}
