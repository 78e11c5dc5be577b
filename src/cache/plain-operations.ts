import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { put, same, sum } from './transition.ts'

/**
 * The atomic steps on a plain value, in one script: the payload is the whole value, the lifetime the server's.
 * Verbs, arguments and replies are those of an entry (`entry-operations.ts`); what a plain value has no place for is
 * left unread.
 */
const lua = `
local verb, key, life = ARGV[1], KEYS[1], ARGV[4]
local value = redis.call('GET', key)
local function put(text, life)
 if life == '0' then redis.call('SET', key, text) else redis.call('SET', key, text, 'PX', life) end
end
if verb == 'increment' then
 local n = value or '0'
 if not n:find('^-?%d+$') then return 'WRONG_TYPE' end
 n = n + ARGV[5]
 if math.abs(n) > 9007199254740991 then return 'OVERFLOW' end
 local sum = ('%.0f'):format(n)
 if value then redis.call('SET', key, sum, 'KEEPTTL') else put(sum, life) end
 return sum
elseif verb == 'add' and not value then
 put(ARGV[10], ARGV[5])
 return 1
elseif verb == 'touch' and value then
 if life == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, life) end
 return 1
elseif verb == 'ttl' then
 return value and redis.call('PTTL', key)
elseif verb == 'take' then
 redis.call('DEL', key)
 return value
end
return 0`

const apply: Operation<readonly Arg[], Reply>['apply'] = (current, args, { leftMs }) => {
  const [verb, , , life = 0, by = 0] = args
  const isNew = current === undefined
  if (verb === 'increment') {
    const total = sum(current ?? '0', by)
    return /\d/.test(total) ? put(total, isNew ? life : 'keep', total) : same(current, total)
  }
  if (verb === 'add' && isNew) return put(`${args[9]}`, by, 1)
  if (verb === 'touch' && !isNew) return put(current, life, 1)
  if (verb === 'take') return put(undefined, 0, current ?? null)
  return same(current, verb !== 'ttl' ? 0 : isNew ? null : (leftMs ?? -1))
}

/** For `ttl`. */
export const readPlain: Operation<readonly Arg[], Reply> = { name: 'plain.read', effect: 'read', lua, apply }
/** For `add`, `take`, `touch` and `increment`. */
export const writePlain: Operation<readonly Arg[], Reply> = { name: 'plain.once', effect: 'once', lua, apply }
