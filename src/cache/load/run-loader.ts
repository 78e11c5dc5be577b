import { HitherError } from '../../errors.ts'
import { type Duration, toMs } from '../../protocol/duration.ts'
import { NEVER, now, setQuietTimer, setTimer } from '../../runtime/clock.ts'
import { within } from '../../runtime/deadline.ts'
import { lifeOf } from '../engine.ts'
import type { Flight } from '../model.ts'
import { invalid } from '../options.ts'
import type { TagsPart } from '../parts/tags.ts'
import { conform, conformLoaded } from '../schema.ts'
import type { LoadContext } from '../types.ts'
import { type Coded, encodeValue } from '../value-form.ts'
import { recordFailure } from './grace.ts'
import { LEASE_MARGIN_MS } from './lease.ts'
import type { LoaderDecisions, LoaderRun } from './types.ts'

/**
 * Runs the loader of a load for `hardMs` at most, and renews its lease meanwhile. When the loader fails, records the failure,
 * releases the lease and rejects.
 */
export async function runLoader(flight: Flight): Promise<LoaderRun> {
  const { request, stop, lease } = flight
  const { hardMs, settings, view } = request
  const { core, emit } = view
  const { leases } = core.format
  const { signal } = stop
  const startedMs = now()
  flight.aliveUntilMs = startedMs + hardMs + LEASE_MARGIN_MS
  const expire = (): void =>
    stop.abort(new HitherError('TIMEOUT', 'the loader ran longer than hardTimeout', { retryable: true }))
  const stopRenewing = leases.renew(flight)
  let cancel = setTimer(expire, hardMs)
  flight.quietTimers = () => {
    stopRenewing()
    cancel()
    cancel = setQuietTimer(expire, startedMs + hardMs - now())
  }
  const report = (ok: boolean): void => emit({ type: 'load', durationMs: Math.max(0, now() - startedMs), ok })
  const decisions: LoaderDecisions = { life: settings.life, tags: [] }
  let coded: Coded | undefined
  try {
    coded = await within(loadAndEncode(flight, decisions), { signals: [signal], deadline: NEVER })
  } catch (error) {
    core.stats.loadErrors++
    report(false)
    // The load was aborted because every caller has left. That says nothing about the source, so there is no failure to share.
    const isGivenUp = flight.state === 'over'
    if (!isGivenUp) recordFailure(request)
    await leases.release(request, lease.token, isGivenUp ? {} : { verb: 'fail', shareMs: settings.shareMs })
    throw error
  } finally {
    cancel()
    stopRenewing()
  }
  core.failures.delete(request.storedKey)
  report(true)
  return { coded, decisions, startedMs }
}

async function loadAndEncode(flight: Flight, decisions: LoaderDecisions): Promise<Coded | undefined> {
  const { key, storedKey, reading, loader, settings, view, background = false } = flight.request
  const { core } = view
  const { options, schema } = settings
  const previous = await previousOf(flight)
  // The grace that the options of the call give to any ttl. The call itself may have no ttl.
  const graceMs = lifeOf(core, { ...options, ttl: 1000 }).lifeMs - 1000
  const decide = decisionsInto(decisions, { previous, graceMs, part: core.tags, callTags: options.tags ?? [] })
  const context: LoadContext = { key, signal: flight.stop.signal, previous, background, ...decide }
  // Awaited here, because workerd reports a rejected promise that is only passed on.
  const value = await core.background.start(flight, () => loader(context))
  const { negativeTtl } = options
  if (value === null && negativeTtl !== undefined && !decisions.hasLifetime)
    decisions.life = lifeOf(core, { ...options, ttl: negativeTtl })
  // False when the loader called notModified() and then returned another value.
  decisions.keepsPrevious &&= value === previous?.value
  if (!decisions.skips && !decisions.isUncached) {
    core.tags.check([...new Set([...(options.tags ?? []), ...decisions.tags])], decisions.life.lifeMs)
  }
  if (decisions.keepsPrevious) return reading?.entry
  if (value === undefined) return undefined
  return await encodeValue(core.values, schema ? await conformLoaded(schema, value) : value, storedKey)
}

/**
 * The copy that the caller's read has shown, if the lease was taken on that very copy and its versions are still current.
 * Otherwise somebody has written, deleted or invalidated it since, and `notModified()` would store the old value again.
 */
async function previousOf({ request, lease }: Flight): Promise<LoadContext['previous']> {
  const { reading, storedKey, settings, view } = request
  const { core } = view
  const { versions, copyId } = lease
  if (!reading?.entry || reading.status === 'absent') return undefined
  const { entry, generation } = reading
  if (!versions || entry.id !== copyId || generation !== versions.generation) return undefined
  if (core.tags.hasEnded(entry.tags, versions.tags)) return undefined
  try {
    const decoded = await core.values.decode(entry, storedKey)
    const box = settings.schema ? await conform(settings.schema, decoded) : { value: decoded }
    return box && { value: box.value, age: Math.max(0, Math.floor(core.clock.now() - entry.writtenMs)) }
  } catch {
    return undefined
  }
}

/** The methods of a loader's context through which the loader decides what happens to its value. */
function decisionsInto(
  decisions: LoaderDecisions,
  given: {
    readonly previous: LoadContext['previous']
    readonly graceMs: number
    readonly part: TagsPart
    readonly callTags: readonly string[]
  },
): Omit<LoadContext, 'key' | 'signal' | 'previous' | 'background'> {
  const { previous, part, callTags } = given
  return {
    setTtl(ttl: Duration, grace: Duration = given.graceMs) {
      // A lifetime of 0 or NaN, such as from `max-age=0` or a missing header, does not throw and lose the loaded value: that is
      // returned and not stored.
      const length = (given: Duration): number =>
        typeof given === 'number' && !(given > 0) ? 0 : toMs(given, 'setTtl', 0)
      const freshMs = length(ttl)
      decisions.life = { freshMs, lifeMs: freshMs + length(grace) }
      decisions.isUncached = freshMs === 0
      decisions.hasLifetime = true
    },
    setTags(tags) {
      const all = [...decisions.tags, ...part.check(tags)]
      part.check([...new Set([...callTags, ...all])])
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
