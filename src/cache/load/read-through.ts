import { HitherError } from '../../errors.ts'
import type { NearEntry } from '../../near/local-tier.ts'
import { NO_VALUE } from '../../protocol/entry.ts'
import { BUDGET_MS, MORTAL } from '../../runtime/background.ts'
import { NEVER, now } from '../../runtime/clock.ts'
import { checkLimit, within } from '../../runtime/deadline.ts'
import { type Coded, nothing } from '../core.ts'
import { type Found, look, type Sent } from '../look.ts'
import { conform, conformLoaded } from '../schema.ts'
import { withHints } from '../versions.ts'
import { isBackingOff, isPast, resultOrSlow, serveStale, staleEntry } from './grace.ts'
import type { Caller, FirstReads, LoadCall, Round } from './round.ts'
import type { Decoded, JoinRequest, Load, LoadRequest, ReadAgain } from './types.ts'

const OTHERS_FAILURE = 'the loader of another caller failed a moment ago: by shareFailure it is not tried again yet'

/**
 * One caller's read-through. Resolves to the value, as the stored form gives it back.
 *
 * Each round reads, and ends with a value unless the load that it led or followed says to read again.
 */
export function getOrSet(call: LoadCall, first?: FirstReads): Promise<unknown> {
  return call.through.loads.track(runRounds(call, first))
}

async function runRounds(call: LoadCall, first?: FirstReads): Promise<unknown> {
  const { through, key, settings } = call
  const { loads, space } = through
  const startsAtArrival = first ? first.startsAtArrival : loads.starts()
  const caller: Caller = { ...call, storedKey: first?.pending?.key ?? space.key(key), startsAtArrival }
  let begun = first
  let liveId = ''
  let force = !!settings.options.forceFresh
  for (;;) {
    // With a live id, another round was told that the store has the value.
    const near = begun ? begun.near : liveId ? undefined : through.held(key, settings.schema)
    if (near && !force && isNearHit(near, caller)) {
      through.served('hit')
      return near.value
    }
    const knownVersions = begun?.pending ? undefined : loads.versionsOf(caller.storedKey)
    const tags = knownVersions ? [...settings.tags, ...knownVersions.tags.keys()] : settings.tags
    let reading: Found | undefined
    try {
      reading = await readOrDown(caller, tags, liveId, begun?.pending)
    } catch (error) {
      return await withoutReading(caller, near && !force ? near : undefined, error)
    }
    begun = undefined
    const round: Round = { caller, force, near, reading, knownVersions, deadId: reading?.dead, stale: undefined }
    const hit = !force && reading?.status === 'fresh' && (await openFresh(round))
    if (hit) return hit.value
    through.miss()
    round.stale = staleEntry(round)
    const backedOff = !force && isBackingOff(through.core, caller.storedKey) && (await serveStale(round))
    if (backedOff) return backedOff.value

    const joined = loads.join(joinRequest(round))
    const load = joined ?? loads.begin(loadRequest(round, { early: force, background: false }))
    try {
      const outcome = await follow(round, load, !joined)
      if (!outcome) return undefined
      if (!isReadAgain(outcome)) return outcome.value
      // Another caller asked to share the failure, and this one did not.
      if (outcome.failed) continue
      liveId = outcome.liveId
      force = false
    } catch (error) {
      return await afterFailure(round, load, error)
    } finally {
      loads.leave(load)
    }
  }
}

/** Runs the loader for one caller and stores nothing. */
export async function loadUnshared({ through, key, loader, settings, limit }: LoadCall): Promise<unknown> {
  const { core, loads, space } = through
  const { tags, hardMs } = settings
  const storedKey = space.key(key)
  const join = { storedKey, startsAtArrival: loads.starts() }
  const load = loads.beginUnshared({ ...join, through, settings, key, loader, tags, hardMs })
  try {
    const coded = (await within(load.result, limit)) as Coded | undefined
    return coded && (await core.bound(core.decode(coded, storedKey), limit))
  } finally {
    loads.leave(load)
  }
}

/** Near. Whether what the near tier holds is fresh, and not to be refreshed ahead of time: for that the store is asked. */
function isNearHit({ freshUntilMs, writtenMs, note }: NearEntry, { through, settings }: Caller): boolean {
  const nowMs = now()
  if (freshUntilMs <= nowMs) return false
  const { refresh } = settings.options
  // Its stamp is by the store's clock; everything else here by this machine's.
  const aheadMs = through.core.clock.now() - nowMs
  return !refresh?.({ writtenMs: writtenMs - aheadMs, freshUntilMs, loadMs: note?.loadMs ?? 0, nowMs })
}

/** Read. Undefined: the store is down. Rejects past the caller's limit. */
async function readOrDown(
  { through, storedKey, limit }: Pick<Caller, 'through' | 'storedKey' | 'limit'>,
  tags: readonly string[],
  liveId: string,
  pending?: Sent,
): Promise<Found | undefined> {
  const { core, space, emit } = through
  try {
    const found = await within(look(core, space, storedKey, tags, liveId, false, pending), limit)
    if (found.foreign) emit({ type: 'decode-failed' })
    return found
  } catch (error) {
    checkLimit(limit)
    if (!core.isFault(error, emit)) throw error
    return undefined
  }
}

/** The store did not answer within the caller's own limit: near what there is, else as `onDeadline` says. */
async function withoutReading(caller: Caller, near: NearEntry | undefined, error: unknown): Promise<unknown> {
  const { through, settings, limit } = caller
  for (const signal of limit.signals) if (signal.aborted) throw signal.reason
  if (!isPast(limit)) throw error
  if (near) {
    through.served(near.freshUntilMs > now() ? 'hit' : 'stale')
    return near.value
  }
  if (settings.options.onDeadline !== 'load') throw error
  return loadPastDeadline(caller)
}

/** Hit. The value of a fresh entry, which may be refreshed ahead of time. Undefined: there is none that can be decoded. */
async function openFresh(round: Round): Promise<Decoded | undefined> {
  const { caller, reading } = round
  const { through, settings, limit, key, storedKey } = caller
  const { entry } = reading ?? {}
  if (!entry || !reading) return undefined
  const hit = await through.open(storedKey, entry, limit, 'hit', { key, found: reading, plan: settings })
  if (!hit) {
    // For the lease, too, it counts as absent.
    round.deadId = entry.id
    return undefined
  }
  const { writtenMs, loadMs, freshUntilMs } = entry
  const { refresh } = settings.options
  if (freshUntilMs < NEVER && refresh?.({ writtenMs, loadMs, freshUntilMs, nowMs: through.core.clock.now() })) {
    await refreshAhead(round)
  }
  return hit
}

/** Begins or joins a load for which no caller waits, where something keeps it alive. */
async function refreshAhead(round: Round): Promise<void> {
  const { through, limit } = round.caller
  const { loads } = through
  const load =
    loads.join(joinRequest(round, true)) ?? loads.begin(loadRequest(round, { early: true, background: true }))
  if (!loads.continueInBackground(load, through)) await within(load.result.catch(nothing), limit)
  loads.leave(load)
}

/** Lead or follow: what decides whether this caller may share a running load. */
function joinRequest({ caller, reading, knownVersions }: Round, background = false): JoinRequest {
  const { storedKey, startsAtArrival, onDecided, settings } = caller
  const { finish } = settings.options
  return { storedKey, startsAtArrival, reading, knownVersions, background, finish, onDecided }
}

/** Lead: the load that this caller begins when there is none to follow. */
function loadRequest(round: Round, { early, background }: { early: boolean; background: boolean }): LoadRequest {
  const { caller, reading, deadId } = round
  const { through, settings, key, loader } = caller
  const { entry } = reading ?? {}
  // An entry without a value may name tags that a loader has set too late: now they are captured before it.
  const hints = entry?.mark === NO_VALUE && entry.tags
  const tags = hints ? withHints(settings.tags, hints) : settings.tags
  const hardMs = background ? Math.min(settings.hardMs, BUDGET_MS) : settings.hardMs
  return { ...joinRequest(round, background), through, settings, key, loader, tags, hardMs, deadId, early }
}

/** Load. Waits for the load's value, or for the time to serve a stale copy. Undefined: the loader returned undefined. */
async function follow(round: Round, load: Load, leads: boolean): Promise<Decoded | ReadAgain | undefined> {
  const { caller, stale, force } = round
  const { through, settings, limit, startsAtArrival } = caller
  const { loads } = through
  const isOthers = MORTAL && !leads
  let softAtMs = stale ? now() + settings.softMs : NEVER
  for (;;) {
    const outcome = await resultOrSlow(load, { limit, softAtMs, isOthers })
    if (outcome === 'unsure') {
      const reading = await readOrDown(caller, [...(load.lease.versions?.tags.keys() ?? [])], '')
      if (!loads.mayJoin(load, reading, startsAtArrival)) return { liveId: '' }
    } else if (outcome === 'slow') {
      softAtMs = NEVER
      // Where nothing would keep the load alive, there is no answer before its end.
      const copy = loads.continueInBackground(load, through) && (await serveStale(round))
      if (copy) return copy
    } else if (!outcome) {
      return undefined
    } else if (!isReadAgain(outcome)) {
      const decoded = decodeLoaded(caller, load, outcome)
      return decoded instanceof Promise ? await decoded : decoded
    } else if (outcome.failed && settings.shareMs > 0 && !force) {
      throw new HitherError('LOAD_FAILED', OTHERS_FAILURE, { retryable: true })
    } else {
      return outcome
    }
  }
}

function isReadAgain(outcome: object): outcome is ReadAgain {
  return Object.hasOwn(outcome, 'liveId')
}

/** Each caller gets a value of its own. One that another schema has let pass, or none, is checked. At once where it can be. */
function decodeLoaded(
  { through, settings, limit, storedKey }: Caller,
  load: Load,
  coded: Coded,
): Decoded | Promise<Decoded | ReadAgain> {
  const { core } = through
  const { schema } = settings
  const decoding = core.bound(core.decode(coded, storedKey), limit)
  const isChecked = !schema || load.request.settings.schema === schema
  if (isChecked && !(decoding instanceof Promise)) return { value: decoding }
  const check = async (): Promise<Decoded | ReadAgain> => {
    const value = await decoding
    return isChecked || (await core.bound(conform(schema, value), limit)) ? { value } : { liveId: '' }
  }
  return check()
}

/** The load failed, or the caller's limit has passed: the stale copy if there is one, else as `onDeadline` says. */
async function afterFailure(round: Round, load: Load, error: unknown): Promise<unknown> {
  const { limit, settings } = round.caller
  for (const signal of limit.signals) if (signal.aborted) throw signal.reason
  const copy = await serveStale(round)
  if (copy) return copy.value
  if (settings.options.onDeadline !== 'load' || !isPast(limit)) throw error
  return loadPastDeadline(round.caller, load)
}

/** Past the caller's deadline, where it asked for that: a load whose value is returned and not stored. */
async function loadPastDeadline(caller: Caller, first?: Load): Promise<unknown> {
  const { through, settings, limit, storedKey, startsAtArrival, key, loader } = caller
  const { core, loads } = through
  const { tags, hardMs, schema } = settings
  const join = { storedKey, startsAtArrival }
  const make = (): LoadRequest => ({ ...join, through, settings, key, loader, tags, hardMs })
  const load = loads.beginPastDeadline(first, join, make)
  const unhurried = { ...limit, deadline: NEVER }
  try {
    const coded = (await within(load.result, unhurried)) as Coded | undefined
    const value = coded && (await core.bound(core.decode(coded, storedKey), unhurried))
    if (!coded || !schema || load.request.settings.schema === schema) return value
    return (await conformLoaded(schema, value)) as unknown
  } finally {
    loads.leave(load)
  }
}
