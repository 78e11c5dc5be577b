import type { Operation } from '../protocol/operation.ts'

/** Replies the text under the key and deletes it, so that only one caller gets it. */
export const takeToken: Operation<readonly [], string | null> = {
  name: 'token.take',
  effect: 'once',
  lua: `
local text = redis.call('GET', KEYS[1])
if text then redis.call('DEL', KEYS[1]) end
return text`,
  apply: (current) => ({ next: undefined, ttl: 'keep', reply: current ?? null }),
}
