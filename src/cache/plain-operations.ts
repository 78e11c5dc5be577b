import type { Arg, Effect, Operation, Reply, Transition } from '../protocol/operation.ts'

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
  if value and not value:match('^-?%d+$') then return 'WRONG_TYPE' end
  local n = (value or 0) + ARGV[5]
  if math.abs(n) > 9007199254740991 then return 'OVERFLOW' end
  local text = string.format('%.0f', n)
  if value then redis.call('SET', key, text, 'KEEPTTL') else put(text, life) end
  return text
elseif verb == 'add' then
  if value then return 0 end
  put(ARGV[10], ARGV[5])
  return 1
elseif not value then
  if verb == 'touch' then return 0 end
  return false
elseif verb == 'take' then
  redis.call('DEL', key)
  return value
elseif verb == 'ttl' then
  return redis.call('PTTL', key)
end
if life == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, life) end
return 1`

const apply: Operation<readonly Arg[], Reply>['apply'] = (current, args, { leftMs }) => {
  const [verb] = args
  const life = (at: number): Transition<Reply>['ttl'] => (args[at] ? { ms: Number(args[at]) } : 'none')
  const same = (reply: Reply): Transition<Reply> => ({ next: current, ttl: 'keep', reply })
  if (verb === 'increment') {
    if (current !== undefined && !/^-?\d+$/.test(current)) return same('WRONG_TYPE')
    const n = Number(current ?? 0) + Number(args[4])
    if (Math.abs(n) > Number.MAX_SAFE_INTEGER) return same('OVERFLOW')
    return { next: String(n), ttl: current === undefined ? life(3) : 'keep', reply: `${n}` }
  }
  if (verb === 'add') return current === undefined ? { next: String(args[9]), ttl: life(4), reply: 1 } : same(0)
  if (current === undefined) return same(verb === 'touch' ? 0 : null)
  if (verb === 'take') return { next: undefined, ttl: 'none', reply: current }
  if (verb === 'ttl') return same(leftMs ?? -1)
  return { next: current, ttl: life(3), reply: 1 }
}

const step = (effect: Effect): Operation<readonly Arg[], Reply> => ({ name: `plain.${effect}`, effect, lua, apply })

/** For `ttl`. */
export const readPlain: Operation<readonly Arg[], Reply> = step('read')
/** For `add`, `take`, `touch` and `increment`. */
export const writePlain: Operation<readonly Arg[], Reply> = step('once')
