import type { Entry } from '../protocol/entry.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { checkLimit, type Limit, NO_LIMIT } from '../runtime/deadline.ts'
import type { Reading } from './judge.ts'
import type { LoadSettings } from './load/types.ts'
import type { View } from './model.ts'
import { conform, type Schema } from './schema.ts'
import { bounded } from './store-calls.ts'
import type { Coded, Decoded, Life } from './value-form.ts'

/** How a decoded value is counted, checked and kept in the near tier. */
export interface OpenContext {
  /** The caller's key. */
  readonly key: string
  /** What the value is counted and reported as; undefined: it is not. */
  readonly as?: 'hit' | 'stale' | undefined
  /** The reading that found the value, by which it may be kept in the near tier; undefined: it is not. */
  readonly reading?: Pick<Reading, 'atMs' | 'ticket' | 'status'> | undefined
  readonly settings?: Pick<LoadSettings, 'nearMs' | 'schema' | 'migrate'> | undefined
}

/** The same, and what decoding an entry needs. */
export interface DecodeContext extends OpenContext {
  readonly storedKey: string
  readonly limit: Limit
}

/** Counts and reports a value that is returned to a caller. */
export function countHit({ core: { stats }, emit }: View, as: 'hit' | 'stale', key?: string): void {
  stats[as === 'hit' ? 'hits' : 'stale']++
  emit({ type: as }, key)
}

export function countMiss({ core: { stats }, emit }: View, key: string): void {
  stats.misses++
  emit({ type: 'miss' }, key)
}

/**
 * Decodes the value of an entry. Undefined when it cannot be decoded, or when the schema refuses it. Returns no promise if
 * there is no schema and the codec returns none. Throws, or rejects, past the limit.
 */
export function openEntry(
  view: View,
  entry: Entry,
  context: DecodeContext,
): Decoded | undefined | Promise<Decoded | undefined> {
  const { key, storedKey, limit, settings } = context
  try {
    const decoded = view.core.values.decode(entry, storedKey)
    if (!(decoded instanceof Promise) && !settings?.schema) return openDecoded(view, decoded, entry, context)
    return conformed(view, decoded, limit, settings).then(
      (value) => openDecoded(view, value, entry, context),
      () => unreadable(view, limit, key),
    )
  } catch {
    return unreadable(view, limit, key)
  }
}

/** Keeps a decoded value in the near tier, if `context` has its reading, counts it, and wraps it. */
export function openDecoded(view: View, value: unknown, entry: Entry, context: OpenContext): Decoded {
  keepNear(view, value, entry, context)
  if (context.as) countHit(view, context.as, context.key)
  return { value }
}

function keepNear(view: View, value: unknown, entry: Entry, { key, reading, settings }: OpenContext): void {
  const { ticket = -1, atMs = 0, status } = reading ?? {}
  if (ticket < 0) return
  const { core, space, request, nearKey } = view
  const { writtenMs, loadMs, tags } = entry
  const schema = settings?.schema
  core.clock.passed(writtenMs)
  // The ends of an entry are by the store's clock; the near tier compares them with this machine's.
  const aheadMs = core.clock.now() - now()
  // A value that a tag has made stale is no longer fresh, though its `ttl` is not over.
  const freshUntilMs = status === 'stale' ? 0 : entry.freshUntilMs - aheadMs
  const expiresMs = Math.min(entry.expiresMs - aheadMs, atMs + (settings?.nearMs ?? NEVER))
  const callerMayModify = request.mutable === true
  // A plain value does not say when it was written: the time of its read takes that place.
  const fill = { value, writtenMs: writtenMs < NEVER ? writtenMs : atMs, freshUntilMs, expiresMs, callerMayModify }
  const names = tags ? [...core.tags.parse(tags).keys()].map(space.tag) : undefined
  const extras = loadMs || tags || schema ? { loadMs: loadMs || undefined, tags: names, schema } : undefined
  core.near.keep(nearKey(key), extras ? { ...fill, extras } : fill, atMs, ticket)
}

function unreadable({ emit }: View, limit: Limit, key: string): undefined {
  checkLimit(limit)
  emit({ type: 'decode-failed' }, key)
}

/** The decoded value as the schema returns it. A value that the schema refuses is migrated; rejects if it refuses that, too. */
async function conformed(
  { core }: View,
  decoding: unknown,
  limit: Limit,
  settings: OpenContext['settings'],
): Promise<unknown> {
  const value = decoding instanceof Promise ? await bounded(core, decoding, limit) : decoding
  const { schema, migrate } = settings ?? {}
  if (!schema) return value
  const checked = (given: unknown) => bounded(core, conform(schema, given), limit)
  const box = (await checked(value)) ?? (migrate && (await checked(await bounded(core, migrate(value), limit))))
  if (!box) throw undefined
  return box.value
}

/** A value that the store has not confirmed. */
export interface Unconfirmed {
  readonly coded: Coded
  readonly life: Life
  readonly tags: readonly string[]
  readonly ticket: number | undefined
  /** It is served while this returns true. */
  readonly stands?: () => boolean
  readonly schema?: Schema | undefined
}

/** Keeps a value in the near tier that the store has not confirmed. */
export async function keepUnconfirmed(view: View, key: string, given: Unconfirmed): Promise<void> {
  const { core, space, emit, nearKey } = view
  const { coded, life, tags, ticket, stands, schema } = given
  if (ticket === undefined) return
  const at = now()
  let value: unknown
  try {
    value = await bounded(core, core.values.decode(coded, space.key(key)), NO_LIMIT)
  } catch {
    return emit({ type: 'decode-failed' }, key)
  }
  const extras = { unconfirmed: true, stands, tags: tags.length > 0 ? tags.map(space.tag) : undefined, schema }
  const [freshUntilMs, expiresMs] = [at + (life.freshMs || NEVER), at + (life.lifeMs || NEVER)]
  const writtenMs = core.clock.now()
  core.near.keep(nearKey(key), { value, writtenMs, freshUntilMs, expiresMs, extras }, at, ticket)
}
