import type { Operation } from '../protocol/operation.ts'
import { formatRecord, mergeFields, parseRecord, type SessionRecord } from './record.ts'

/** Most bytes of a session in the store. */
export const MAX_SESSION_BYTES = 1_048_576

/**
 * Writes some fields of a session, by name; fields that other requests write meanwhile are kept. `mode` 1 creates the session,
 * under an id that no client has. `mode` 0 changes an existing session, and never creates one that has ended. `changes` has a
 * line for each field: a name, a tab and a value, or a name alone to delete the field. `subject` and `generation` may be '': an
 * existing session then keeps its own. If they are given, an existing session must have the generation `expected` ('' for none),
 * or the new one already. Replies 1 when written. Otherwise nothing is written, and the reply is 0 if there is no session, its
 * absolute end has come, or (`mode` 1) another request has ended it; 2 if it has another generation; 3 if it would be larger
 * than `MAX_SESSION_BYTES`.
 */
export const writeSession: Operation<
  readonly [
    mode: number,
    idleMs: number,
    createdMs: number,
    absoluteMs: number,
    subject: string,
    generation: string,
    changes: string,
    expected: string,
  ],
  number
> = {
  name: 'session.write',
  // A second run could undo later writes, or create a session that was destroyed meanwhile.
  effect: 'once',
  lua: `
local mode, idle, created, absolute = ARGV[1], ARGV[2] + 0, ARGV[3] + 0, ARGV[4] + 0
local subject, generation, changes, expected = ARGV[5], ARGV[6], ARGV[7], ARGV[8]
local now_ms = math.floor(now() / 1000)
local text = redis.call('GET', KEYS[1])
local ends, fields
if mode == '1' then
 if text and text:sub(1, 2) == 'r1' then return 0 end
 if created == 0 then created = now_ms end
 ends, fields = created + absolute, ''
 if subject == '' then subject = ('-'):rep(22) end
 if generation == '' then generation = ('-'):rep(16) end
else
 if not text or not text:find('^s1' .. ('%d'):rep(45)) then return 0 end
 created, ends, fields = text:sub(3, 17) + 0, text:sub(18, 32) + 0, text:sub(86)
 local before = text:sub(70, 85)
 if expected == '' then expected = ('-'):rep(16) end
 if subject == '' then subject, generation = text:sub(48, 69), before
 elseif before ~= expected and before ~= generation then return 2 end
end
local left = math.min(idle, ends - now_ms)
if left <= 0 then return 0 end
local changed, order = {}, {}
for name, value in (changes .. '\\n'):gmatch('([^\\t\\n]+)\\t?([^\\n]*)\\n') do
 if changed[name] == nil then order[#order + 1] = name end
 changed[name] = value
end
local lines = {}
for name, value in (fields .. '\\n'):gmatch('([^\\t\\n]+)\\t([^\\n]*)\\n') do
 local new = changed[name]
 if new == nil then lines[#lines + 1] = ('%s\\t%s'):format(name, value)
 elseif new ~= '' then lines[#lines + 1] = ('%s\\t%s'):format(name, new) end
 if new ~= nil then changed[name] = '' end
end
for i = 1, #order do
 if changed[order[i]] ~= '' then lines[#lines + 1] = ('%s\\t%s'):format(order[i], changed[order[i]]) end
end
local head = ('s1%015.0f%015.0f%015.0f'):format(created, ends, now_ms)
local record = table.concat({ head, subject, generation, table.concat(lines, '\\n') })
if #record > ${MAX_SESSION_BYTES} then return 3 end
redis.call('SET', KEYS[1], record, 'PX', left)
return 1`,
  apply(current, [mode, idleMs, createdMs, absoluteMs, subject, generation, changes, expected], { nowUs }) {
    const nowMs = Math.floor(nowUs / 1000)
    const kept = { next: current, ttl: 'keep', reply: 0 } as const
    const before = mode === 1 ? undefined : parseRecord(current)
    if (mode === 1 ? isMark(current) : !before) return kept
    if (before && subject && before.generation !== expected && before.generation !== generation) {
      return { ...kept, reply: 2 }
    }
    const created = before?.createdMs ?? (createdMs || nowMs)
    const ends = before?.endsMs ?? created + absoluteMs
    const left = Math.min(idleMs, ends - nowMs)
    if (left <= 0) return kept
    const record: SessionRecord = {
      createdMs: created,
      endsMs: ends,
      seenMs: nowMs,
      subject: subject || (before?.subject ?? ''),
      generation: subject ? generation : (before?.generation ?? ''),
      fields: mergeFields(before?.fields ?? new Map(), changes),
    }
    const next = formatRecord(record)
    if (isTooLarge(next)) return { ...kept, reply: 3 }
    return { next, ttl: { ms: left }, reply: 1 }
  },
}

function isTooLarge(text: string): boolean {
  // A character is at most three bytes.
  return text.length * 3 > MAX_SESSION_BYTES && new TextEncoder().encode(text).length > MAX_SESSION_BYTES
}

/** Extends the idle time. Replies 1, or 0 if there is no session or its absolute end has come. */
export const touchSession: Operation<readonly [idleMs: number], number> = {
  name: 'session.touch',
  // It creates nothing, and a second run only extends the idle time further.
  effect: 'repeat',
  lua: `
local text = redis.call('GETRANGE', KEYS[1], 0, 46)
if not text:find('^s1' .. ('%d'):rep(45)) then return 0 end
local now_ms = math.floor(now() / 1000)
local left = math.min(ARGV[1] + 0, text:sub(18, 32) - now_ms)
if left <= 0 then return 0 end
redis.call('SETRANGE', KEYS[1], 32, ('%015.0f'):format(now_ms))
redis.call('PEXPIRE', KEYS[1], left)
return 1`,
  apply(current, [idleMs], { nowUs }) {
    const nowMs = Math.floor(nowUs / 1000)
    const record = parseRecord(current)
    const left = record ? Math.min(idleMs, record.endsMs - nowMs) : 0
    if (!record || left <= 0) return { next: current, ttl: 'keep', reply: 0 }
    return { next: formatRecord({ ...record, seenMs: nowMs }), ttl: { ms: left }, reply: 1 }
  },
}

/**
 * Ends a session and replies the text that was stored: the session, which only one of several callers gets; '' if there is none;
 * or a mark, which stays: `r1` and the handle under which a rotated session continues. If `markMs` is more than 0, a mark of `r1`
 * and `next` takes the session's place for so many milliseconds. A rotation passes the new handle as `next`. To end a rotated
 * session `next` is '': a request that has rotated the session and not saved it yet can then not create it under this handle.
 */
export const endSession: Operation<readonly [next: string, markMs: number], string> = {
  name: 'session.end',
  effect: 'repeat',
  lua: `
local text = redis.call('GET', KEYS[1]) or ''
if text:sub(1, 2) == 'r1' then return text end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], 'r1' .. ARGV[1], 'PX', ARGV[2]) end
return text`,
  apply(current = '', [next, markMs]) {
    if (isMark(current)) return { next: current, ttl: 'keep', reply: current }
    return markMs
      ? { next: `r1${next}`, ttl: { ms: markMs }, reply: current }
      : { next: undefined, ttl: 'none', reply: current }
  },
}

/** As `endSession`, but never sent twice: only the first reply has the session's data. */
export const rotateSession: typeof endSession = { ...endSession, effect: 'once' }

const isMark = (text: string | undefined): boolean => text?.startsWith('r1') === true

/** Removes a text and replies it. Only one of several callers gets it. Null if there is none. */
export const takeSession: Operation<readonly [], string | null> = {
  name: 'session.take',
  // Only the first reply has the text.
  effect: 'once',
  lua: `
local text = redis.call('GET', KEYS[1])
if text then redis.call('DEL', KEYS[1]) end
return text`,
  apply: (current) => ({ next: undefined, ttl: 'none', reply: current ?? null }),
}

/**
 * Replies the generation of a subject; if there is none, stores `made` as its generation. Extends the lifetime of the generation
 * and never shortens it: it must outlive every session that has it, although processes may differ in `absolute`.
 */
export const captureGeneration: Operation<readonly [made: string, lifeMs: number], string> = {
  name: 'session.generation',
  // A second run could store a generation again that was ended meanwhile.
  effect: 'once',
  lua: `
local generation = redis.call('GET', KEYS[1]) or ARGV[1]
redis.call('SET', KEYS[1], generation, 'PX', math.max(ARGV[2] + 0, redis.call('PTTL', KEYS[1])))
return generation`,
  apply: (current, [made, lifeMs], { leftMs = 0 }) => ({
    next: current ?? made,
    ttl: { ms: Math.max(lifeMs, leftMs) },
    reply: current ?? made,
  }),
}

/** Most sessions in the list of one subject: the newest are kept. */
const MAX_LISTED = 100

/**
 * Adds a line (`<handle> <end in ms> <device>`) to the list of a subject's sessions. Drops the lines of sessions that have ended
 * by the store's clock, and the oldest lines above 100. Replies the number of lines.
 */
export const listSession: Operation<readonly [handle: string, lifeMs: number, device: string], number> = {
  name: 'session.list',
  effect: 'repeat',
  lua: `
local now_ms = math.floor(now() / 1000)
local ends_ms = now_ms + ARGV[2]
local lines, last_ms = {}, ends_ms
for handle, ends, device in ((redis.call('GET', KEYS[1]) or '') .. '\\n'):gmatch('(%S+) (%d+) ([^\\n]*)\\n') do
 if handle ~= ARGV[1] and ends - now_ms > 0 then
  lines[#lines + 1] = ('%s %s %s'):format(handle, ends, device)
  last_ms = math.max(last_ms, ends + 0)
 end
end
lines[#lines + 1] = ('%s %.0f %s'):format(ARGV[1], ends_ms, ARGV[3])
while #lines > ${MAX_LISTED} do table.remove(lines, 1) end
redis.call('SET', KEYS[1], table.concat(lines, '\\n'), 'PX', last_ms - now_ms)
return #lines`,
  apply(current = '', [handle, lifeMs, device], { nowUs }) {
    const nowMs = Math.floor(nowUs / 1000)
    const endsMs = nowMs + lifeMs
    const lines = current
      .split('\n')
      .map((line) => /^(\S+) (\d+) (.*)$/.exec(line))
      .filter((line) => line !== null && line[1] !== handle && Number(line[2]) > nowMs) as RegExpExecArray[]
    const lastMs = Math.max(endsMs, ...lines.map((line) => Number(line[2])))
    const all = [...lines.map(([line]) => line), `${handle} ${endsMs} ${device}`].slice(-MAX_LISTED)
    return { next: all.join('\n'), ttl: { ms: lastMs - nowMs }, reply: all.length }
  },
}
