import { isEntry, NO_END, NO_VALUE, NONE } from '../protocol/entry.ts'
import type { Arg, Effect, Operation, Reply, Transition } from '../protocol/operation.ts'

/**
 * The atomic steps on one entry, in one script, so that a server learns one digest. The first argument is the verb, the
 * second the id of an entry that the caller has found dead, or empty. A *live* entry holds a value that is fresh and not
 * dead.
 *
 * | verb | further arguments | replies |
 * | --- | --- | --- |
 * | set, add, fill | mark and id, fresh ms, life ms, load ms, token, generation, tag block, payload | 1, or 0: `add` found a live entry, `fill` not its lease |
 * | lease | token, lease ms, early | 1: taken; the live entry's text; or the holder's token and its milliseconds left |
 * | release | token | 1, or 0: not held |
 * | take | | the live entry's text, now deleted, or null |
 * | expire | | 1: a copy is kept, stale and without its lease; or 0: none is |
 * | touch | fresh ms, life ms | 1, or 0: nothing live |
 * | ttl | | ms left of freshness, -1 without an end, or null |
 * | increment | id, fresh ms, by, generation | the sum in digits, or the code of the error |
 *
 * Text of another form counts as absent. Zero milliseconds mean no end. A lease on a stale copy keeps its key at
 * least as long as the lease lasts; an early one, on a live entry, does not.
 */
const lua = `
local verb, key, us = ARGV[1], KEYS[1], now()
local ms = math.floor(us / 1000)
local h = verb == 'set' and '' or redis.call('GETRANGE', key, 0, 127)
local function some(class, n) return ('[' .. class .. ']'):rep(n) end
local word = some('%w_-', 16)
if not h:find('^h[!-~]' .. word .. some('%d', 55) .. word .. some('%d', 15) .. word .. some('%d', 8)) then h = '' end
local none, fresh, ends, held = ('-'):rep(16), h:sub(44, 58), h:sub(59, 73), h:sub(74, 89)
local value = h ~= '' and h:sub(2, 2) ~= '-'
local live = value and h:sub(3, 18) ~= ARGV[2] and (fresh == ends or tonumber(fresh) > ms)
local function at(n) return n == '0' and ('9'):rep(15) or string.format('%015.0f', ms + n) end
local function put(head, load, times, rest, life)
  local entry = head .. string.format('%016.0f%09.0f', us, load) .. times .. none .. ('0'):rep(15) .. rest
  if life == '0' then redis.call('SET', key, entry)
  elseif life then redis.call('SET', key, entry, 'PX', life)
  else redis.call('SET', key, entry, 'KEEPTTL') end
end
if verb == 'set' or verb == 'add' and not live or verb == 'fill' and held == ARGV[7] then
  put('h' .. ARGV[3], ARGV[6], at(ARGV[4]) .. at(ARGV[5]), ARGV[8] .. string.format('%08.0f', #ARGV[9]) .. ARGV[9] .. ARGV[10], ARGV[5])
  return 1
elseif verb == 'lease' then
  if live and ARGV[5] ~= '1' then return redis.call('GET', key) end
  if h ~= '' and held ~= ARGV[3] and tonumber(h:sub(90, 104)) > ms then return { held, tonumber(h:sub(90, 104)) - ms } end
  local lease = ARGV[3] .. at(ARGV[4])
  if live or value and fresh ~= ends then
    redis.call('SETRANGE', key, 73, lease)
    if fresh ~= ends and redis.call('PTTL', key) < tonumber(ARGV[4]) then redis.call('PEXPIRE', key, ARGV[4]) end
  else
    redis.call('SET', key, 'h-' .. none .. ('0'):rep(55) .. lease .. none .. ('0'):rep(8), 'PX', ARGV[4])
  end
  return 1
elseif verb == 'release' and held == ARGV[3] then
  if value and tonumber(ends) > ms then
    redis.call('SETRANGE', key, 73, none .. ('0'):rep(15))
    redis.call('PEXPIRE', key, ends - ms)
  else redis.call('DEL', key) end
  return 1
elseif verb == 'expire' then
  if not value or fresh == ends or tonumber(ends) <= ms then
    redis.call('DEL', key)
    return 0
  end
  redis.call('SETRANGE', key, 43, at(0))
  redis.call('SETRANGE', key, 73, none .. ('0'):rep(15))
  redis.call('PEXPIRE', key, ends - ms)
  return 1
elseif verb == 'increment' then
  local n = 0
  if live then
    if h:sub(2, 2) ~= 'i' or h:sub(121) ~= '00000000' then return 'WRONG_TYPE' end
    n = redis.call('GETRANGE', key, 128, -1)
    if not n:find('^-?%d+$') then return 'WRONG_TYPE' end
  end
  n = n + ARGV[5]
  if math.abs(n) > 9007199254740991 then return 'OVERFLOW' end
  local sum = string.format('%.0f', n)
  put('hi' .. ARGV[3], 0, live and fresh .. ends or at(ARGV[4]):rep(2), ARGV[6] .. ('0'):rep(8) .. sum, not live and ARGV[4])
  return sum
end
if verb == 'take' or verb == 'ttl' then
  if not live then return false end
  if verb == 'ttl' then return fresh == ('9'):rep(15) and -1 or math.max(1, fresh - ms) end
  local text = redis.call('GET', key)
  redis.call('DEL', key)
  return text
end
if verb == 'touch' and live then
  redis.call('SETRANGE', key, 43, at(ARGV[3]) .. at(ARGV[4]))
  if ARGV[4] == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[4]) end
  return 1
end
return 0`

const ZEROS = '0'.repeat(55)
const digits = (n: number, width: number): string => n.toFixed(0).padStart(width, '0')

const apply: Operation<readonly Arg[], Reply>['apply'] = (current, args, { nowUs, leftMs }) => {
  const [verb, dead] = args
  const [a, b, c, d, e, f, g, payload] = args.slice(2) as [string, ...string[]]
  const ms = Math.floor(nowUs / 1000)
  const text = current !== undefined && isEntry(current) ? current : ''
  const cut = (from: number, to: number): string => text.slice(from, to)
  const fresh = cut(43, 58)
  const ends = cut(58, 73)
  const held = cut(73, 89)
  const leaseUntil = Number(cut(89, 104))
  const value = text !== '' && text[1] !== NO_VALUE
  const live = value && cut(2, 18) !== dead && (fresh === ends || Number(fresh) > ms)
  const at = (n: unknown): string => (n === 0 ? NO_END : digits(ms + Number(n), 15))
  const life = (n: unknown): Transition<Reply>['ttl'] => (n ? { ms: Number(n) } : 'none')
  const same = (reply: Reply): Transition<Reply> => ({ next: current, ttl: 'keep', reply })
  const put = (head: string, load: unknown, times: string, rest: string): string =>
    head + digits(nowUs, 16) + digits(Number(load), 9) + times + NONE + ZEROS.slice(40) + rest
  const patch = (from: number, part: string): string => text.slice(0, from) + part + text.slice(from + part.length)

  switch (verb) {
    case 'set':
    case 'add':
    case 'fill': {
      if ((verb === 'add' && live) || (verb === 'fill' && held !== e)) return same(0)
      const tags = String(g)
      const next = put(`h${a}`, d, at(b) + at(c), f + digits(tags.length, 8) + tags + payload)
      return { next, ttl: life(c), reply: 1 }
    }
    case 'lease': {
      if (live && Number(c) !== 1) return same(text)
      if (text && held !== a && leaseUntil > ms) return same([held, leaseUntil - ms])
      const lease = a + at(b)
      if (live || (value && fresh !== ends)) {
        const short = fresh !== ends && leftMs !== undefined && leftMs < Number(b)
        return { next: patch(73, lease), ttl: short ? life(b) : 'keep', reply: 1 }
      }
      return { next: `h${NO_VALUE}${NONE}${ZEROS}${lease}${NONE}${ZEROS.slice(47)}`, ttl: life(b), reply: 1 }
    }
    case 'release': {
      if (held !== a) return same(0)
      if (!value || Number(ends) <= ms) return { next: undefined, ttl: 'none', reply: 1 }
      return { next: patch(73, NONE + ZEROS.slice(40)), ttl: { ms: Number(ends) - ms }, reply: 1 }
    }
    case 'expire': {
      const gone = !value || fresh === ends || Number(ends) <= ms
      if (gone) return { next: undefined, ttl: 'none', reply: 0 }
      const next = text.slice(0, 43) + digits(ms, 15) + ends + NONE + ZEROS.slice(40) + text.slice(104)
      return { next, ttl: { ms: Number(ends) - ms }, reply: 1 }
    }
    case 'take':
      return live ? { next: undefined, ttl: 'none', reply: text } : same(null)
    case 'touch':
      return live ? { next: patch(43, at(a) + at(b)), ttl: life(b), reply: 1 } : same(0)
    case 'ttl':
      return same(live ? (fresh === NO_END ? -1 : Math.max(1, Number(fresh) - ms)) : null)
    default: {
      if (live && !(text[1] === 'i' && /^0{8}-?\d+$/.test(text.slice(120)))) return same('WRONG_TYPE')
      const n = (live ? Number(text.slice(128)) : 0) + Number(c)
      if (Math.abs(n) > Number.MAX_SAFE_INTEGER) return same('OVERFLOW')
      const times = live ? fresh + ends : at(b).repeat(2)
      const next = put(`hi${a}`, 0, times, d + ZEROS.slice(47) + n)
      return { next, ttl: live ? 'keep' : life(b), reply: `${n}` }
    }
  }
}

const step = (effect: Effect): Operation<readonly Arg[], Reply> => ({ name: `entry.${effect}`, effect, lua, apply })

/** For `ttl`. */
export const readEntry: Operation<readonly Arg[], Reply> = step('read')
/** For `lease`, `release` and `fill`, which find by their token that they have run, and `expire`. */
export const repeatEntry: Operation<readonly Arg[], Reply> = step('repeat')
/** For `set`, `add`, `take`, `touch` and `increment`. */
export const writeEntry: Operation<readonly Arg[], Reply> = step('once')
