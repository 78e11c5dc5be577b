import type { Operation } from 'hither'

/** The hits of a key, and in how many milliseconds their window ends. */
type Hits = readonly number[]

/** The count in a key's text; undefined for text that is no count, which another program has written. */
function countOf(current: string | undefined): number | undefined {
  return current !== undefined && /^\d{1,15}$/.test(current) ? Number(current) : undefined
}

/** Counts one hit. The first hit opens a window of `windowMs`; later hits do not extend it. */
export const increment: Operation<readonly [windowMs: number], Hits> = {
  name: 'hits.increment',
  effect: 'once',
  lua: `
local hits, left = redis.pcall('INCR', KEYS[1]), redis.call('PTTL', KEYS[1])
if type(hits) == 'table' then
  if not hits.err:find('integer') and not hits.err:find('overflow') and not hits.err:find('WRONGTYPE') then return hits end
  hits = 0
end
if hits < 1 or hits > 1e15 then
  hits, left = 1, tonumber(ARGV[1])
  redis.call('SET', KEYS[1], '1', 'PX', left)
elseif left < 0 then
  left = tonumber(ARGV[1])
  redis.call('PEXPIRE', KEYS[1], left)
end
return {hits, left}`,
  apply(current, [windowMs], { leftMs }) {
    const before = countOf(current)
    const hits = (before ?? 0) + 1
    const isOpen = before !== undefined && leftMs !== undefined
    const ttl = isOpen ? 'keep' : { ms: windowMs }
    return { next: String(hits), ttl, reply: [hits, isOpen ? Math.floor(leftMs) : windowMs] }
  },
}

/** Takes back one hit, unless the window is over. Replies how many hits there were before. */
export const decrement: Operation<readonly [], number> = {
  name: 'hits.decrement',
  effect: 'once',
  lua: `
local text = redis.call('GET', KEYS[1]) or ''
local hits = #text < 16 and text:find('^%d+$') and tonumber(text) or 0
if hits > 0 then redis.call('DECR', KEYS[1]) end
return hits`,
  apply(current) {
    const hits = countOf(current) ?? 0
    return { next: hits > 0 ? String(hits - 1) : current, ttl: 'keep', reply: hits }
  },
}

/** Replies as `increment` does, but counts nothing; an empty list if no window is open. */
export const read: Operation<readonly [], Hits> = {
  name: 'hits.read',
  effect: 'read',
  lua: `
local text = redis.call('GET', KEYS[1]) or ''
if #text > 15 or not text:find('^%d+$') then return {} end
return {tonumber(text), math.max(0, redis.call('PTTL', KEYS[1]))}`,
  apply(current, _, { leftMs = 0 }) {
    const hits = countOf(current)
    return { next: current, ttl: 'keep', reply: hits === undefined ? [] : [hits, Math.floor(leftMs)] }
  },
}
