import type { Operation } from 'hither'

/** How often a key was counted, and when its window ends, in epoch milliseconds by the store's clock. */
type Hits = readonly number[]

const msOf = (nowUs: number): number => Math.floor(nowUs / 1000)

/** Counts one hit. The first opens a window of `windowMs`, which no later hit moves. */
export const increment: Operation<readonly [windowMs: number], Hits> = {
  name: 'hits.increment',
  effect: 'once',
  lua: `
local hits = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {hits, math.floor(now() / 1000) + left}`,
  apply(current, [windowMs], { nowUs, leftMs }) {
    const hits = Number(current ?? 0) + 1
    const ttl = leftMs === undefined ? { ms: windowMs } : 'keep'
    return { next: String(hits), ttl, reply: [hits, msOf(nowUs) + Math.floor(leftMs ?? windowMs)] }
  },
}

/** Takes one hit back; none from a window that is over. Answers how many there were. */
export const decrement: Operation<readonly [], number> = {
  name: 'hits.decrement',
  effect: 'once',
  lua: `
local hits = tonumber(redis.call('GET', KEYS[1]) or '0')
if hits > 0 then redis.call('DECR', KEYS[1]) end
return hits`,
  apply(current) {
    const hits = Number(current ?? 0)
    return { next: hits > 0 ? String(hits - 1) : current, ttl: 'keep', reply: hits }
  },
}

/** As `increment`, counting nothing; empty where no window is open. */
export const read: Operation<readonly [], Hits> = {
  name: 'hits.read',
  effect: 'read',
  lua: `
local hits = redis.call('GET', KEYS[1])
if not hits then return {} end
return {tonumber(hits), math.floor(now() / 1000) + math.max(0, redis.call('PTTL', KEYS[1]))}`,
  apply(current, _, { nowUs, leftMs = 0 }) {
    const reply = current === undefined ? [] : [Number(current), msOf(nowUs) + Math.floor(leftMs)]
    return { next: current, ttl: 'keep', reply }
  },
}
