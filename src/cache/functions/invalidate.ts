import { ownOf } from '../../protocol/arguments.ts'
import type { Limit } from '../../runtime/deadline.ts'
import { answerOf, orReportAsEvent, runStep } from '../answer.ts'
import type { Core } from '../engine.ts'
import { checkWrite, limitOf, WRITE } from '../options.ts'
import { captureTags } from '../stamped-write.ts'
import { softenVersion } from '../steps/versions.ts'
import type { AnyCache, CallOptions, Captured, HasEntries, HasTags, Results, WriteOptions } from '../types.ts'
import { checkHasVersions, type View, viewOf } from '../view.ts'
import { detachLoadsAndWrite } from '../write.ts'

/**
 * Ends every entry that has one of the tags, whatever their number, by one command a tag. No load that began before
 * can bring one back. `keepStale`: they become stale instead.
 */
export async function invalidateTags(
  cache: AnyCache<Results, HasTags>,
  tags: readonly string[],
  options?: WriteOptions & { readonly keepStale?: boolean },
): Promise<void> {
  const view = viewOf(cache)
  checkHasVersions(view)
  const limit = limitOf(view, options, { ...WRITE, keepStale: 2 })
  const instead = ownOf(options).keepStale ? softenVersion : undefined
  await endVersions(view, view.core.tags.check(tags).map(view.space.tag), limit, options, instead)
}

/** Ends every entry of this namespace, and of no other, by one command. */
export async function clear(cache: AnyCache<Results, HasEntries>, options?: WriteOptions): Promise<void> {
  const view = viewOf(cache)
  checkHasVersions(view)
  await endVersions(view, [view.space.generation], limitOf(view, options, WRITE), options)
}

/** Takes the tags' versions, to `set` later what is read from now on. */
export async function capture(
  cache: AnyCache<Results, HasTags>,
  tags: readonly string[],
  options?: CallOptions,
): Promise<Captured> {
  const view = viewOf(cache)
  checkHasVersions(view)
  return captureTags(view, tags, limitOf(view, options))
}

/**
 * Makes the value stale at once: absent to `get`, served by `getOrSet` only while its refresh fails. Without grace it
 * is deleted. No load that began before can put its value back. Resolves to whether a copy is kept.
 */
export async function expire(
  cache: AnyCache<Results, HasEntries>,
  key: string,
  options?: WriteOptions,
): Promise<boolean> {
  const view = viewOf(cache)
  checkHasVersions(view)
  const limit = limitOf(view, options, WRITE)
  checkWrite(options)
  const to = view.space.key(key)
  const step = (): Promise<unknown> => runStep(view, 'repeat', to, ['expire', ''], limit)
  const expiring = detachLoadsAndWrite(view, [to], limit, step, view.core.filled(to))
  return (await orReportAsEvent(view, options, expiring, 0)) === 1
}

/** Deletes versions, or does `instead`: what was seen of them before and meanwhile is forgotten. */
async function endVersions(
  view: View,
  keys: readonly string[],
  limit: Limit,
  options: WriteOptions | undefined,
  instead?: Parameters<Core['invalidate']>[2],
): Promise<void> {
  const { core } = view
  checkWrite(options)
  keys.forEach(core.forget)
  view.emit({ type: 'invalidate' })
  const ending = answerOf(view, core.invalidate(keys, core.call(limit), instead), limit)
  await orReportAsEvent<unknown>(view, options, ending, undefined)
  keys.forEach(core.forget)
}
