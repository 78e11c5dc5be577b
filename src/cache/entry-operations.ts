import { FAILED, isEntry, NO_END, NO_VALUE, NONE } from '../protocol/entry.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { put, same, sum } from './transition.ts'

/** How long the word of a load that ended without a value is kept at least, in ms: longer than two looks at its lease are apart. */
const WORD_MS = 2000

/**
 * The atomic steps on one entry, in one script, so that a server learns one digest. The first argument is the verb, the
 * second the id of an entry that the caller has found dead, or empty; of `take` and `touch`, the id of the one it has
 * found live; of `bury` and `rewrite`, of the one to end. A *live* entry holds a value that is fresh and not dead, to
 * `take` and `touch` the one it was told of.
 *
 * | verb | further arguments | replies |
 * | --- | --- | --- |
 * | set, add, fill, rewrite | mark and id, fresh ms, life ms, load ms, token, generation, tag block, payload | 1, or 0: `add` found a live entry, `fill` not its lease, `rewrite` not its entry; of `fill` the store's time in place of 1 |
 * | lease | token, lease ms, 0, 1: early, or 2: renewed; the token of a holder who has had it too long; 1: a shared failure counts | a list, see below; renewed: 1, or 0: not held |
 * | release | token | 1, or 0: not held |
 * | fail, gone | token, ms for which the failure is shared | 1, or 0: not held; as `release`, and leaves word that the load ended without a value where somebody waits for it or it is shared; `gone` deletes the copy as well |
 * | take | | the live entry's text, now deleted, or null |
 * | expire | | 1: a copy is kept, stale and without its lease; or 0: none is |
 * | touch | fresh ms, life ms | 1, or 0: nothing live |
 * | bury | milliseconds to live, or 0 | 1: it was there, fresh or stale, and is deleted, or has no longer to live; or 0 |
 * | ttl | | ms left of freshness, -1 without an end, or null |
 * | increment | id, fresh ms, by, generation | the sum in digits, the code of the error, or null: what is live is of another generation |
 *
 * `lease` replies with `'held'`, the store's time and the id of the copy it is held on, or `''`; `'live'`, the time and
 * the live entry's id; `'failed'` and the time: a load has failed, and shares it still; or `'busy'`, the time, the
 * holder's token, its milliseconds left, and 1 where the holder took the lease after a load that ended without a value, else
 * 0. Who is told `'busy'` counts as waiting for that holder.
 *
 * Text of another form counts as absent. Zero milliseconds mean no end. A lease on a stale copy keeps its key at
 * least as long as the lease lasts; an early one, on a live entry, does not.
 *
 * A lease without a value keeps the id of the dead entry it has replaced, and leaves it behind: a writer whose entry was
 * dead, since it was stamped with versions that another process had ended, still finds its place by that id (`rewrite`).
 * Without it a load that began before the write is acknowledged would put its own value there.
 */
const lua = `
local none, failed = ('-'):rep(16), '${FAILED}'
local verb, key, us = ARGV[1], KEYS[1], now()
local ms = math.floor(us / 1000)
local h = verb == 'set' and '' or redis.call('GETRANGE', key, 0, 127)
local word, digit = ('[%w_-]'):rep(16), '%d'
if not h:find('^h[!-~]' .. word .. digit:rep(55) .. word .. digit:rep(15) .. word .. digit:rep(8)) then h = '' end
local fresh, ends, held, free = h:sub(44, 58), h:sub(59, 73), h:sub(74, 89), none .. ('0'):rep(15)
local value = h ~= '' and h:sub(2, 2) ~= '-'
local graced = value and fresh ~= ends
local id = h ~= '' and h:sub(3, 18) or none
local live = value and (id == ARGV[2]) == (verb == 'take' or verb == 'touch') and (not graced or fresh - ms > 0)
local function at(n) return n == '0' and ('9'):rep(15) or ('%015.0f'):format(ms + n) end
local function put(head, load, times, rest, life)
 local lease = verb == 'fill' and head:sub(2, 2) == '-' and failed .. at(0) or free
 local entry = head .. ('%016.0f%09.0f'):format(us, load) .. times .. lease .. rest
 if life == '0' then redis.call('SET', key, entry)
 elseif life then redis.call('SET', key, entry, 'PX', life)
 else redis.call('SET', key, entry, 'KEEPTTL') end
end
local function alone(lease, life)
 redis.call('SET', key, 'h-' .. id .. ('0'):rep(55) .. lease .. none .. ('0'):rep(8), 'PX', life)
end
if verb == 'set' or verb == 'add' and not live or verb == 'fill' and held == ARGV[7] or verb == 'rewrite' and id == ARGV[2] then
 put('h' .. ARGV[3], ARGV[6], at(ARGV[4]) .. at(ARGV[5]), ARGV[8] .. ('%08.0f'):format(#ARGV[9]) .. ARGV[9] .. ARGV[10], ARGV[5])
 return verb == 'fill' and ms or 1
elseif verb == 'lease' then
 if ARGV[5] == '2' and held ~= ARGV[3] then return 0 end
 if live and ARGV[5] == '0' then return { 'live', ms, id } end
 local after, left = h:sub(90, 90), h ~= '' and h:sub(92, 104) - ms or 0
 if held == failed then
  if ARGV[7] == '1' and left > 0 then return { 'failed', ms } end
 elseif held ~= none and held ~= ARGV[3] and held ~= ARGV[6] and left > 0 then
  if h:sub(91, 91) == '0' then redis.call('SETRANGE', key, 90, '1') end
  return { 'busy', ms, held, left, tonumber(after) }
 end
 local flags = held == ARGV[3] and h:sub(90, 91) or held == failed and '10' or '00'
 local lease = ARGV[3] .. flags .. at(ARGV[4]):sub(3)
 if live or graced then
  redis.call('SETRANGE', key, 73, lease)
  if graced and redis.call('PTTL', key) < tonumber(ARGV[4]) then redis.call('PEXPIRE', key, ARGV[4]) end
  return ARGV[5] == '2' and 1 or { 'held', ms, id }
 end
 alone(lease, ARGV[4])
 return ARGV[5] == '2' and 1 or { 'held', ms, '' }
elseif verb == 'expire' or (verb == 'release' or verb == 'fail' or verb == 'gone') and held == ARGV[3] then
 local expire, ended = verb == 'expire', free
 if not expire and verb ~= 'release' and (h:sub(91, 91) == '1' or ARGV[4] ~= '0') then
  ended = failed .. ('%015.0f'):format(ms + ARGV[4])
 end
 if not value and not expire and id ~= none and ended == free then
  redis.call('SETRANGE', key, 73, free)
  return 1
 elseif not value or verb == 'gone' or expire and not graced or ends - ms <= 0 then
  if ended == free then redis.call('DEL', key) else alone(ended, ('%.0f'):format(math.max(ARGV[4], ${WORD_MS}))) end
  return expire and 0 or 1
 end
 if expire then redis.call('SETRANGE', key, 43, ('0'):rep(15)) end
 redis.call('SETRANGE', key, 73, ended)
 redis.call('PEXPIRE', key, ends - ms)
 return 1
elseif verb == 'increment' then
 if live and h:sub(105, 120) ~= ARGV[6] then return false end
 local n = live and redis.call('GETRANGE', key, 128, -1) or '0'
 if live and h:sub(2, 2) .. h:sub(121) ~= 'i00000000' or not n:find('^-?%d+$') then return 'WRONG_TYPE' end
 n = n + ARGV[5]
 if math.abs(n) > 9007199254740991 then return 'OVERFLOW' end
 local sum = ('%.0f'):format(n)
 put('hi' .. ARGV[3], 0, live and fresh .. ends or at(ARGV[4]):rep(2), ARGV[6] .. ('0'):rep(8) .. sum, not live and ARGV[4])
 return sum
elseif verb == 'bury' and value and id == ARGV[2] then
 if ARGV[3] == '0' then redis.call('DEL', key)
 elseif redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, ARGV[3]) end
 return 1
elseif verb == 'touch' and live then
 redis.call('SETRANGE', key, 43, at(ARGV[3]) .. at(ARGV[4]))
 if ARGV[4] == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, ARGV[4]) end
 return 1
elseif verb == 'take' or verb == 'ttl' then
 if not live then return false end
 if verb == 'ttl' then return fresh == ('9'):rep(15) and -1 or math.max(1, fresh - ms) end
 local text = redis.call('GET', key)
 redis.call('DEL', key)
 return text
end
return 0`

const digits = (n: number, width: number): string => n.toFixed(0).padStart(width, '0')
/** A lease that nobody holds. */
const FREE = `${NONE}000000000000000`

const apply: Operation<readonly Arg[], Reply>['apply'] = (current, args, { nowUs, leftMs }) => {
  const [verb, dead] = args
  const [a, b, c, d, e, f, g, payload] = args.slice(2) as [string, ...string[]]
  const ms = Math.floor(nowUs / 1000)
  const text = current !== undefined && isEntry(current) ? current : ''
  const fresh = text.slice(43, 58)
  const ends = text.slice(58, 73)
  const held = text.slice(73, 89)
  const value = text !== '' && text[1] !== NO_VALUE
  const graced = value && fresh !== ends
  const id = text.slice(2, 18) || NONE
  const live = value && (id === dead) === (verb === 'take' || verb === 'touch') && (!graced || Number(fresh) > ms)
  const at = (n: unknown): string => (n === 0 ? NO_END : digits(ms + Number(n), 15))
  const word = (forMs: unknown): string => FAILED + digits(ms + Number(forMs), 15)
  const whole = (head: string, load: unknown, times: string, rest: string, lease = FREE): string =>
    head + digits(nowUs, 16) + digits(Number(load), 9) + times + lease + rest
  const alone = (lease: string): string => `h-${id}${digits(0, 55)}${lease}${NONE}00000000`
  const patch = (from: number, part: string): string => text.slice(0, from) + part + text.slice(from + part.length)

  switch (verb) {
    case 'set':
    case 'add':
    case 'fill':
    case 'rewrite': {
      if ((verb === 'add' && live) || (verb === 'fill' && held !== e)) return same(current, 0)
      if (verb === 'rewrite' && id !== dead) return same(current, 0)
      const tags = String(g)
      const lease = verb === 'fill' && a[0] === NO_VALUE ? word(0) : FREE
      const rest = f + digits(tags.length, 8) + tags + payload
      return put(whole(`h${a}`, d, at(b) + at(c), rest, lease), c, verb === 'fill' ? ms : 1)
    }
    case 'lease': {
      if (Number(c) === 2 && held !== a) return same(current, 0)
      if (live && Number(c) === 0) return same(current, ['live', ms, id])
      const leaseLeft = Number(text.slice(91, 104)) - ms
      if (held === FAILED) {
        if (Number(e) === 1 && leaseLeft > 0) return same(current, ['failed', ms])
      } else if (held !== NONE && held !== a && held !== d && leaseLeft > 0) {
        return put(patch(90, '1'), 'keep', ['busy', ms, held, leaseLeft, Number(text[89])])
      }
      const flags = held === a ? text.slice(89, 91) : held === FAILED ? '10' : '00'
      const lease = a + flags + at(b).slice(2)
      const copy = live || graced
      const reply = Number(c) === 2 ? 1 : ['held', ms, copy ? id : '']
      if (!copy) return put(alone(lease), b, reply)
      return put(patch(73, lease), graced && leftMs !== undefined && leftMs < Number(b) ? b : 'keep', reply)
    }
    case 'release':
    case 'fail':
    case 'gone':
    case 'expire': {
      const expire = verb === 'expire'
      if (!expire && held !== a) return same(current, 0)
      // A clock that was set back does not make it longer. On a server the lifetime goes by that clock, too.
      const left = Math.min(Number(ends) - ms, leftMs ?? Number(ends))
      const tells = !expire && verb !== 'release' && (text[90] === '1' || Number(b) > 0)
      const ended = tells ? word(b) : FREE
      if (!value && !expire && id !== NONE && ended === FREE) return put(patch(73, FREE), 'keep', 1)
      if (!value || verb === 'gone' || (expire && !graced) || left <= 0) {
        if (ended === FREE) return put(undefined, 0, Number(!expire))
        return put(alone(ended), Math.max(Number(b), WORD_MS), 1)
      }
      return put(text.slice(0, 43) + (expire ? digits(0, 15) : fresh) + ends + ended + text.slice(104), left, 1)
    }
    case 'bury':
      if (!value || id !== dead) return same(current, 0)
      return Number(a) ? put(current, leftMs === undefined ? a : 'keep', 1) : put(undefined, 0, 1)
    case 'take':
      return live ? put(undefined, 0, text) : same(current, null)
    case 'touch':
      return live ? put(patch(43, at(a) + at(b)), b, 1) : same(current, 0)
    case 'ttl':
      return same(
        current,
        live ? (fresh === NO_END ? -1 : Math.max(1, Math.min(Number(fresh) - ms, leftMs ?? Number(fresh)))) : null,
      )
    default: {
      if (live && text.slice(104, 120) !== d) return same(current, null)
      const counter = text[1] === 'i' && text.slice(120, 128) === '00000000' ? text.slice(128) : ''
      const total = sum(live ? counter : '0', c)
      if (!/\d/.test(total)) return same(current, total)
      const times = live ? fresh + ends : at(b).repeat(2)
      return put(whole(`hi${a}`, 0, times, `${d}00000000${total}`), live ? 'keep' : b, total)
    }
  }
}

/** For `ttl`. */
export const readEntry: Operation<readonly Arg[], Reply> = { name: 'entry.read', effect: 'read', lua, apply }
/** For `release`, `fail`, `gone`, `fill` and a lease renewed, which find by their token that they have run, `expire` and `bury`. */
export const repeatEntry: Operation<readonly Arg[], Reply> = { name: 'entry.repeat', effect: 'repeat', lua, apply }
/** For `set`, `add`, `rewrite`, `take`, `touch` and `increment`; and `lease`, which would give an old load its lease back. */
export const writeEntry: Operation<readonly Arg[], Reply> = { name: 'entry.once', effect: 'once', lua, apply }
