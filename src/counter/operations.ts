import { type Arg, KEY_LINE, type Operation, type Transition } from '../protocol/operation.ts'

/**
 * The count, `OVERFLOW`, or null if a bound would be passed and nothing was counted. A count of 16 digits is text, since a client
 * may round an integer near 2^53.
 */
type Reply = string | number | null
/** An absent bound is the empty string. */
type Bounds = readonly [min: Arg, max: Arg]

/** The stored count; undefined for text that no counter has written. */
export function countOf(text: string | undefined): number | undefined {
  return text !== undefined && /^-?\d{1,16}$/.test(text) ? Number(text) : undefined
}

/** The reply that refuses to make the count `next` by adding `by`; undefined if nothing forbids it. */
function refusal(next: number, by: number, [min, max]: Bounds): Reply | undefined {
  if (max !== '' && by > 0 && next > Number(max)) return null
  if (min !== '' && by < 0 && next < Number(min)) return null
  return Math.abs(next) > Number.MAX_SAFE_INTEGER ? 'OVERFLOW' : undefined
}

const decide = `
if max ~= '' and by > 0 and next - max > 0 or min ~= '' and by < 0 and next - min < 0 then return false end
if math.abs(next) > 9007199254740991 then return 'OVERFLOW' end
local reply = math.abs(next) < 1e15 and next or ('%.0f'):format(next)
if by == 0 then return reply end`

const replyOf = (count: number): Reply => (Math.abs(count) < 1e15 ? count : `${count}`)

/**
 * Adds `by` to the count. Its lifetime, 0 for none, begins with the first change. Text of another form counts as absent. The
 * bounds are left out when there are none: each argument costs as much as reading the count.
 *
 * Without bounds, and with `by` and the count short enough that the sum cannot overflow, the script reads only the length of the
 * count (STRLEN) and adds with INCRBY. INCRBY refuses a number in another form than its own, such as `007`, and a user may lack
 * the right to run one of the two; in both cases the script goes on with GET and SET.
 */
export const addToCount: Operation<readonly [by: number, lifeMs: number, ...([] | Bounds)], Reply> = {
  name: 'counter.add',
  effect: 'once',
  lua: `
local is_short = #ARGV[1] < 10 and ARGV[1] ~= '0' and not ARGV[3]
${KEY_LINE}
local key = KEYS[1]
local size = is_short and redis.pcall('STRLEN', key)
if type(size) == 'number' and size > 0 and size < 15 then
 local next = redis.pcall('INCRBY', key, ARGV[1])
 if type(next) == 'number' then return next end
end
local by, life_ms, min, max = ARGV[1] + 0, ARGV[2], ARGV[3] or '', ARGV[4] or ''
local text = size ~= 0 and redis.call('GET', key) or ''
local count = #text < 18 and text:match('^-?%d+$')
if count and count:find(('%d'):rep(17)) then count = nil end
local next = (count or 0) + by${decide}
local digits = ('%.0f'):format(next)
if count then redis.call('SET', key, digits, 'KEEPTTL')
elseif life_ms == '0' then redis.call('SET', key, digits)
else redis.call('SET', key, digits, 'PX', life_ms) end
return reply`,
  apply(current, [by, lifeMs, min = '', max = '']) {
    const count = countOf(current)
    const next = (count ?? 0) + by
    const refused = refusal(next, by, [min, max])
    if (refused !== undefined || by === 0)
      return { next: current, ttl: 'keep', reply: refused === undefined ? replyOf(next) : refused }
    const ttl = count !== undefined ? 'keep' : lifeMs ? { ms: lifeMs } : 'none'
    return { next: `${next}`, ttl, reply: replyOf(next) }
  },
}

type Window = readonly [by: number, ...Bounds, bucketUs: number, buckets: number, lifeMs: number]

/**
 * Adds `by` to the current bucket, unless the total of the window would pass a bound. With `by` 0 it only replies the total.
 *
 * Text: for each bucket in the window, oldest first, its number since the epoch and its count: `29916666 5;`. A window of n
 * buckets covers the current bucket and the n before it, so that a change leaves the window up to one bucket late and never
 * early. Text of another form, or of more buckets, counts as absent. If the clock goes back, changes go into the newest bucket.
 */
const window: Omit<Operation<Window, Reply>, 'effect'> = {
  name: 'counter.window',
  lua: `
local now_us, by, min, max, bucket_us, buckets = now(), ARGV[1] + 0, ARGV[2], ARGV[3], ARGV[4] + 0, ARGV[5] + 0
local text = redis.call('GETRANGE', KEYS[1], 0, 36 * (buckets + 2))
local sound = #text <= 36 * (buckets + 1) and text:gsub('%d+ %-?%d+;', '') == '' and not text:find(('%d'):rep(17))
local current, kept, total, newest, newest_count = math.floor(now_us / bucket_us), '', 0, 0, 0
for record, bucket, count in (sound and text or ''):gmatch('((%d+) (%-?%d+);)') do
 if bucket - current >= -buckets then
  if newest ~= 0 then kept = kept .. ('%.0f %.0f;'):format(newest, newest_count) end
  total, newest, newest_count = total + count, bucket + 0, count + 0
 end
end
local next = total + by${decide}
if newest - current < 0 then
 if newest ~= 0 then kept = kept .. ('%.0f %.0f;'):format(newest, newest_count) end
 newest, newest_count = current, 0
end
local life_ms = math.max(ARGV[6] + 0, math.ceil(((newest + buckets + 1) * bucket_us - now_us) / 1000))
redis.call('SET', KEYS[1], kept .. ('%.0f %.0f;'):format(newest, newest_count + by), 'PX', ('%.0f'):format(math.min(1e14, life_ms)))
return reply`,
  apply(current, [by, min, max, bucketUs, buckets, lifeMs], { nowUs }): Transition<Reply> {
    const bucket = Math.floor(nowUs / bucketUs)
    const kept = bucketsOf(current, buckets).filter(([other]) => other - bucket >= -buckets)
    const next = kept.reduce((sum, [, count]) => sum + count, 0) + by
    const refused = refusal(next, by, [min, max])
    if (refused !== undefined || by === 0)
      return { next: current, ttl: 'keep', reply: refused === undefined ? replyOf(next) : refused }
    const [newest = 0, newestCount = 0] = kept.at(-1) ?? []
    const isSame = newest >= bucket
    if (isSame) kept.pop()
    kept.push(isSame ? [newest, newestCount + by] : [bucket, by])
    const needMs = Math.ceil(((Math.max(newest, bucket) + buckets + 1) * bucketUs - nowUs) / 1000)
    const text = kept.map(([other, count]) => `${other} ${count.toFixed(0)};`).join('')
    return { next: text, ttl: { ms: Math.min(1e14, Math.max(lifeMs, needMs)) }, reply: replyOf(next) }
  },
}

function bucketsOf(text: string | undefined, buckets: number): [bucket: number, count: number][] {
  if (!text || text.length > 36 * (buckets + 1) || !/^(\d{1,16} -?\d{1,16};)*$/.test(text)) return []
  const numbers = (text.match(/-?\d+/g) ?? []).map(Number)
  return numbers.flatMap((bucket, i): [number, number][] => (i % 2 ? [] : [[bucket, numbers[i + 1] as number]]))
}

export const addToWindow: Operation<Window, Reply> = { ...window, effect: 'once' }
export const totalOfWindow: Operation<Window, Reply> = { ...window, effect: 'read' }
