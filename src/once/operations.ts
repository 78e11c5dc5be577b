import type { Operation } from '../protocol/operation.ts'

/**
 * Writes the caller's id if the key is absent. Replies 1 if the key then holds the caller's id, 0 if it holds another. When the
 * reply is lost, the operation is sent again and finds its own id.
 */
export const markFirst: Operation<readonly [id: string, lifeMs: number], number> = {
  name: 'once.first',
  effect: 'repeat',
  lua: `
local id = redis.call('GET', KEYS[1])
if not id then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return (not id or id == ARGV[1]) and 1 or 0`,
  apply(current, [id, lifeMs]) {
    if (current === undefined) return { next: id, ttl: { ms: lifeMs }, reply: 1 }
    return { next: current, ttl: 'keep', reply: current === id ? 1 : 0 }
  },
}
