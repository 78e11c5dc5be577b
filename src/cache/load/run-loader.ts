import { HitherError } from '../../errors.ts'
import { type Duration, toMs } from '../../protocol/duration.ts'
import { NEVER, now, setQuietTimer, setTimer } from '../../runtime/clock.ts'
import { within } from '../../runtime/deadline.ts'
import { type Coded, type Core, invalid, type Life } from '../core.ts'
import { conform, conformLoaded } from '../schema.ts'
import type { LoadContext } from '../types.ts'
import { checkTags, isSameTag, parseTags } from '../versions.ts'
import { recordFailure } from './grace.ts'
import { LEASE_MARGIN_MS, type Leases } from './lease.ts'
import type { Load } from './types.ts'

/** What a loader decided about its value. */
export interface LoaderDecisions {
  life: Life
  /** It named a lifetime. */
  hasLifetime?: boolean
  /** It named a lifetime of none: the value is returned and not stored. */
  isUncached?: boolean
  tags: readonly string[]
  /** It returned the previous value. */
  keepsPrevious?: boolean
  /** The value is returned and not stored. */
  skips?: boolean
}

export interface LoaderRun {
  /** Undefined: the loader returned undefined. */
  readonly coded: Coded | undefined
  readonly decisions: LoaderDecisions
  readonly startedMs: number
}

/**
 * Runs the loader of a load, for `hardMs` at most, under its lease, which is renewed meanwhile. When it fails, the failure
 * is recorded and the lease released.
 */
export async function runLoader(core: Core, leases: Leases, load: Load): Promise<LoaderRun> {
  const { request, stop } = load
  const { hardMs, settings, through } = request
  const { signal } = stop
  const startedMs = now()
  load.aliveUntilMs = startedMs + hardMs + LEASE_MARGIN_MS
  const expire = (): void =>
    stop.abort(new HitherError('TIMEOUT', 'the loader ran longer than hardTimeout', { retryable: true }))
  const stopRenewing = leases.keepRenewing(load)
  let cancel = setTimer(expire, hardMs)
  load.quietTimers = () => {
    stopRenewing()
    cancel()
    cancel = setQuietTimer(expire, startedMs + hardMs - now())
  }
  const report = (ok: boolean): void =>
    through.emit({ type: 'load', durationMs: Math.max(0, now() - startedMs), ok }, request.key)
  const decisions: LoaderDecisions = { life: settings.life, tags: [] }
  let coded: Coded | undefined
  try {
    coded = await within(loadAndEncode(core, load, decisions), { signals: [signal], deadline: NEVER })
  } catch (error) {
    core.stats.loadErrors++
    report(false)
    // A load that every caller has left was aborted. It says nothing of the source, so there is no failure to share.
    if (!load.isOver) recordFailure(core, request)
    await leases.releaseOf(load, load.isOver ? undefined : { verb: 'fail', shareMs: settings.shareMs })
    throw error
  } finally {
    cancel()
    stopRenewing()
  }
  core.failures.delete(request.storedKey)
  report(true)
  return { coded, decisions, startedMs }
}

async function loadAndEncode(core: Core, load: Load, decisions: LoaderDecisions): Promise<Coded | undefined> {
  const { key, storedKey, reading, loader, settings, background = false } = load.request
  const { options, schema } = settings
  const previous = await previousOf(core, load)
  // The grace that a ttl would have, where the call has no ttl.
  const graceMs = core.life({ ...options, ttl: 1000 }).lifeMs - 1000
  const decide = decisionsInto(decisions, previous, options.tags ?? [], graceMs)
  const context: LoadContext = { key, signal: load.stop.signal, previous, background, ...decide }
  // Awaited here: workerd reports a rejected promise that is only handed on.
  const value = await core.background.start(load, () => loader(context))
  const { negativeTtl } = options
  if (value === null && negativeTtl !== undefined && !decisions.hasLifetime)
    decisions.life = core.life({ ...options, ttl: negativeTtl })
  // It called notModified() and then returned something else.
  decisions.keepsPrevious &&= value === previous?.value
  if (!decisions.skips && !decisions.isUncached) {
    core.tags.check([...new Set([...(options.tags ?? []), ...decisions.tags])], decisions.life.lifeMs)
  }
  if (decisions.keepsPrevious) return reading?.entry
  if (value === undefined) return undefined
  return await core.encode(schema ? await conformLoaded(schema, value) : value, storedKey)
}

/**
 * The stale copy that the caller's read has shown, if the lease was taken on that very copy and its versions are still
 * current. Otherwise somebody has written, deleted or invalidated it since, and `notModified()` would bring it back.
 */
async function previousOf(core: Core, { request, lease }: Load): Promise<LoadContext['previous']> {
  const { reading, storedKey, settings } = request
  const { versions, copyId } = lease
  if (core.plain || !reading?.entry || reading.status === 'absent') return undefined
  const { entry, generation } = reading
  if (!versions || entry.id !== copyId || generation !== versions.generation) return undefined
  for (const [tag, version] of parseTags(entry.tags)) {
    const current = versions.tags.get(tag)
    if (current !== undefined && !isSameTag(current, version)) return undefined
  }
  try {
    const value = await core.decode(entry, storedKey)
    if (settings.schema && !(await conform(settings.schema, value))) return undefined
    return { value, age: Math.max(0, Math.floor(core.clock.now() - entry.writtenMs)) }
  } catch {
    return undefined
  }
}

/** The part of a loader's context by which it decides about its value. */
function decisionsInto(
  decisions: LoaderDecisions,
  previous: LoadContext['previous'],
  callTags: readonly string[],
  graceMs: number,
): Omit<LoadContext, 'key' | 'signal' | 'previous' | 'background'> {
  return {
    setTtl(ttl: Duration, grace: Duration = graceMs) {
      // A loaded value is not lost for a lifetime of none, such as of `max-age=0`, or of a header without one.
      const length = (given: Duration): number =>
        typeof given === 'number' && !(given > 0) ? 0 : toMs(given, 'setTtl', 0)
      const freshMs = length(ttl)
      decisions.life = { freshMs, lifeMs: freshMs + length(grace) }
      decisions.isUncached = freshMs === 0
      decisions.hasLifetime = true
    },
    setTags(tags) {
      const all = [...decisions.tags, ...checkTags(tags)]
      checkTags([...new Set([...callTags, ...all])])
      decisions.tags = all
    },
    notModified() {
      if (!previous) throw invalid('notModified() needs a previous value')
      decisions.keepsPrevious = true
      return previous.value as never
    },
    skip(value) {
      decisions.skips = true
      return value
    },
    fail(reason = new Error('the loader failed')) {
      throw reason
    },
  }
}
