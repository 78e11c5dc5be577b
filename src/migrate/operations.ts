import type { Operation } from '../protocol/operation.ts'

/**
 * Null: no such key. `'foreign'`: the key is not a string. Otherwise the lifetime left in milliseconds (-1: no end), the length
 * in bytes, and the text, which is left out if it is longer than `maxBytes`.
 */
export type ReadReply = null | 'foreign' | readonly (string | number)[]

const encoder = new TextEncoder()

/** Reads a value and its lifetime in one step. */
export const readEntry: Operation<readonly [maxBytes: number], ReadReply> = {
  name: 'migrate.read',
  effect: 'read',
  lua: `
local value = redis.pcall('GET', KEYS[1])
if not value then return false end
if type(value) == 'table' then return (value.err or ''):find('WRONGTYPE') and 'foreign' or value end
local left_ms = redis.call('PTTL', KEYS[1])
if #value - ARGV[1] > 0 then return { left_ms, #value } end
return { left_ms, #value, value }`,
  apply(current, [maxBytes], { leftMs }) {
    if (current === undefined) return { next: undefined, ttl: 'keep', reply: null }
    const left = leftMs === undefined ? -1 : Math.floor(leftMs)
    const bytes = encoder.encode(current).length
    return { next: current, ttl: 'keep', reply: bytes > maxBytes ? [left, bytes] : [left, bytes, current] }
  },
}

/** Writes a value if the key has none, for `lifeMs` (0: without an end). Replies 1 if it was written, else 0. */
export const addEntry: Operation<readonly [value: string, lifeMs: number], number> = {
  name: 'migrate.add',
  effect: 'once',
  lua: `
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
if ARGV[2] == '0' then redis.call('SET', KEYS[1], ARGV[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1`,
  apply(current, [value, lifeMs]) {
    if (current !== undefined) return { next: current, ttl: 'keep', reply: 0 }
    return { next: value, ttl: lifeMs ? { ms: lifeMs } : 'none', reply: 1 }
  },
}

/** Replaces value and lifetime (0: without an end). Exact to the millisecond, also where `set` rounds to a coarser step. */
export const putEntry: Operation<readonly [value: string, lifeMs: number], number> = {
  name: 'migrate.put',
  effect: 'once',
  lua: `
if ARGV[2] == '0' then redis.call('SET', KEYS[1], ARGV[1]) else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
return 1`,
  apply: (_current, [value, lifeMs]) => ({ next: value, ttl: lifeMs ? { ms: lifeMs } : 'none', reply: 1 }),
}

/** Deletes the value if it is still `value`. Replies 1 if it was deleted, else 0. */
export const dropEntry: Operation<readonly [value: string], number> = {
  name: 'migrate.drop',
  effect: 'once',
  lua: `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])`,
  apply(current, [value]) {
    return current === value ? { next: undefined, ttl: 'none', reply: 1 } : { next: current, ttl: 'keep', reply: 0 }
  },
}
