import { type Duration, toMs } from '../protocol/duration.ts'
import type { Operation } from '../protocol/operation.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { randomId } from '../runtime/random.ts'
import type { NearFeed } from './message-feed.ts'

export interface PullFeedOptions {
  /** How long after a pull the next read of the store brings another along. @default '1s' */
  readonly every?: Duration
}

/** Most changes the log keeps. */
const KEPT = 500
const LOG_LIFE_MS = 3_600_000
/** With more keys changed in one tick than the log keeps, everything counts as changed. */
const EVERYTHING = '*'
/** Tells a process its own changes from those of others. */
const MARK_LENGTH = 4

/**
 * Adds changes to the log, each followed by a semicolon, and drops the oldest past 500. The log is text: the number of the
 * last change, the number before the first that is kept, the changes. A new log begins at the microsecond of the
 * store's clock, so that no number comes twice. Answers the last number.
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

/** Answers the last number, a space, and the changes after the number given: `*` where they are not all kept. */
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
 * A log of changes in the store, for where nobody can subscribe (REST): each process adds what it has changed, and a read
 * of the store brings along what others have, at most once in `every`. A process that is answered by its near tier alone
 * asks nothing, so `maxAge` stays its bound. A log that was lost, or that has dropped what was not read yet, empties the tier.
 */
export function pullFeed(options: PullFeedOptions = {}): NearFeed {
  const everyMs = toMs(options.every ?? 1000, 'every')
  return ({ channel, run, drop, flush, track }) => {
    const mark = randomId().slice(0, MARK_LENGTH)
    let pending = new Set<string>()
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
          else if (key && !change.startsWith(mark)) drop(decodeURIComponent(key))
        }
    }
    const append = (): void => {
      const keys = pending.size > KEPT ? [EVERYTHING] : [...pending].map(encodeURIComponent)
      pending = new Set()
      // What could not be added leaves others to their maxAge.
      track(run(appendChanges, channel, [keys.map((key) => `${mark}${key};`).join('')]).catch(() => {}))
    }
    return {
      onRead() {
        const at = now()
        if (Math.abs(at - pulledMs) < everyMs) return
        pulledMs = at
        // One that fails leaves what is kept to its maxAge; the next asks for the same changes again.
        track(run(pullChanges, channel, [seen ?? -1]).then(receive, () => {}))
      },
      onKeep() {},
      publish(keys) {
        if (pending.size === 0) queueMicrotask(append)
        for (const key of keys) pending.add(key)
      },
      async close() {},
    }
  }
}
