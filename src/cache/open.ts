import type { Entry } from '../protocol/entry.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { checkLimit, type Limit, NO_LIMIT } from '../runtime/deadline.ts'
import type { Decoded, OpenContext, ReadThrough } from './load/types.ts'
import { conform } from './schema.ts'
import type { View } from './view.ts'

/** Counts and reports that a value was given to a caller. */
export function countHit({ core: { stats }, emit }: View, as: 'hit' | 'stale', key?: string): void {
  stats[as === 'hit' ? 'hits' : 'stale']++
  emit({ type: as }, key)
}

export function countMiss({ core: { stats }, emit }: View, key: string): void {
  stats.misses++
  emit({ type: 'miss' }, key)
}

/**
 * The value of an entry, in a box; undefined when it cannot be decoded, or its schema refuses it. Counts and reports it
 * `as` what. With `use` it is kept near. Resolves at once where the codec and the schema do. Rejects past the limit.
 */
export function openEntry(
  view: View,
  entry: Entry,
  storedKey: string,
  limit: Limit,
  { as, use }: { readonly as?: 'hit' | 'stale' | undefined; readonly use?: OpenContext | undefined },
): Decoded | undefined | Promise<Decoded | undefined> {
  try {
    const decoded = view.core.decode(entry, storedKey)
    if (!(decoded instanceof Promise) && !use?.plan?.schema) return openDecoded(view, decoded, entry, as, use)
    return conformed(view, decoded, limit, use?.plan).then(
      (value) => openDecoded(view, value, entry, as, use),
      () => unreadable(view, limit, use?.key),
    )
  } catch {
    return unreadable(view, limit, use?.key)
  }
}

/** Keeps a decoded value near, by what it was found with, counts it, and boxes it. */
export function openDecoded(
  view: View,
  value: unknown,
  entry: Entry,
  as?: 'hit' | 'stale',
  use?: OpenContext,
): Decoded {
  const { found } = use ?? {}
  if (use && found && (found.ticket ?? -1) >= 0) keepNear(view, value, entry, use, found)
  if (as) countHit(view, as, use?.key)
  return { value }
}

function keepNear(
  { core, space, request, nearKey }: View,
  value: unknown,
  entry: Entry,
  { key, plan }: OpenContext,
  { ticket = -1, atMs, status }: NonNullable<OpenContext['found']>,
): void {
  const { writtenMs, loadMs, tags } = entry
  const schema = plan?.schema
  // By this machine's clock from here on.
  const aheadMs = core.clock.now() - now()
  // One that a tag has made stale is so before its time.
  const freshUntilMs = status === 'stale' ? 0 : entry.freshUntilMs - aheadMs
  const expiresMs = Math.min(entry.expiresMs - aheadMs, atMs + (plan?.nearMs ?? NEVER))
  const lent = request.mutable === true
  const fill = { value, writtenMs: core.plain ? atMs : writtenMs, freshUntilMs, expiresMs, lent }
  const names = tags ? [...core.tags.parse(tags).keys()].map(space.tag) : undefined
  const note = loadMs || tags || schema ? { loadMs: loadMs || undefined, tags: names, schema } : undefined
  core.near.keep(nearKey(key), note ? { ...fill, note } : fill, atMs, ticket)
}

function unreadable({ emit }: View, limit: Limit, key?: string): undefined {
  checkLimit(limit)
  emit({ type: 'decode-failed' }, key)
}

/** The decoded value as the schema of the call gives it, migrated where it refuses it. Rejects where it refuses both. */
async function conformed({ core }: View, decoding: unknown, limit: Limit, plan: OpenContext['plan']): Promise<unknown> {
  const value = decoding instanceof Promise ? await core.bound(decoding, limit) : decoding
  const { schema, migrate } = plan ?? {}
  if (!schema) return value
  const checked = (given: unknown) => core.bound(conform(schema, given), limit)
  const box = (await checked(value)) ?? (migrate && (await checked(await core.bound(migrate(value), limit))))
  if (!box) throw undefined
  return box.value
}

/** Keeps near what the store has not confirmed; it is given out while `stands` returns true. */
export async function keepUnconfirmed(view: View, ...entry: Parameters<ReadThrough['keep']>): Promise<void> {
  const { core, space, emit, nearKey } = view
  const [key, coded, { freshMs, lifeMs }, names, ticket, stands, schema] = entry
  if (ticket === undefined) return
  const at = now()
  let value: unknown
  try {
    value = await core.bound(core.decode(coded, space.key(key)), NO_LIMIT)
  } catch {
    return emit({ type: 'decode-failed' }, key)
  }
  const note = { unconfirmed: true, stands, tags: names.length > 0 ? names.map(space.tag) : undefined, schema }
  const [freshUntilMs, expiresMs] = [at + (freshMs || NEVER), at + (lifeMs || NEVER)]
  core.near.keep(nearKey(key), { value, writtenMs: at, freshUntilMs, expiresMs, note }, at, ticket)
}
