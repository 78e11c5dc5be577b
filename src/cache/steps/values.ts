import { NO_END, NO_VALUE } from '../../protocol/entry.ts'
import type { Arg } from '../../protocol/operation.ts'
import { digits, FREE_LEASE, failedLease, instant, leftOf, patch, type Step, type StoredEntry } from './stored-entry.ts'
import { put, same } from './transition.ts'

/** The arguments of `set`, `add`, `fill` and `rewrite`. A lifetime of 0 has no end. */
export type WriteArgs = readonly [
  markAndId: string,
  freshMs: number,
  lifeMs: number,
  loadMs: number,
  /** The token of the lease that `fill` needs; dashes: none. */
  token: string,
  generation: string,
  tags: string,
  payload: string,
]

/** The writes, which both scripts contain. */
export const WRITE_LUA: string = `
if verb == 'set' or verb == 'add' and not is_live or verb == 'fill' and lease_token == ARGV[7] or verb == 'rewrite' and id == ARGV[2] then
 local mark_and_id, fresh_ms, life_ms, load_ms, generation, tags, payload = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[8], ARGV[9], ARGV[10]
 local lease = verb == 'fill' and mark_and_id:sub(1, 1) == '-' and failed_lease(0) or free_lease
 local rest = generation .. ('%08.0f'):format(#tags) .. tags .. payload
 write_entry('h' .. mark_and_id, load_ms, instant(fresh_ms) .. instant(life_ms), lease, rest, life_ms)
 return verb == 'fill' and now_ms or 1
end`

export const BURY_LUA: string = `
if verb == 'bury' and has_value and id == ARGV[2] then
 local left_ms = ARGV[3]
 if left_ms == '0' then redis.call('DEL', key)
 elseif redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, left_ms) end
 return 1
end`

export const VERB_LUA: string = `
if verb == 'take' and is_live then
 local text = redis.call('GET', key)
 redis.call('DEL', key)
 return text
end
if verb == 'ttl' and is_live then return fresh_until == no_end and -1 or math.max(1, fresh_until - now_ms) end
if verb == 'take' or verb == 'ttl' then return false end
if verb == 'touch' and is_live then
 local fresh_ms, life_ms = ARGV[3], ARGV[4]
 redis.call('SETRANGE', key, 43, instant(fresh_ms) .. instant(life_ms))
 if life_ms == '0' then redis.call('PERSIST', key) else redis.call('PEXPIRE', key, life_ms) end
 return 1
end
if verb == 'expire' then
 if not has_grace or expires - now_ms <= 0 then
  redis.call('DEL', key)
  return 0
 end
 redis.call('SETRANGE', key, 43, ('0'):rep(15) .. expires .. free_lease)
 live_until_expiry()
 return 1
end`

const write = (entry: StoredEntry, args: readonly Arg[], verb: 'set' | 'fill' = 'set') => {
  const [markAndId, freshMs, lifeMs, loadMs, , generation, tags, payload] = args as WriteArgs
  const lease = verb === 'fill' && markAndId[0] === NO_VALUE ? failedLease(entry, 0) : FREE_LEASE
  const times = instant(entry, freshMs) + instant(entry, lifeMs)
  const rest = generation + digits(tags.length, 8) + tags + payload
  const head = `h${markAndId}${digits(entry.nowUs, 16)}${digits(loadMs, 9)}`
  return put(head + times + lease + rest, lifeMs, verb === 'fill' ? entry.nowMs : 1)
}

export const valueSteps: Readonly<Record<string, Step>> = {
  /** Writes whatever is there. Replies 1. */
  set: (entry, args) => write(entry, args),
  /** Writes unless there is a live entry. Replies 1, or 0. */
  add: (entry, args) => (entry.isLive ? same(entry.current, 0) : write(entry, args)),
  /** Writes if the lease `token` is still held. Replies the store's time in epoch ms, or 0. */
  fill: (entry, args) => (entry.leaseToken === args[4] ? write(entry, args, 'fill') : same(entry.current, 0)),
  /** Writes over the entry with this id, or over the lease that has replaced it. Replies 1, or 0. */
  rewrite: (entry, args, id) => (entry.id === id ? write(entry, args) : same(entry.current, 0)),
  /** Deletes the live entry with this id. Replies its text, or null. */
  take: ({ current, text, isLive }) => (isLive ? put(undefined, 0, text) : same(current, null)),
  /** Makes the live entry with this id fresh for `freshMs` and kept for `lifeMs` from now on. Replies 1, or 0. */
  touch: (entry, [freshMs, lifeMs]) =>
    entry.isLive
      ? put(patch(entry.text, 43, instant(entry, freshMs) + instant(entry, lifeMs)), lifeMs, 1)
      : same(entry.current, 0),
  /** Replies for how many ms the entry is still fresh, -1 without an end, or null where nothing is live. */
  ttl({ current, isLive, freshUntil, nowMs, leftMs }) {
    if (!isLive) return same(current, null)
    const left = Math.min(Number(freshUntil) - nowMs, leftMs ?? Number(freshUntil))
    return same(current, freshUntil === NO_END ? -1 : Math.max(1, left))
  },
  /**
   * Makes an entry whose grace has not ended stale, and ends its lease. Deletes any other. Replies 1 where a copy is kept, or
   * 0.
   */
  expire(entry) {
    const left = leftOf(entry)
    if (!entry.hasGrace || left <= 0) return put(undefined, 0, 0)
    return put(patch(entry.text, 43, digits(0, 15) + entry.expires + FREE_LEASE), left, 1)
  },
  /**
   * Ends the entry with this id, fresh or stale. An `endsInMs` of 0 deletes it; any other becomes its lifetime if the key has
   * none. Replies 1, or 0.
   */
  bury({ current, hasValue, id, leftMs }, [endsInMs], meant) {
    if (!hasValue || id !== meant) return same(current, 0)
    return Number(endsInMs) ? put(current, leftMs === undefined ? endsInMs : 'keep', 1) : put(undefined, 0, 1)
  },
}
