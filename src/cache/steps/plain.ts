import type { Arg, Operation, Reply } from '../../protocol/operation.ts'
import { put, same, sum } from './transition.ts'

/**
 * The atomic steps on a plain value, in one script. The stored text is the payload alone, and the server keeps its lifetime.
 * The verbs `add`, `touch`, `take`, `ttl` and `increment` take the arguments of an entry (`entry.ts`) and have its replies;
 * arguments for which a plain value has no place are ignored. `ttl` replies with the lifetime left in ms, -1 without an end, or
 * null.
 */
const lua = `
local verb, key = ARGV[1], KEYS[1]
local value = redis.call('GET', key)
local function write(text, life_ms)
 if life_ms == '0' then redis.call('SET', key, text) else redis.call('SET', key, text, 'PX', life_ms) end
end
if verb == 'increment' then
 local life_ms, by = ARGV[4], ARGV[5]
 local count = value or '0'
 if not count:find('^-?%d+$') then return 'WRONG_TYPE' end
 local total = count + by
 if math.abs(total) > 9007199254740991 then return 'OVERFLOW' end
 local total_text = ('%.0f'):format(total)
 if value then redis.call('SET', key, total_text, 'KEEPTTL') else write(total_text, life_ms) end
 return total_text
elseif verb == 'add' and not value then
 local life_ms, payload = ARGV[5], ARGV[10]
 write(payload, life_ms)
 return 1
elseif verb == 'touch' and value then
 local life_ms = ARGV[4]
 if life_ms == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, life_ms) end
 return 1
elseif verb == 'ttl' then
 return value and redis.call('PTTL', key)
elseif verb == 'take' then
 redis.call('DEL', key)
 return value
end
return 0`

const apply: Operation<readonly Arg[], Reply>['apply'] = (current, args, { leftMs }) => {
  const [verb, , , lifeMs = 0, by = 0] = args
  const isNew = current === undefined
  if (verb === 'increment') {
    const total = sum(current ?? '0', by)
    return /\d/.test(total) ? put(total, isNew ? lifeMs : 'keep', total) : same(current, total)
  }
  if (verb === 'add' && isNew) {
    const [, , , , addedMs, , , , , payload] = args
    return put(`${payload}`, addedMs, 1)
  }
  if (verb === 'touch' && !isNew) return put(current, lifeMs, 1)
  if (verb === 'take') return put(undefined, 0, current ?? null)
  return same(current, verb !== 'ttl' ? 0 : isNew ? null : (leftMs ?? -1))
}

/** The operation for `ttl`. */
export const readPlain: Operation<readonly Arg[], Reply> = { name: 'plain.read', effect: 'read', lua, apply }
/** The operation for `add`, `take`, `touch` and `increment`. */
export const writePlain: Operation<readonly Arg[], Reply> = { name: 'plain.once', effect: 'once', lua, apply }
