import { type Duration, toMs } from '../protocol/duration.ts'
import type { Operation } from '../protocol/operation.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { soon } from '../runtime/per-tick.ts'
import { randomId } from '../runtime/random.ts'
import type { NearFeed } from './message-feed.ts'

export interface PullFeedOptions {
  /** The least time between two pulls: the next read of the store after that sends another one along. @default '1s' */
  readonly every?: Duration
}

/** Most changes the log keeps. */
const KEPT = 500
const LOG_LIFE_MS = 3_600_000
/** With more keys changed in one tick than the log keeps, everything counts as changed. */
const EVERYTHING = '*'
/** Length of the mark by which a process knows its own changes in the log. */
const MARK_LENGTH = 4

/**
 * Adds changes to the log, each followed by a semicolon, and drops the oldest past 500. The log is text: the number of the last
 * change, the number before the first change that is kept, then the changes. The numbers of a new log begin at the store's
 * clock in microseconds, so that no number is used twice. Replies the last number.
 */
export const appendChanges: Operation<readonly [changes: string], number> = {
  name: 'feed.append',
  effect: 'repeat',
  lua: `
local last, floor, log = (redis.call('GET', KEYS[1]) or ''):match('^(%d+) (%d+) (.*)$')
if not last then last, floor, log = now(), now(), '' end
local _, count = ARGV[1]:gsub(';', '')
log = log .. ARGV[1]
last = last + count
local extra, at = last - floor - ${KEPT}, 0
if extra > 0 then
 for _ = 1, extra do at = log:find(';', at + 1, true) end
 log, floor = log:sub(at + 1), floor + extra
end
redis.call('SET', KEYS[1], ('%.0f %.0f '):format(last, floor) .. log, 'PX', ${LOG_LIFE_MS})
return last`,
  apply(current, [changes], { nowUs }) {
    const [, before = nowUs, oldest = nowUs, log = ''] = LOG.exec(current ?? '') ?? []
    const added = changes.split(';').length - 1
    const all = (log + changes).split(';').slice(0, -1)
    const last = Number(before) + added
    const extra = Math.max(0, last - Number(oldest) - KEPT)
    const kept = all.slice(extra).map((change) => `${change};`)
    return { next: `${last} ${Number(oldest) + extra} ${kept.join('')}`, ttl: { ms: LOG_LIFE_MS }, reply: last }
  },
}

/** Replies the last number, a space, and the changes after the number `after`, or `*` where the log does not have all of them. */
export const pullChanges: Operation<readonly [after: number], string> = {
  name: 'feed.pull',
  effect: 'read',
  lua: `
local last, floor, log = (redis.call('GET', KEYS[1]) or ''):match('^(%d+) (%d+) (.*)$')
if not last then return ARGV[1] == '0' and '0 ' or '0 *' end
local after, at = tonumber(ARGV[1]), 0
if after - floor < 0 or after - last > 0 then return last .. ' *' end
for _ = 1, after - floor do at = log:find(';', at + 1, true) end
return last .. ' ' .. log:sub(at + 1)`,
  apply(current, [after]) {
    const [, last, floor, log = ''] = LOG.exec(current ?? '') ?? []
    const changes = log.split(';').slice(after - Number(floor))
    const reply = !last
      ? `0 ${after === 0 ? '' : EVERYTHING}`
      : `${last} ${after < Number(floor) || after > Number(last) ? EVERYTHING : changes.join(';')}`
    return { next: current, ttl: 'keep', reply }
  },
}

const LOG = /^(\d+) (\d+) (.*)$/s

/**
 * A log of changes in the store, for stores to which nobody can subscribe (REST). Each process adds its changes to the log, and
 * a read of the store also fetches the changes of the others, at most once in `every`. A process whose reads are all served by
 * its near tier fetches nothing, so `maxAge` remains its bound. A log that was lost, or that has dropped changes which were not
 * read yet, empties the tier.
 */
export function pullFeed(options: PullFeedOptions = {}): NearFeed {
  const everyMs = toMs(options.every ?? 1000, 'every')
  return ({ channel, run, drop, flush, track }) => {
    /** Made at the first call: where a module begins, Workers give no random numbers. */
    let ownMark = ''
    const mark = (): string => {
      ownMark ||= randomId().slice(0, MARK_LENGTH)
      return ownMark
    }
    let pending = new Set<string>()
    /** Whether the pending changes are sent at the end of this run of microtasks. */
    let isDue = false
    let pulledMs = -NEVER
    /** The number of the last change seen; undefined: none so far. */
    let seen: number | undefined

    const receive = (answer: string): void => {
      const [last = '', changes = ''] = answer.split(' ')
      const known = seen
      seen = Number(last)
      if (changes === EVERYTHING) flush(known !== undefined && known > 0)
      else
        for (const change of changes.split(';')) {
          const key = change.slice(MARK_LENGTH)
          if (key === EVERYTHING) flush(false)
          else if (key && !change.startsWith(mark())) drop(decodeURIComponent(key))
        }
    }
    const append = (): void => {
      const changed = pending.size > KEPT ? [EVERYTHING] : [...pending].map(encodeURIComponent)
      pending = new Set()
      isDue = false
      // If this fails, the changes are sent once more with the next write or pull.
      const keep = (): void => {
        for (const key of changed) pending.add(decodeURIComponent(key))
      }
      track(run(appendChanges, channel, [changed.map((key) => `${mark()}${key};`).join('')]).catch(keep))
    }
    const appendSoon = (): void => {
      if (!isDue) soon(append)
      isDue = true
    }
    return {
      onRead() {
        const at = now()
        if (Math.abs(at - pulledMs) < everyMs) return
        pulledMs = at
        if (pending.size > 0) appendSoon()
        // If this fails, entries here last until their `maxAge`; the next pull asks for the same changes again.
        track(run(pullChanges, channel, [seen ?? -1]).then(receive, () => {}))
      },
      onKeep() {},
      publish(keys) {
        appendSoon()
        for (const key of keys) pending.add(key)
      },
      async close() {},
    }
  }
}
