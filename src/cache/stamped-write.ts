import { HitherError, isHitherError } from '../errors.ts'
import type { Reply } from '../protocol/operation.ts'
import { type Limit, NO_LIMIT, within } from '../runtime/deadline.ts'
import { randomId } from '../runtime/random.ts'
import { answerOf } from './answer.ts'
import type { View } from './model.ts'
import { invalid } from './options.ts'
import type { Steps } from './steps/by-effect.ts'
import { commandCall, nothing, writeEntry } from './store-calls.ts'
import type { Captured, SetOptions } from './types.ts'
import type { Coded, Life } from './value-form.ts'
import { CAPTURED_MS, type CapturedVersions, type Stamp } from './versions.ts'

/** The properties of what `capture` returns: its versions, the epoch in which they were read, and their namespace. */
const VERSIONS = Symbol('versions')
const EPOCH = Symbol('epoch')
const SPACE = Symbol('space')
interface CapturedTags extends Captured {
  readonly [VERSIONS]: CapturedVersions
  readonly [EPOCH]: number
  /** The key of the namespace's generation. */
  readonly [SPACE]: string
}

/** The epoch of what `capture` returned; undefined for names of tags. */
export function epochOf(tags: SetOptions['tags']): number | undefined {
  return (tags as CapturedTags | undefined)?.[EPOCH]
}

/** The current versions of the tags and the namespace. Callers may share the request: the limit ends only this caller's wait. */
export function currentVersions(
  view: View,
  names: readonly string[],
  lifeMs: number,
  limit: Limit,
): Promise<CapturedVersions> {
  const { core, space } = view
  return within(
    answerOf(view, core.versions.capture(space, names, commandCall(core, NO_LIMIT), { lifeMs }), limit),
    limit,
  )
}

/** Captures the current versions of tags, for a later `set` of data that is read from now on. */
export async function captureTags(view: View, tags: readonly string[], limit: Limit): Promise<Captured> {
  const names = view.core.tags.check(tags)
  const { epoch } = view.core.versions
  return {
    tags: names,
    [VERSIONS]: await currentVersions(view, names, CAPTURED_MS, limit),
    [EPOCH]: epoch,
    [SPACE]: view.space.generation,
  } as CapturedTags
}

/** The versions to stamp a write with. Returns at once if `capture` gave them, or if all were seen in the last five seconds. */
export function versionsForWrite(
  view: View,
  tags: SetOptions['tags'] = [],
  { lifeMs }: Life,
  limit: Limit,
): Stamp | Promise<Stamp> {
  const { core, space } = view
  if (core.format.stamp) return core.format.stamp
  if (typeof tags === 'object' && tags && !Array.isArray(tags)) {
    const { [VERSIONS]: versions, [SPACE]: capturedIn } = tags as CapturedTags
    if (!versions) throw invalid('tags takes names, or what capture() returned')
    // Under the generation of another namespace the entry would be dead on arrival.
    if (capturedIn !== space.generation) throw invalid('tags takes what capture() of the same namespace returned')
    return { versions, names: core.tags.check((tags as Captured).tags, lifeMs), remembered: false }
  }
  const names = core.tags.check(tags, lifeMs)
  const versions = core.versions.recallAll(space, names)
  if (versions) return { versions, names, remembered: true }
  const captured = currentVersions(view, names, lifeMs, limit)
  return captured.then((versions) => ({ versions, names: [], remembered: false }))
}

/** A write: what it stores, and how. */
export interface StampedWrite {
  readonly coded: Coded
  readonly life: Life
  readonly stamp: Stamp
  readonly limit: Limit
  /** If given, the write is `add` in place of `set`. The id of the entry that it may replace, `''`, or `=` (`unread`). */
  readonly deadId?: string
  /** The steps that run `add`. */
  readonly steps?: Steps
}

/**
 * Writes an entry that is valid once the write is acknowledged. The entry is stamped with versions that this process saw up to
 * five seconds ago, so that the write takes one round trip. But another process may have ended those versions before this call
 * began (`clear`, `invalidateTags`, an eviction), and the entry would be dead on arrival. So the wave that writes also reads
 * the versions. If they differ, the entry is written again under the versions just read. That second write replaces only the
 * entry of the first: an entry that another call has stored since is newer. Resolves to 1, or to 0 if `add` found an entry;
 * `add` with the `deadId` `=` may also resolve to a `found` reply (`steps/entry.ts`).
 */
export async function writeStamped(view: View, storedKey: string, write: StampedWrite): Promise<Reply> {
  const { coded, life, stamp, limit, deadId, steps } = write
  const { versions, names, remembered } = stamp
  const { core } = view
  const verb = deadId === undefined ? 'set' : 'add'
  const send = (verb: string, versions: CapturedVersions, id: string, deadId = ''): Promise<Reply> => {
    const write = { verb, coded, life, versions, deadId, id, steps: verb === 'add' ? steps : undefined }
    return answerOf(view, writeEntry(core, storedKey, write, commandCall(core, limit)), limit)
  }
  const id = randomId()
  const reading = remembered ? currentVersions(view, names, life.lifeMs, limit) : undefined
  reading?.catch(nothing)
  const writing = send(verb, versions, id, deadId)
  const written = await (remembered ? writing : renewTags(view, writing, names, { lifeMs: life.lifeMs, limit }))
  const now = reading && written === 1 ? await afterWrite(reading) : versions
  const isSame =
    now.generation === versions.generation && names.every((name) => now.tags.get(name) === versions.tags.get(name))
  if (!isSame) await afterWrite(send('rewrite', now, randomId(), id))
  return written
}

/** Makes tags live as long as an entry of this lifetime, in the same wave as `writing`, which writes or extends that entry. */
export async function renewTags<T>(
  view: View,
  writing: Promise<T>,
  names: readonly string[],
  { lifeMs, limit }: { readonly lifeMs: number; readonly limit: Limit },
): Promise<T> {
  const { core, space } = view
  const renew = (): Promise<unknown> => core.versions.renew(space, names, commandCall(core, NO_LIMIT), lifeMs)
  const renewing = names.length > 0 ? within(answerOf(view, renew(), limit), limit) : undefined
  renewing?.catch(nothing)
  const written = await writing
  if (written === 1 && renewing) await afterWrite(renewing)
  return written
}

/** Awaits work that follows a write that has run. If that work fails, it is unknown whether the entry is valid. */
export async function afterWrite<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!isHitherError(error)) throw error
    const { code, message, retryable } = error
    throw new HitherError(code, message, { cause: error, retryable, maybeExecuted: true })
  }
}
