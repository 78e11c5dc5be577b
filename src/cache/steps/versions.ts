import type { Operation } from '../../protocol/operation.ts'
import { NEVER } from '../../runtime/clock.ts'
import { put, same } from './transition.ts'

/** Whether text may be a version: anything else under a version's key counts as missing. */
export function isVersion(text: string): boolean {
  return /^([\w-]{16}){1,2}$/.test(text)
}

/**
 * Replies the version under the key. Where there is none, or none as long as `made`, stores `made` and replies that, unless
 * `made` is empty. A version that has an end then lives for at least `lifeMs`. With a `lifeMs` of 0 a version that is made has
 * no end.
 */
export const captureVersion: Operation<readonly [made: string, lifeMs: number], string | null> = {
  name: 'version.capture',
  // Sent again, it might store a version that was invalidated since.
  effect: 'once',
  lua: `
local key, made, life_ms = KEYS[1], ARGV[1], ARGV[2]
local version = redis.call('GET', key)
if made ~= '' and (not version or #version ~= #made or version:find('[^%w_-]')) then
 if life_ms == '0' then redis.call('SET', key, made) else redis.call('SET', key, made, 'PX', life_ms) end
 return made
end
local left_ms = redis.call('PTTL', key)
if left_ms >= 0 and left_ms < tonumber(life_ms) then redis.call('PEXPIRE', key, life_ms) end
return version`,
  apply(current, [made, lifeMs], { leftMs = NEVER }) {
    if (made && !(current?.length === made.length && isVersion(current))) return put(made, lifeMs, made)
    return put(current, leftMs < lifeMs ? lifeMs : 'keep', current ?? null)
  },
}

/**
 * Replaces the soft half of a tag's version, so that entries loaded under the old half are stale. Replies 1, or 0 where the tag
 * has no version.
 */
export const softenVersion: Operation<readonly [soft: string], number> = {
  name: 'version.soften',
  // Sent again, it might restore a soft half that was replaced since.
  effect: 'once',
  lua: `
local key, soft = KEYS[1], ARGV[1]
if redis.call('EXISTS', key) == 0 then return 0 end
redis.call('SETRANGE', key, 16, soft)
return 1`,
  apply(current, [soft]) {
    return current === undefined ? same(current, 0) : put(current.slice(0, 16) + soft, 'keep', 1)
  },
}
