import { type ErrorCode, isHitherError } from '../../errors.ts'
import { NO_VALUE, NONE } from '../../protocol/entry.ts'
import { now } from '../../runtime/clock.ts'
import { random } from '../../runtime/random.ts'
import { type Coded, type Core, type Life, nothing } from '../core.ts'
import { dropHints, isSameTag, parseTags } from '../versions.ts'
import { settle } from './background-work.ts'
import type { Leases } from './lease.ts'
import type { LoaderDecisions, LoaderRun } from './run-loader.ts'
import type { Load } from './types.ts'

/**
 * Stores what a load has returned, under the versions captured before its loader ran, and only while its lease is valid:
 * a delete or write since has removed the lease, so that an old value cannot overwrite it.
 */
export async function fill(core: Core, leases: Leases, load: Load, run: LoaderRun & { coded: Coded }): Promise<void> {
  const { plain, versions, clock } = core
  const { lease, dropCode, request } = load
  const { key, storedKey, through } = request
  const { emit, space } = through
  const { coded, decisions, startedMs } = run
  const dropped = (code: ErrorCode): void => emit({ type: 'write-dropped', code }, key)
  const refused = (): void => emit({ type: 'fill-refused' }, key)
  if (dropCode !== undefined) return dropCode ? dropped(dropCode) : undefined
  // A plain key has no lease by which the store would refuse this write: let writes that came first end before it.
  if (plain) for (let before = core.before(storedKey); before; before = core.before(storedKey)) await before
  if (load.isDetached) return refused()
  if (!lease.token && !plain) {
    await keepNear(core, load, coded, decisions)
    return dropped('STORE_UNAVAILABLE')
  }
  const { tags, isComplete } = tagsToStamp(core, load, run)
  // The names alone are stored where a version is missing: the next load captures those tags before its loader runs.
  const form = isComplete ? coded : { mark: NO_VALUE, payload: '' }
  const life = shortened(decisions.life, request.settings.options.jitter)
  // Tags must outlive what is stored under them. Where this fails they may not, and the entry is then a miss.
  if (!plain) versions.renew(space, [...tags.keys()], core.call(), decisions.life.lifeMs).catch(nothing)
  const sentMs = now()
  const stamp = { generation: lease.versions?.generation ?? NONE, tags }
  const written = core
    .write('fill', storedKey, form, life, stamp, core.call(), sentMs - startedMs, lease.token || NONE)
    .then(
      (reply) => {
        if (Number(reply) > 1) clock.note(sentMs, Number(reply))
        if (reply === 0 || !isComplete) refused()
      },
      async (error: unknown) => {
        dropped(isHitherError(error) ? error.code : 'STORE_UNAVAILABLE')
        await leases.releaseOf(load, { verb: 'fail' })
      },
    )
  core.fill(storedKey, written)
  if (!plain) return settle(core, through, written)
  // Without a lease this write could land after a later one: that one waits for it (`detach`).
  load.fill = written
  await written
}

/** Keeps the value of a load without a lease near, where nothing has been heard of the store since it began. */
async function keepNear(core: Core, load: Load, coded: Coded, { life, tags }: LoaderDecisions): Promise<void> {
  const { request, ticket, answerCount } = load
  const { through, key, settings } = request
  // Once the store answers again, another process may have changed the key: the value is then served no more.
  const stands = (): boolean => answerCount === core.heard
  if (stands()) await through.keep(key, coded, life, [...request.tags, ...tags], ticket, stands, settings.schema)
}

/** The tags of the entry with the versions it was loaded under. Incomplete: the loader named one that was not captured in time. */
function tagsToStamp(core: Core, { lease, request }: Load, { decisions, startedMs }: LoaderRun) {
  const { space } = request.through
  const tags = new Map(lease.versions?.tags)
  // A version seen before the loader started is as good as a captured one.
  const known = (tag: string): string | undefined => core.versions.recall(space.tag(tag), startedMs)
  let isComplete = true
  for (const tag of decisions.tags) {
    const version = tags.get(tag) ?? known(tag)
    if (version === undefined) isComplete = false
    tags.set(tag, version ?? '')
  }
  dropHints(tags, [...(request.settings.options.tags ?? []), ...decisions.tags])
  // A kept value is as old as it was: its own versions stay, so that one that has ended meanwhile ends it too.
  for (const [tag, version] of parseTags((decisions.keepsPrevious && request.reading?.entry?.tags) || '')) {
    const current = tags.get(tag) || known(tag)
    tags.set(tag, current !== undefined && isSameTag(current, version) ? current : version)
  }
  return { tags, isComplete }
}

function shortened({ freshMs, lifeMs }: Life, jitter = 0): Life {
  const lessMs = Math.floor(freshMs * jitter * random())
  return { freshMs: freshMs - lessMs, lifeMs: lifeMs - lessMs }
}
