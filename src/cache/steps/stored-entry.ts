import { FAILED, isEntry, NO_END, NO_VALUE, NONE } from '../../protocol/entry.ts'
import type { Arg, Moment, Reply, Transition } from '../../protocol/operation.ts'

/** What the steps of an entry know about the key. `ENTRY_LUA` defines the same names for the scripts. */
export interface StoredEntry extends Moment {
  readonly current: string | undefined
  readonly nowMs: number
  /** The entry; `''` when the key is absent or holds text of another form. */
  readonly text: string
  /** The id of the entry, or of the dead entry that a lease without a value has replaced. */
  readonly id: string
  readonly freshUntil: string
  readonly expires: string
  readonly leaseToken: string
  readonly hasValue: boolean
  readonly hasGrace: boolean
  /**
   * The key holds a fresh value that the caller has not found dead, by the id it passed. For `take` and `touch` the caller
   * passes the id of the entry that it has found live, and no other entry is live. A caller that has read nothing passes `=`, a
   * generation and the marks it knows, and then any fresh value is live.
   */
  readonly isLive: boolean
  /** The reply that leaves the decision to the caller; undefined: the step decides. */
  readonly found: Found | undefined
}

/** A live entry that a step has left as it is. The caller judges it by its generation, its tag block and its mark. */
export type Found = readonly ['found', id: string, generation: string, tags: string, mark: string]

/** One step. `args` are the arguments after the verb and the id. `id` is that of a dead entry, or of the entry to change. */
export type Step = (entry: StoredEntry, args: readonly Arg[], id: Arg | undefined) => Transition<Reply>

/** A lease that nobody holds. */
export const FREE_LEASE: string = `${NONE}000000000000000`

export const ENTRY_LUA: string = `
local verb, key, now_us = ARGV[1], KEYS[1], now()
local now_ms = math.floor(now_us / 1000)
local none, failed, no_end = ('-'):rep(16), '${FAILED}', ('9'):rep(15)
local free_lease = none .. ('0'):rep(15)
local header = verb == 'set' and '' or redis.call('GETRANGE', key, 0, 127)
local word, digit = ('[%w_-]'):rep(16), '%d'
if not header:find('^h[!-~]' .. word .. digit:rep(55) .. word .. digit:rep(15) .. word .. digit:rep(8)) then header = '' end
local id = header ~= '' and header:sub(3, 18) or none
local fresh_until, expires, lease_token = header:sub(44, 58), header:sub(59, 73), header:sub(74, 89)
local after_failure, is_awaited = header:sub(90, 90), header:sub(91, 91)
local has_value = header ~= '' and header:sub(2, 2) ~= '-'
local has_grace = has_value and fresh_until ~= expires
local is_fresh = has_value and (not has_grace or fresh_until - now_ms > 0)
local is_live = is_fresh and id ~= ARGV[2]
local function instant(life_ms) return life_ms == '0' and no_end or ('%015.0f'):format(now_ms + life_ms) end
local function failed_lease(share_ms) return failed .. ('%015.0f'):format(now_ms + share_ms) end
local function write_entry(head, load_ms, times, lease, rest, life_ms)
 local entry = head .. ('%016.0f%09.0f'):format(now_us, load_ms) .. times .. lease .. rest
 if life_ms == 'keep' then redis.call('SET', key, entry, 'KEEPTTL')
 elseif life_ms == '0' then redis.call('SET', key, entry)
 else redis.call('SET', key, entry, 'PX', life_ms) end
end
local function live_until_expiry()
 local left_ms = redis.call('PTTL', key)
 if left_ms < 0 or left_ms - (expires - now_ms) > 0 then redis.call('PEXPIRE', key, expires - now_ms) end
end
local function write_lease_alone(lease, life_ms)
 redis.call('SET', key, 'h-' .. id .. ('0'):rep(55) .. lease .. none .. ('0'):rep(8), 'PX', life_ms)
end`

/** Follows `ENTRY_LUA` in a script whose verbs may run before the caller has read anything. */
export const UNREAD_LUA: string = `
local means_live = verb == 'take' or verb == 'touch'
local remembered = ARGV[2]:sub(1, 1) == '=' and ARGV[2]:sub(2, 17)
local is_known = ARGV[2]:find(header:sub(2, 2), 18, true)
is_live = is_fresh and (remembered or (id == ARGV[2]) == means_live)
if remembered and is_live and (header:sub(105) ~= remembered .. ('0'):rep(8) or not is_known) then
 return { 'found', id, header:sub(105, 120), redis.call('GETRANGE', key, 128, 127 + header:sub(121)), header:sub(2, 2) }
end`

export function storedEntry(
  current: string | undefined,
  [verb, id]: readonly Arg[],
  { nowUs, leftMs }: Moment,
): StoredEntry {
  const text = current !== undefined && isEntry(current) ? current : ''
  const nowMs = Math.floor(nowUs / 1000)
  const freshUntil = text.slice(43, 58)
  const expires = text.slice(58, 73)
  const hasValue = text !== '' && text[1] !== NO_VALUE
  const hasGrace = hasValue && freshUntil !== expires
  const entryId = text.slice(2, 18) || NONE
  const meansLive = verb === 'take' || verb === 'touch'
  const asked = `${id}`
  const isUnread = asked[0] === '='
  const isLive = hasValue && (isUnread || (entryId === id) === meansLive) && (!hasGrace || Number(freshUntil) > nowMs)
  const isUsual = text.slice(104, 128) === `${asked.slice(1, 17)}00000000` && asked.includes(text[1] as string, 17)
  const isFound = isUnread && verb !== 'set' && isLive && !isUsual
  const leaseToken = text.slice(73, 89)
  return {
    current,
    text,
    nowUs,
    leftMs,
    nowMs,
    id: entryId,
    freshUntil,
    expires,
    leaseToken,
    hasValue,
    hasGrace,
    isLive,
    found: isFound
      ? ['found', entryId, text.slice(104, 120), text.slice(128, 128 + Number(text.slice(120, 128))), text[1] as string]
      : undefined,
  }
}

export function digits(n: number, width: number): string {
  return n.toFixed(0).padStart(width, '0')
}

/** The end of a lifetime that begins now, as a stored instant. A `lifeMs` of 0 has no end. */
export function instant({ nowMs }: StoredEntry, lifeMs: Arg | undefined): string {
  return lifeMs === 0 ? NO_END : digits(nowMs + Number(lifeMs), 15)
}

/** The failure record, in place of a lease: the last load ended without a value, and its failure is shared for `shareMs`. */
export function failedLease({ nowMs }: StoredEntry, shareMs: Arg | undefined): string {
  return FAILED + digits(nowMs + Number(shareMs), 15)
}

/** A lease without a value. It keeps the id of the dead entry it has replaced. */
export function leaseAlone({ id }: StoredEntry, lease: string): string {
  return `h-${id}${digits(0, 55)}${lease}${NONE}00000000`
}

/**
 * The ms left until the entry's own end, and no more than the key's lifetime in the store: a clock that was set back must not
 * make an entry last longer.
 */
export function leftOf({ expires, nowMs, leftMs }: StoredEntry): number {
  return Math.min(Number(expires) - nowMs, leftMs ?? Number(expires))
}

/** The text with `part` written over it from index `from`. */
export function patch(text: string, from: number, part: string): string {
  return text.slice(0, from) + part + text.slice(from + part.length)
}
