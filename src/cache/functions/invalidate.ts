import { ownOf } from '../../protocol/arguments.ts'
import type { Limit } from '../../runtime/deadline.ts'
import { randomId } from '../../runtime/random.ts'
import { answerOf, orReportAsEvent } from '../answer.ts'
import type { View } from '../model.ts'
import { checkWrite, limitOf, WRITE } from '../options.ts'
import { captureTags } from '../stamped-write.ts'
import { softenVersion } from '../steps/versions.ts'
import { ask, commandCall, runOperation } from '../store-calls.ts'
import { forgetVersion, pendingFill } from '../store-reads.ts'
import type { AnyCache, CallOptions, Captured, HasEntries, HasTags, Results, WriteOptions } from '../types.ts'
import { checkHasVersions, viewOf } from '../view.ts'
import { detachLoadsAndWrite } from '../write.ts'
import { verbStep } from './verb-step.ts'

/**
 * Ends every entry that has one of the tags, with at most one command for each tag, however many entries there are. No load
 * that began earlier can make one valid again. `keepStale`: the entries become stale instead.
 */
export async function invalidateTags(
  cache: AnyCache<Results, HasTags>,
  tags: readonly string[],
  options?: WriteOptions & { readonly keepStale?: boolean },
): Promise<void> {
  const view = viewOf(cache)
  checkHasVersions(view)
  const limit = limitOf(view, options, { ...WRITE, keepStale: 2 })
  const keys = view.core.tags.check(tags).map(view.space.tag)
  await endVersions(view, keys, limit, options)
}

/** Ends every entry of this namespace, and of no other, with one command. */
export async function clear(cache: AnyCache<Results, HasEntries>, options?: WriteOptions): Promise<void> {
  const view = viewOf(cache)
  checkHasVersions(view)
  await endVersions(view, [view.space.generation], limitOf(view, options, WRITE), options)
}

/** Captures the current versions of the tags, for a later `set` of data that is read from now on. */
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
 * Makes the value stale at once. It does not set a lifetime as Redis's EXPIRE does; `touch` does that. To `get` a stale
 * value is absent, and `getOrSet` serves it only when its refresh is slow or fails. Without grace the value is deleted. No
 * load that began earlier can store its value. Resolves to whether a stale copy is kept.
 */
export async function expire(
  cache: AnyCache<Results, HasEntries>,
  key: string,
  options?: WriteOptions,
): Promise<boolean> {
  const view = viewOf(cache, key)
  checkHasVersions(view)
  const limit = limitOf(view, options, WRITE)
  checkWrite(options)
  const to = view.space.key(key)
  const step = (): Promise<unknown> => verbStep({ view, storedKey: to, limit }, 'repeat', ['expire', ''])
  const expiring = detachLoadsAndWrite(view, [to], step, { limit, ready: pendingFill(view.core, to) })
  return (await orReportAsEvent(view, options, expiring, 0)) === 1
}

/**
 * Deletes versions, or with `keepStale` replaces their soft halves. Forgets both the versions that this process saw before
 * the command and those that it saw while the command ran.
 */
async function endVersions(
  view: View,
  keys: readonly string[],
  limit: Limit,
  options: (WriteOptions & { readonly keepStale?: boolean }) | undefined,
): Promise<void> {
  const { core } = view
  checkWrite(options)
  const forget = (): void => {
    for (const key of keys) forgetVersion(core, key)
  }
  const call = commandCall(core, limit)
  const end = (): Promise<unknown> =>
    ownOf(options).keepStale
      ? Promise.all(keys.map((key) => runOperation(core, { operation: softenVersion, key, args: [randomId()] }, call)))
      : ask(core, keys, () => core.store.delete(keys, call), call)
  forget()
  view.emit({ type: 'invalidate' })
  const ending = answerOf(view, core.near.withInvalidation(keys, 'changes', end), limit)
  await orReportAsEvent<unknown>(view, options, ending, undefined)
  forget()
}
