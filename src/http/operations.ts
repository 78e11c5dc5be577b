import type { Operation, Transition } from '../protocol/operation.ts'

/**
 * The record of a URL. Its text begins with a head line: `h1`, the token of the request that has the lease (16 characters,
 * hyphens for none), the end of the lease, and when the URL was last invalidated (16 digits each, in microseconds by the store's
 * clock). Then comes a line for each stored response, the newest first: its variant (43 characters), when its request began (16
 * digits), when its lifetime ends (16 digits), and the response. Text of another form counts as absent.
 *
 * The lease: `beginFetch` takes it; `putResponse`, `releaseFetch`, `invalidateUrl` or its end free it. If there is no token but
 * the end is in the future, nobody gets the lease and nobody waits: the last response could not be shared.
 *
 * A response is stored only if its request began after the last invalidation, and after the request of the stored response with
 * the same variant.
 */
export interface UrlRecord {
  readonly token: string
  readonly leaseUs: number
  readonly invalidatedUs: number
  readonly lines: readonly RecordLine[]
}

export interface RecordLine {
  readonly variant: string
  readonly startUs: number
  readonly expiresUs: number
  readonly response: string
}

const NOBODY = '-'.repeat(16)
const HEAD = /^h1([\w-]{16})(\d{16})(\d{16})(?:\n|$)/
const LINE = /^([\w-]{43})(\d{16})(\d{16})(.*)$/s
/** How long a record remembers a running request and the last invalidation: a response that takes longer is not stored. */
const UNDER_WAY_MS = 300_000
/** Lifetime of a lease, which keeps other requests from fetching the same URL. */
export const LEASE_MS = 30_000
/** How long requests do not wait for one another after a response that may not be shared. */
const ALONE_MS = 10_000

const digits = (us: number): string => `${us}`.padStart(16, '0')

/** Undefined for text of another form. */
export function parseRecord(text: string | undefined): UrlRecord | undefined {
  const [, token, lease, invalidated] = HEAD.exec(text ?? '') ?? []
  if (text === undefined || token === undefined) return undefined
  const lines: RecordLine[] = []
  for (const line of text.split('\n').slice(1)) {
    const found = LINE.exec(line)
    if (!found) continue
    const [, variant, start, expires, response] = found as unknown as [string, string, string, string, string]
    lines.push({ variant, startUs: Number(start), expiresUs: Number(expires), response })
  }
  return { token, leaseUs: Number(lease), invalidatedUs: Number(invalidated), lines }
}

function format({ token, leaseUs, invalidatedUs, lines }: UrlRecord): string {
  const head = `h1${token}${digits(leaseUs)}${digits(invalidatedUs)}`
  return [head, ...lines.map((l) => `${l.variant}${digits(l.startUs)}${digits(l.expiresUs)}${l.response}`)].join('\n')
}

const PARSE = `
local key, now_us = KEYS[1], now()
local word = '[%w_-]'
local text = redis.call('GET', key) or ''
local token, lease, invalidated, at = text:match('^h1(' .. word:rep(16) .. ')(' .. ('%d'):rep(16) .. ')(' .. ('%d'):rep(16) .. ')()')
local known = token and (at > #text or text:sub(at, at) == '\\n')
if not known then token, lease, invalidated = ('-'):rep(16), 0, 0 end
lease, invalidated = lease + 0, invalidated + 0
local lines = {}
if known then
 for line in text:sub(at):gmatch('\\n([^\\n]+)') do
  if line:find('^' .. word:rep(43) .. ('%d'):rep(32)) then lines[#lines + 1] = line end
 end
end
local function write(ms)
 table.insert(lines, 1, ('h1%s%016.0f%016.0f'):format(token, lease, invalidated))
 redis.call('SET', key, table.concat(lines, '\\n'), 'PX', math.max(ms, redis.call('PTTL', key)))
end
`

/**
 * Notes that a request for a URL begins. With `lease` 1 it asks for the lease; with 2 it takes the lease, whoever has it; with 3
 * it began before, under another URL. `seenUs`: when the request of the newest response began that the caller has read; 0 for
 * none. Replies when this request began, in microseconds by the store's clock and after the last invalidation; a number: 1 if the
 * caller has the lease; 0 if another request has it; 2 if nobody should wait, since the last response could not be shared; 3 if a
 * newer response was stored after the caller's read; and the store's time. The first is later than the third if the URL was just
 * invalidated. Only the third may be compared with the end of a version.
 *
 * A new record counts as invalidated, except with 3. The race: a request begins, the store loses its record, a purge finds none
 * and resolves, and the next request makes a new record. The response to the first request may not be stored.
 */
export const beginFetch: Operation<
  readonly [token: string, lease: number, seenUs: number],
  readonly [startUs: number, granted: number, nowUs: number]
> = {
  name: 'http.begin',
  effect: 'repeat',
  lua: `${PARSE}
local granted, is_behind = 0, false
if not known and ARGV[2] ~= '3' then invalidated = now_us end
for _, line in ipairs(lines) do is_behind = is_behind or line:sub(44, 59) - ARGV[3] > 0 end
if is_behind and ARGV[2] == '1' then granted = 3
elseif token == ('-'):rep(16) and lease > now_us then granted = 2
elseif ARGV[2] == '2' or ARGV[2] == '1' and (token == ARGV[1] or lease <= now_us) then
 token, lease, granted = ARGV[1], now_us + ${LEASE_MS}000, 1
end
write(${UNDER_WAY_MS})
return { math.max(now_us, invalidated + 1), granted, now_us }`,
  apply(current, [token, lease, seenUs], { nowUs, leftMs }): Transition<readonly [number, number, number]> {
    const record = parseRecord(current) ?? { ...EMPTY, invalidatedUs: lease === 3 ? 0 : nowUs }
    const isBehind = lease === 1 && record.lines.some(({ startUs }) => startUs > seenUs)
    const isAlone = record.token === NOBODY && record.leaseUs > nowUs
    const isFree = record.token === token || record.leaseUs <= nowUs
    const granted = !isBehind && !isAlone && (lease === 2 || (lease === 1 && isFree))
    const next = granted ? { ...record, token, leaseUs: nowUs + LEASE_MS * 1000 } : record
    const reply = isBehind ? 3 : isAlone ? 2 : granted ? 1 : 0
    return {
      next: format(next),
      ttl: lifetime(leftMs, UNDER_WAY_MS),
      reply: [Math.max(nowUs, record.invalidatedUs + 1), reply, nowUs],
    }
  },
}

/**
 * Stores a response in front of the others of its URL, and frees the lease of `token`. Where nobody was to wait for the responses of
 * the URL, they may wait for the next one again. `startUs`: the reply of `beginFetch`.
 * `replaces`: a variant that is dropped, or ''. `most`: how many responses the record keeps. `renews`: when the request of the
 * response began that this one renews; 0 for none. Replies 1, or 0 if the response came too late: the URL was invalidated meanwhile,
 * or a later request has stored this variant, or the response that it renews or the whole record is gone.
 */
export const putResponse: Operation<
  readonly [
    token: string,
    startUs: number,
    variant: string,
    replaces: string,
    lifeMs: number,
    most: number,
    response: string,
    renews: number,
  ],
  number
> = {
  name: 'http.put',
  effect: 'repeat',
  lua: `${PARSE}
local start, variant, replaces, life, most = ARGV[2] + 0, ARGV[3], ARGV[4], ARGV[5] + 0, ARGV[6] + 0
if not known or invalidated >= start then return 0 end
local kept, is_there = {}, ARGV[8] == '0'
for i = 1, #lines do
 local name, line = lines[i]:sub(1, 43), lines[i]
 if name == variant and line:sub(44, 59) + 0 > start then return 0 end
 is_there = is_there or line:sub(44, 59) - ARGV[8] == 0
 if name ~= variant and name ~= replaces and line:sub(60, 75) + 0 > now_us and #kept < most - 1 then kept[#kept + 1] = line end
end
if not is_there then return 0 end
table.insert(kept, 1, ('%s%016.0f%016.0f%s'):format(variant, start, now_us + life * 1000, ARGV[7]))
lines = kept
if token == ARGV[1] or token == ('-'):rep(16) then token, lease = ('-'):rep(16), 0 end
write(life)
return 1`,
  apply(current, args, { nowUs, leftMs }): Transition<number> {
    const [token, startUs, variant, replaces, lifeMs, most, response, renews] = args
    const record = parseRecord(current)
    const refused = { next: current, ttl: 'keep', reply: 0 } as const
    if (!record || record.invalidatedUs >= startUs) return refused
    if (renews > 0 && !record.lines.some((line) => line.startUs === renews)) return refused
    if (record.lines.some((line) => line.variant === variant && line.startUs > startUs)) return refused
    const others = record.lines.filter(
      (line) => line.variant !== variant && line.variant !== replaces && line.expiresUs > nowUs,
    )
    const line = { variant, startUs, expiresUs: nowUs + lifeMs * 1000, response }
    const next = { ...withoutLease(record, token), lines: [line, ...others.slice(0, most - 1)] }
    return { next: format(next), ttl: lifetime(leftMs, lifeMs), reply: 1 }
  },
}

/**
 * Frees the lease of `token`, after a response that is not stored. With `alone` 1 no request of this URL waits for another during
 * the next 10 seconds. Replies 1, or 0 if `token` does not have the lease.
 */
export const releaseFetch: Operation<readonly [token: string, alone: number], number> = {
  name: 'http.release',
  effect: 'repeat',
  lua: `${PARSE}
if not known or ARGV[2] == '0' and token ~= ARGV[1] then return 0 end
token, lease = ('-'):rep(16), ARGV[2] == '1' and now_us + ${ALONE_MS}000 or 0
write(1)
return 1`,
  apply(current, [token, alone], { nowUs, leftMs }): Transition<number> {
    const record = parseRecord(current)
    if (!record || (alone === 0 && record.token !== token)) return { next: current, ttl: 'keep', reply: 0 }
    const leaseUs = alone === 1 ? nowUs + ALONE_MS * 1000 : 0
    return { next: format({ ...record, token: NOBODY, leaseUs }), ttl: lifetime(leftMs, 1), reply: 1 }
  },
}

/** Drops every stored response of a URL. Responses that are being fetched will not be stored. Replies how many were dropped. */
export const invalidateUrl: Operation<readonly [], number> = {
  name: 'http.invalidate',
  effect: 'repeat',
  lua: `${PARSE}
if not known then return 0 end
local count = #lines
token, lease, invalidated, lines = ('-'):rep(16), 0, math.max(now_us, invalidated + 1), {}
write(${UNDER_WAY_MS})
return count`,
  apply(current, _, { nowUs, leftMs }): Transition<number> {
    const record = parseRecord(current)
    // Without a record there is no stored response and no running request.
    if (!record) return { next: current, ttl: 'keep', reply: 0 }
    const invalidatedUs = Math.max(nowUs, record.invalidatedUs + 1)
    const next = format({ token: NOBODY, leaseUs: 0, invalidatedUs, lines: [] })
    return { next, ttl: lifetime(leftMs, UNDER_WAY_MS), reply: record.lines.length }
  },
}

/**
 * The version of a tag, a path or a namespace: 16 characters, and when it was last ended (16 digits, in microseconds by the
 * store's clock, zeros for never). A stored response has the versions under which it was stored, and is valid while they are
 * current.
 */
const VERSION = /^[\w-]{16}\d{16}$/

/** Replies the current version; if there is none, makes one of `made`. Extends its lifetime to at least `lifeMs`. */
export const captureVersion: Operation<readonly [made: string, lifeMs: number], string> = {
  name: 'http.capture',
  effect: 'repeat',
  lua: `
local version = redis.call('GET', KEYS[1]) or ''
if not version:find('^' .. ('[%w_-]'):rep(16) .. ('%d'):rep(16) .. '$') then version = ARGV[1] .. ('0'):rep(16) end
redis.call('SET', KEYS[1], version, 'PX', math.max(ARGV[2] + 0, redis.call('PTTL', KEYS[1])))
return version`,
  apply(current, [made, lifeMs], { leftMs }) {
    const isKnown = VERSION.test(current ?? '')
    const version = isKnown ? (current as string) : made + digits(0)
    return { next: version, ttl: lifetime(leftMs, lifeMs), reply: version }
  },
}

/**
 * Ends a version by making a new one. Responses stored under the old version are no longer valid, and responses that are being
 * fetched are not stored. The time of the end is remembered for longer than any request runs. Replies 1.
 */
export const endVersion: Operation<readonly [made: string], number> = {
  name: 'http.end',
  effect: 'repeat',
  lua: `
local text = ('%s%016.0f'):format(ARGV[1], now())
redis.call('SET', KEYS[1], text, 'PX', math.max(${2 * UNDER_WAY_MS}, redis.call('PTTL', KEYS[1])))
return 1`,
  apply: (_, [made], { nowUs, leftMs }) => ({
    next: made + digits(nowUs),
    ttl: lifetime(leftMs, 2 * UNDER_WAY_MS),
    reply: 1,
  }),
}

const EMPTY: UrlRecord = { token: NOBODY, leaseUs: 0, invalidatedUs: 0, lines: [] }

function withoutLease(record: UrlRecord, token: string): UrlRecord {
  return record.token === token || record.token === NOBODY ? { ...record, token: NOBODY, leaseUs: 0 } : record
}

/** The longer of `ms` and the lifetime that is left. A key without an end (none of this cache) gets one: its `PTTL` is -1. */
function lifetime(leftMs: number | undefined, ms: number): { readonly ms: number } {
  return { ms: Math.max(ms, Math.floor(leftMs ?? -1)) }
}
