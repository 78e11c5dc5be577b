import type { MsgHdrs, NatsConnection } from '@nats-io/nats-core'
import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { now } from '../../src/runtime/clock.ts'
import type { CallLimits, Held } from '../../src/store/swap.ts'
import { encodeKey } from './keys.ts'
import type { Checked } from './options.ts'
import { type Requests, tooLarge, unavailable } from './requests.ts'

/** Value and revision of a key. Revision 0: the bucket has nothing for it, not even a delete marker. */
export interface Entry extends Held {
  readonly bytes: Uint8Array | undefined
  readonly revision: number
}

/** A bucket that exists. */
export interface Bucket {
  read(key: string, limits: CallLimits): Promise<Entry>
  /** `value` undefined: deletes. `revision`: writes only if it is the key's revision; resolves to false if it is not. */
  write(
    key: string,
    value: string | Uint8Array | undefined,
    settings: WriteSettings,
    limits: CallLimits,
  ): Promise<boolean>
  /** Names of all keys that the bucket knows, the deleted ones included, page by page. */
  names(limits: CallLimits): AsyncIterable<string>
}

interface WriteSettings {
  /** When its lifetime ends, in epoch milliseconds. */
  readonly endMs?: number | undefined
  readonly revision?: number
}

/** Header with the end of a lifetime in epoch milliseconds. The server's own lifetime counts in seconds. */
const END = 'Hither-End'
/** The second: replicas are still to confirm another write of the key. Nothing was written. */
const WRONG_LAST_SEQUENCE = [10_071, 10_164]
const NO_STREAM = 10_059
const NO_LEADER = 10_008
const MESSAGE_TOO_LARGE = 10_054
const TTL_DISABLED = 10_166
/** Longest lifetime in seconds that the server reads: it holds lifetimes as nanoseconds in 64 bits. */
const MAX_TTL_S = 9_000_000_000
/** How long a delete marker stays, for programs that watch the bucket. */
const MARKER_TTL = '1s'
const ABSENT: Entry = { text: undefined, endMs: undefined, bytes: undefined, revision: 0 }

interface StreamConfig {
  readonly allow_direct?: boolean
  readonly allow_msg_ttl?: boolean
  readonly num_replicas?: number
  readonly max_msgs_per_subject?: number
  readonly allow_rollup_hdrs?: boolean
  readonly mirror?: object
}

interface StreamReply {
  readonly state?: { readonly subjects?: Readonly<Record<string, number>> }
  readonly total?: number
  readonly purged?: number
  readonly config?: StreamConfig
  readonly error?: { readonly err_code?: number; readonly code?: number; readonly description?: string }
  readonly message?: { readonly data?: string; readonly hdrs?: string; readonly seq: number; readonly time: string }
}

interface BucketParts {
  readonly connection: NatsConnection
  readonly requests: Requests
  /** Makes an empty set of headers. */
  readonly headers: () => MsgHdrs
}

/** Finds the bucket, or creates it. */
export async function openBucket(
  { bucket, replicas, storage, maxBytes, reads }: Checked,
  { connection: { info }, requests, headers }: BucketParts,
  limits: CallLimits,
): Promise<Bucket> {
  const stream = `KV_${bucket}`
  const [major = 0, minor = 0] = (info?.version ?? '').split('.').map(Number)
  const knowsTtl = major > 2 || (major === 2 && minor >= 11)
  const api = async (
    verb: string,
    body: object | undefined,
    writes: boolean,
    within: CallLimits,
  ): Promise<StreamReply> => {
    const payload = body ? JSON.stringify(body) : ''
    const subject = `$JS.API.STREAM.${verb}.${stream}`
    return (await requests.ask({ subject, payload, writes }, within)).json<StreamReply>()
  }
  let found = await api('INFO', undefined, false, limits)
  if (found.error?.err_code === NO_STREAM) {
    // The settings with which every client of NATS makes a bucket, so that others can read it as one.
    const made = {
      name: stream,
      subjects: [`$KV.${bucket}.>`],
      retention: 'limits',
      max_msgs_per_subject: 1,
      max_bytes: maxBytes ?? -1,
      discard: 'new',
      storage,
      num_replicas: replicas,
      duplicate_window: 120_000_000_000,
      allow_direct: true,
      allow_rollup_hdrs: true,
      ...(knowsTtl ? { allow_msg_ttl: true, subject_delete_marker_ttl: 1_000_000_000 } : {}),
    }
    const created = await api('CREATE', made, true, limits)
    // The create fails if another client created the bucket first.
    if (created.error) found = await api('INFO', undefined, false, limits)
    // Why the server creates no bucket says more than that there is none.
    if (found.error) found = created
  }
  if (found.error || !found.config) throw refused('the bucket', found.error)
  const { allow_direct, allow_msg_ttl, num_replicas = 1, mirror } = found.config
  const hasHistory = found.config.max_msgs_per_subject !== 1
  if (mirror) throw new HitherError('UNSUPPORTED', 'the bucket is a mirror: name the bucket that it mirrors')
  if (hasHistory && !found.config.allow_rollup_hdrs)
    throw new HitherError(
      'UNSUPPORTED',
      `${stream} keeps older values: set max_msgs_per_subject: 1 or allow_rollup_hdrs`,
    )
  const isDirect = allow_direct === true && (reads === 'any' || num_replicas === 1)
  const direct = `$JS.API.DIRECT.GET.${stream}.$KV.${bucket}.`
  /** The settings are read again at the next call: they, the bucket or the server may be replaced. */
  const lacksTtl = (): HitherError => {
    requests.gone()
    const how = knowsTtl
      ? `set allow_msg_ttl of the stream ${stream}, or name another bucket`
      : 'NATS has them from 2.11 on'
    return new HitherError('UNSUPPORTED', `lifetimes of single keys are not available here: ${how}`)
  }

  return {
    async read(key, within) {
      const name = encodeKey(key)
      if (isDirect) {
        const message = await requests.ask({ subject: direct + name, payload: '', writes: false }, within)
        const { headers: meta } = message
        const code = meta?.code ?? 0
        if (code >= 400 && code !== 404) throw refused('GET', meta)
        if (!meta || code === 404) return ABSENT
        return entryOf((field) => meta.get(field), message.data, Number(meta.get('Nats-Sequence')))
      }
      const { error, message } = await api('MSG.GET', { last_by_subj: `$KV.${bucket}.${name}` }, false, within)
      if (error?.err_code === NO_STREAM) throw requests.gone()
      if (error?.code === 404) return ABSENT
      if (!message) throw refused('GET', error)
      const lines = new Map(
        (message.hdrs ? atob(message.hdrs) : '').split('\r\n').map((line) => {
          const at = line.indexOf(':')
          return [line.slice(0, at), line.slice(at + 1).trim()]
        }),
      )
      lines.set('Nats-Time-Stamp', message.time)
      const data = Uint8Array.from(atob(message.data ?? ''), (char) => char.charCodeAt(0))
      return entryOf((field) => lines.get(field) ?? '', data, message.seq)
    },
    async *names(within) {
      const prefix = `$KV.${bucket}.`
      for (let offset = 0, total = 1; offset < total; ) {
        const page = await api('INFO', { subjects_filter: `${prefix}>`, offset }, false, within)
        if (page.error?.err_code === NO_STREAM) throw requests.gone()
        if (page.error) throw refused('INFO', page.error)
        const subjects = Object.keys(page.state?.subjects ?? {})
        yield* subjects.map((subject) => subject.slice(prefix.length))
        offset += subjects.length
        total = subjects.length === 0 ? 0 : (page.total ?? 0)
      }
    },
    async write(key, value, { endMs, revision }, within) {
      const nowMs = now()
      const isGone = value === undefined || (endMs !== undefined && endMs <= nowMs)
      const meta: [string, string][] = []
      if (revision !== undefined) meta.push(['Nats-Expected-Last-Subject-Sequence', `${revision}`])
      // A bucket with a history: when the delete marker or the lifetime ended, the server would return the value before it.
      if (hasHistory) meta.push(['Nats-Rollup', 'sub'])
      if (isGone) meta.push(['KV-Operation', 'DEL'])
      if (!isGone && endMs !== undefined && !allow_msg_ttl) throw lacksTtl()
      if (isGone ? allow_msg_ttl : endMs !== undefined) {
        const seconds = Math.ceil(((endMs ?? 0) - nowMs) / 1000)
        if (!isGone) meta.push([END, `${endMs}`])
        if (isGone || seconds <= MAX_TTL_S) meta.push(['Nats-TTL', isGone ? MARKER_TTL : `${seconds}s`])
      }
      let sent: MsgHdrs | undefined
      for (const [name, text] of meta) {
        sent ??= headers()
        sent.set(name, text)
      }
      const subject = `$KV.${bucket}.${encodeKey(key)}`
      const message = await requests.ask({ subject, payload: isGone ? '' : value, headers: sent, writes: true }, within)
      const { error } = message.json<StreamReply>()
      if (WRONG_LAST_SEQUENCE.includes(error?.err_code ?? 0)) return false
      if (isGone && error) {
        // A full bucket or account has no room for a delete marker. Purges what was read, and nothing that has replaced it.
        const upTo = revision === undefined ? {} : { seq: revision + 1 }
        const purge = await api('PURGE', { filter: subject, ...upTo }, true, within)
        if (!purge.error) return revision === undefined || purge.purged !== 0
      }
      if (error?.err_code === TTL_DISABLED) throw lacksTtl()
      if (error) throw refused('PUT', error)
      return true
    },
  }
}

function entryOf(field: (name: string) => string, bytes: Uint8Array, revision: number): Entry {
  const endMs = endOf(field)
  const isGone = field('KV-Operation') !== '' || field('Nats-Marker-Reason') !== '' || (endMs ?? 1 / 0) <= now()
  if (isGone) return { ...ABSENT, revision }
  return { text: new TextDecoder().decode(bytes), bytes, endMs, revision }
}

/** End by our own header, else by the lifetime another program asked the server for: `5s`, `1h30m`, or seconds. */
function endOf(field: (name: string) => string): number | undefined {
  if (field(END)) return Number(field(END))
  const ttl = field('Nats-TTL')
  if (!ttl || ttl === 'never') return undefined
  const seconds = /^\d+$/.test(ttl)
    ? Number(ttl)
    : [...ttl.matchAll(/(\d+)([hms])/g)].reduce((sum, [, n, unit]) => sum + Number(n) * (SECONDS[unit as 'h'] ?? 0), 0)
  return Date.parse(field('Nats-Time-Stamp')) + seconds * 1000
}

const SECONDS = { h: 3600, m: 60, s: 1 }

function refused(
  what: string,
  { err_code, description = '' }: Pick<NonNullable<StreamReply['error']>, 'err_code' | 'description'> = {},
): HitherError {
  if (err_code === NO_LEADER) return unavailable('the bucket has no leader at present')
  if (err_code === MESSAGE_TOO_LARGE) return tooLarge()
  return new StoreRejectedError(what, { word: 'ERR', message: description })
}
