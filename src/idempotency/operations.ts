import type { Arg, Operation, Transition } from '../protocol/operation.ts'

/**
 * 1: the caller holds the key. 2: the key was used with another fingerprint. 3: another request holds it. 4: another request
 * holds it past its time, and has neither completed nor released it.
 */
export type Begun = 1 | 2 | 3 | 4

/**
 * The record of a key, as text: `p` while a request is running, `d` once it is completed; the id of its holder, 16 characters;
 * the time until which it may run, 15 digits of epoch milliseconds by the store's clock; the fingerprint, 43 characters; once
 * completed, the response. Text of another form counts as absent.
 *
 * | verb | further arguments | replies |
 * | --- | --- | --- |
 * | begin | fingerprint, hold ms, life ms | `Begun`, or the response |
 * | complete | response, life ms | 1, or 0 if the caller does not hold the key |
 * | release | | 1 if another may begin, or 0 if the caller does not hold the key or has completed it |
 *
 * A record that was not completed is never taken over: its holder may have done the work. Each step may be sent again, since it
 * recognizes its own holder id.
 */
export const idempotencyStep: Operation<readonly [verb: string, holder: string, ...Arg[]], Begun | 0 | string> = {
  name: 'idempotency.step',
  effect: 'repeat',
  lua: `
local verb, holder, key, now_ms = ARGV[1], ARGV[2], KEYS[1], math.floor(now() / 1000)
local text = redis.call('GET', key) or ''
local word = '[%w_-]'
if not text:find('^[pd]' .. word:rep(16) .. ('%d'):rep(15) .. word:rep(43)) then text = '' end
local is_held = text:sub(2, 17) == holder
if verb == 'begin' then
 if text == '' then
  redis.call('SET', key, 'p' .. holder .. ('%015.0f'):format(now_ms + ARGV[4]) .. ARGV[3], 'PX', ARGV[5])
  return 1
 end
 if text:sub(33, 75) ~= ARGV[3] then return 2 end
 if text:sub(1, 1) == 'd' then return text:sub(76) end
 return is_held and 1 or text:sub(18, 32) - now_ms > 0 and 3 or 4
end
if not is_held then return 0 end
if verb == 'complete' then
 redis.call('SET', key, 'd' .. text:sub(2, 75) .. ARGV[3], 'PX', ARGV[4])
 return 1
end
if text:sub(1, 1) == 'd' then return 0 end
redis.call('DEL', key)
return 1`,
  apply(current, [verb, holder, ...rest], { nowUs }): Transition<Begun | 0 | string> {
    const nowMs = Math.floor(nowUs / 1000)
    const text = current !== undefined && /^[pd][\w-]{16}\d{15}[\w-]{43}/.test(current) ? current : ''
    const isHeld = text.slice(1, 17) === holder
    const isDone = text.startsWith('d')
    const same = (reply: Begun | 0 | string): Transition<Begun | 0 | string> => ({ next: current, ttl: 'keep', reply })
    if (verb === 'begin') {
      const [fingerprint, holdMs, lifeMs] = rest
      if (text === '') {
        const untilMs = String(nowMs + Number(holdMs)).padStart(15, '0')
        return { next: `p${holder}${untilMs}${fingerprint}`, ttl: { ms: Number(lifeMs) }, reply: 1 }
      }
      if (text.slice(32, 75) !== fingerprint) return same(2)
      if (isDone) return same(text.slice(75))
      return same(isHeld ? 1 : Number(text.slice(17, 32)) > nowMs ? 3 : 4)
    }
    if (!isHeld) return same(0)
    if (verb === 'complete') return { next: `d${text.slice(1, 75)}${rest[0]}`, ttl: { ms: Number(rest[1]) }, reply: 1 }
    return isDone ? same(0) : { next: undefined, ttl: 'keep', reply: 1 }
  },
}
