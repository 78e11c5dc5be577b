import { FAILED, NONE } from '../../protocol/entry.ts'
import { FREE_LEASE, failedLease, instant, leaseAlone, leftOf, patch, type Step } from './stored-entry.ts'
import { put, same } from './transition.ts'

/** How long the failure record of a load is kept at least, in ms: longer than a follower pauses between two requests. */
const WORD_MS = 2000

/** The arguments of `lease`. A renewal reads only the first three. */
export type LeaseArgs = readonly [
  token: string,
  leaseMs: number,
  /**
   * 0: takes the lease only where no entry is live; 1: also where one is (a forced or early load); 2: renews a lease that is
   * held.
   */
  purpose: 0 | 1 | 2,
  /** The token of a holder whose lease is to be taken over; `''`: none. */
  overdueToken: string,
  /** 1: replies `failed` while the failure of a load is shared. */
  readsFailure: 0 | 1,
]

/** The arguments of `release`, `fail` and `gone`; `release` needs no second. */
export type ReleaseArgs = readonly [token: string, shareMs: number]

/**
 * A lease on a stale copy keeps the key at least as long as the lease lasts; one on a live entry does not.
 *
 * A lease without a value keeps the id of the dead entry that it has replaced, also after it was released. The race: a writer
 * stores an entry under versions that another process has already ended, so the entry is dead. A load finds it dead and takes
 * the lease in its place. The writer then writes its entry again, and finds the place by that id (`rewrite`). Without the id it
 * would find nothing, and the load, which began before the write was acknowledged, would store its own value there.
 */
export const LEASE_LUA: string = `
if verb == 'lease' then
 local token, lease_ms, purpose, overdue_token, reads_failure = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
 local renews = purpose == '2'
 if renews and lease_token ~= token then return 0 end
 if is_live and purpose == '0' then return { 'live', now_ms, id } end
 local left_ms = header ~= '' and header:sub(92, 104) - now_ms or 0
 if lease_token == failed then
  if reads_failure == '1' and left_ms > 0 then return { 'failed', now_ms } end
 elseif lease_token ~= none and lease_token ~= token and lease_token ~= overdue_token and left_ms > 0 then
  if is_awaited == '0' then redis.call('SETRANGE', key, 90, '1') end
  return { 'busy', now_ms, lease_token, left_ms, tonumber(after_failure) }
 end
 local flags = lease_token == token and after_failure .. is_awaited or lease_token == failed and '10' or '00'
 local lease = token .. flags .. instant(lease_ms):sub(3)
 local has_copy = is_live or has_grace
 if has_copy then
  redis.call('SETRANGE', key, 73, lease)
  if has_grace and redis.call('PTTL', key) < tonumber(lease_ms) then redis.call('PEXPIRE', key, lease_ms) end
 else
  write_lease_alone(lease, lease_ms)
 end
 return renews and 1 or { 'held', now_ms, has_copy and id or '' }
end
if (verb == 'release' or verb == 'fail' or verb == 'gone') and lease_token == ARGV[3] then
 local share_ms = ARGV[4]
 local leaves_word = verb ~= 'release' and (is_awaited == '1' or share_ms ~= '0')
 local ended = leaves_word and failed_lease(share_ms) or free_lease
 if not has_value and id ~= none and not leaves_word then
  redis.call('SETRANGE', key, 73, free_lease)
 elseif has_value and verb ~= 'gone' and expires - now_ms > 0 then
  redis.call('SETRANGE', key, 73, ended)
  live_until_expiry()
 elseif leaves_word then
  write_lease_alone(ended, ('%.0f'):format(math.max(share_ms, ${WORD_MS})))
 else
  redis.call('DEL', key)
 end
 return 1
end`

function release(verb: 'release' | 'fail' | 'gone', ...[entry, args]: Parameters<Step>): ReturnType<Step> {
  const { current, text, hasValue, id, leaseToken } = entry
  const [token, shareMs] = args as ReleaseArgs
  if (leaseToken !== token) return same(current, 0)
  const leavesWord = verb !== 'release' && (text[90] === '1' || Number(shareMs) > 0)
  const ended = leavesWord ? failedLease(entry, shareMs) : FREE_LEASE
  if (!hasValue && id !== NONE && !leavesWord) return put(patch(text, 73, FREE_LEASE), 'keep', 1)
  const left = leftOf(entry)
  if (hasValue && verb !== 'gone' && left > 0) return put(patch(text, 73, ended), left, 1)
  return leavesWord ? put(leaseAlone(entry, ended), Math.max(Number(shareMs), WORD_MS), 1) : put(undefined, 0, 1)
}

export const leaseSteps: Readonly<Record<string, Step>> = {
  /**
   * Takes or renews the lease. A renewal replies 1, or 0 where the lease is not held. Any other reply is a list, with the
   * store's time in epoch ms as its second item:
   *
   * - `held, now, copyId`: the lease is taken, on the copy with this id; `''`: there is no copy
   * - `live, now, id`: there is a live entry
   * - `failed, now`: a load has failed, and its failure is still shared
   * - `busy, now, token, leftMs, isAfterFailure`: another load holds the lease for `leftMs` more. `isAfterFailure` is 1 where
   *   it took the lease after a load that ended without a value, else 0. The caller then counts as waiting for that holder.
   */
  lease(entry, args) {
    const { current, text, id, leaseToken, isLive, hasGrace, nowMs, leftMs } = entry
    const [token, leaseMs, purpose, overdueToken, readsFailure] = args as LeaseArgs
    const renews = Number(purpose) === 2
    if (renews && leaseToken !== token) return same(current, 0)
    if (isLive && Number(purpose) === 0) return same(current, ['live', nowMs, id])
    const leaseLeftMs = Number(text.slice(91, 104)) - nowMs
    if (leaseToken === FAILED) {
      if (Number(readsFailure) === 1 && leaseLeftMs > 0) return same(current, ['failed', nowMs])
    } else if (leaseToken !== NONE && leaseToken !== token && leaseToken !== overdueToken && leaseLeftMs > 0) {
      return put(patch(text, 90, '1'), 'keep', ['busy', nowMs, leaseToken, leaseLeftMs, Number(text[89])])
    }
    const flags = leaseToken === token ? text.slice(89, 91) : leaseToken === FAILED ? '10' : '00'
    const lease = token + flags + instant(entry, leaseMs).slice(2)
    const hasCopy = isLive || hasGrace
    const reply = renews ? 1 : ['held', nowMs, hasCopy ? id : '']
    if (!hasCopy) return put(leaseAlone(entry, lease), leaseMs, reply)
    const endsBeforeLease = hasGrace && leftMs !== undefined && leftMs < Number(leaseMs)
    return put(patch(text, 73, lease), endsBeforeLease ? leaseMs : 'keep', reply)
  },
  /** Releases the lease `token`. Replies 1, or 0 where it is not held. */
  release: (...given) => release('release', ...given),
  /** As `release`, and leaves a failure record where somebody waits for the lease, or the failure is shared for `shareMs`. */
  fail: (...given) => release('fail', ...given),
  /** As `fail`, and deletes the stale copy as well. */
  gone: (...given) => release('gone', ...given),
}
