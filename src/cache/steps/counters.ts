import type { Arg } from '../../protocol/operation.ts'
import { digits, FREE_LEASE, instant, type Step } from './stored-entry.ts'
import { put, same, sum } from './transition.ts'

export type IncrementArgs = readonly [id: string, freshMs: number, by: number, generation: string]

export const COUNTER_LUA: string = `
if verb == 'increment' then
 local new_id, fresh_ms, by, generation = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
 if is_live and header:sub(105, 120) ~= generation then return false end
 local count = is_live and redis.call('GETRANGE', key, 128, -1) or '0'
 if is_live and header:sub(2, 2) .. header:sub(121) ~= 'i00000000' or not count:find('^-?%d+$') then return 'WRONG_TYPE' end
 local total = count + by
 if math.abs(total) > 9007199254740991 then return 'OVERFLOW' end
 local total_text = ('%.0f'):format(total)
 local times = is_live and fresh_until .. expires or instant(fresh_ms):rep(2)
 write_entry('hi' .. new_id, 0, times, free_lease, generation .. ('0'):rep(8) .. total_text, is_live and 'keep' or fresh_ms)
 return total_text
end`

/**
 * Adds `by` to a live counter, which keeps its lifetime, or begins a counter at 0. Replies with the sum in digits; with the
 * code of an error, `WRONG_TYPE` or `OVERFLOW`; or with null where the live entry is of another generation.
 */
export const increment: Step = (entry, args) => {
  const { current, text, isLive, freshUntil, expires, nowUs } = entry
  const [id, freshMs, by, generation] = args as readonly Arg[] as IncrementArgs
  if (isLive && text.slice(104, 120) !== generation) return same(current, null)
  const counter = text[1] === 'i' && text.slice(120, 128) === '00000000' ? text.slice(128) : ''
  const total = sum(isLive ? counter : '0', by)
  if (!/\d/.test(total)) return same(current, total)
  const times = isLive ? freshUntil + expires : instant(entry, freshMs).repeat(2)
  const head = `hi${id}${digits(nowUs, 16)}${digits(0, 9)}`
  return put(`${head}${times}${FREE_LEASE}${generation}00000000${total}`, isLive ? 'keep' : freshMs, total)
}
