import { HitherError } from '../../errors.ts'
import type { NearEntry } from '../../near/local-tier.ts'
import { NO_VALUE } from '../../protocol/entry.ts'
import { BACKGROUND_LIMIT_MS, REQUEST_SCOPED } from '../../runtime/background.ts'
import { NEVER, now } from '../../runtime/clock.ts'
import { checkLimit, checkSignals, type Limit, within } from '../../runtime/deadline.ts'
import type { Reading } from '../judge.ts'
import type { Call, Flight, JoinRequest, LoadCall, LoadRequest } from '../model.ts'
import { isFresh, nearEntry } from '../near-entry.ts'
import { countHit, countMiss, type OpenContext, openEntry } from '../open.ts'
import { type PendingReads, readEntry } from '../reading.ts'
import { conform, conformLoaded } from '../schema.ts'
import { bounded, nothing, recordOutage } from '../store-calls.ts'
import type { Coded, Decoded } from '../value-form.ts'
import { continueInBackground } from './background-work.ts'
import { begin, beginPastDeadline, beginUnshared, canShare, join, leave, versionsOf } from './flight.ts'
import { track } from './flights.ts'
import { isBackingOff, isPast, resultOrSlow, serveStale, staleEntry } from './grace.ts'
import type { Caller, FirstReads, Round } from './round.ts'
import type { ReadAgain } from './types.ts'

/*
 * One read-through is a loop of rounds (`runRounds`). A round:
 *
 *   near    returns a fresh near tier entry (`isNearHit`)
 *   read    reads the entry from the store (`readOrDown`); past the caller's limit see `withoutReading`
 *   hit     returns a fresh entry, which may be refreshed ahead of time (`openFresh`)
 *   stale   serves a stale copy while the key is in its backoff (`grace.ts`)
 *   load    joins the running load or begins one (`flight.ts`), and waits for it (`follow`)
 *
 * A load ends the round with its value; or with `ReadAgain`, and another round begins; or with an error (`afterFailure`).
 */

const OTHERS_FAILURE = 'the loader of another caller failed a moment ago: by shareFailure it is not tried again yet'

/** One caller's read-through. Resolves to the value, decoded from its stored form. */
export function getOrSet(call: LoadCall, first?: FirstReads): Promise<unknown> {
  return track(call.view.core.flights, runRounds(call, first))
}

async function runRounds(call: LoadCall, first?: FirstReads): Promise<unknown> {
  const { view, key, storedKey, settings } = call
  const { core } = view
  const caller: Caller = { ...call, startsAtArrival: first ? first.startsAtArrival : core.flights.starts }
  let begun = first
  let liveId = ''
  // A call counts once, by what its first round finds.
  let isCounted = false
  let force = !!settings.options.forceFresh
  for (;;) {
    // With a live id, the store said in the last round that it has a fresh value: read that one, not the near tier.
    const near = begun ? begun.near : liveId ? undefined : nearEntry(view, key, settings.schema)
    if (near && !force && isNearHit(near, caller)) {
      if (!isCounted) countHit(view, 'hit', key)
      return near.value
    }
    const knownVersions = begun?.pending ? undefined : versionsOf(core, storedKey)
    const tags = knownVersions ? [...settings.tags, ...knownVersions.tags.keys()] : settings.tags
    let reading: Reading | undefined
    try {
      reading = await readOrDown(caller, tags, liveId, begun?.pending)
    } catch (error) {
      return await withoutReading(caller, near && !force ? near : undefined, error, isCounted)
    }
    begun = undefined
    const round: Round = { caller, force, near, reading, knownVersions, deadId: reading?.dead, stale: undefined }
    const hit = !force && reading?.status === 'fresh' && (await openFresh(round, isCounted ? undefined : 'hit'))
    if (hit) return hit.value
    if (!isCounted) countMiss(view, key)
    isCounted = true
    round.stale = staleEntry(round)
    const backedOff = !force && isBackingOff(core, storedKey) && (await serveStale(round))
    if (backedOff) return backedOff.value

    const joined = join(joinRequest(round))
    const flight = joined ?? begin(loadRequest(round, { early: force, background: false }))
    try {
      const outcome = await follow(round, flight, !joined)
      if (!outcome) return undefined
      if (!isReadAgain(outcome)) return outcome.value
      // The load ended with a shared failure, which its own caller asked for and this one did not: begin another round.
      if (outcome.failed) continue
      liveId = outcome.liveId
      force = false
    } catch (error) {
      return await afterFailure(round, flight, error)
    } finally {
      leave(flight)
    }
  }
}

/** Runs the loader for one caller and stores nothing. */
export async function loadUnshared(call: LoadCall): Promise<unknown> {
  return resultOf(beginUnshared(unsharedRequest(call, call.view.core.flights.starts)), call.limit)
}

/** Waits within the limit for a load that is not stored, decodes its value for one caller, and leaves it. */
async function resultOf(flight: Flight, limit: Limit): Promise<unknown> {
  const { storedKey, view } = flight.request
  const { core } = view
  try {
    const coded = (await within(flight.result, limit)) as Coded | undefined
    return coded && (await bounded(core, core.values.decode(coded, storedKey), limit))
  } finally {
    leave(flight)
  }
}

function unsharedRequest({ view, key, storedKey, settings, loader }: LoadCall, startsAtArrival: number): LoadRequest {
  const { tags, hardMs } = settings
  return { view, storedKey, startsAtArrival, settings, key, loader, tags, hardMs }
}

/** Near. Whether the near tier entry is fresh and is not to be refreshed ahead of time. Such a refresh reads the store first. */
function isNearHit({ freshUntilMs, writtenMs, extras }: NearEntry, { view, settings }: Caller): boolean {
  const nowMs = now()
  if (freshUntilMs <= nowMs) return false
  const { refresh } = settings.options
  // `writtenMs` is by the store's clock; everything else here is by this machine's.
  const aheadMs = view.core.clock.now() - nowMs
  return !refresh?.({ writtenMs: writtenMs - aheadMs, freshUntilMs, loadMs: extras?.loadMs ?? 0, nowMs })
}

/** Read. Undefined: the store is down. Rejects past the caller's limit. */
async function readOrDown(
  { view, storedKey, limit }: Call,
  names: readonly string[],
  liveId: string,
  pending?: PendingReads,
): Promise<Reading | undefined> {
  const { core, emit } = view
  try {
    const reading = await within(readEntry(view, { storedKey, names, liveId, pending }), limit)
    if (reading.foreign) emit({ type: 'decode-failed' })
    return reading
  } catch (error) {
    checkLimit(limit)
    if (!recordOutage(core, error, emit)) throw error
    return undefined
  }
}

/**
 * The store did not reply within the caller's own limit. Resolves to the near tier entry, fresh or stale, if there is one;
 * otherwise does what `onDeadline` says. Rejects with the reason of a signal that has aborted, and with any other error.
 */
async function withoutReading(
  caller: Caller,
  near: NearEntry | undefined,
  error: unknown,
  isCounted: boolean,
): Promise<unknown> {
  const { view, settings, limit, key } = caller
  checkSignals(limit)
  if (!isPast(limit) || !(near || settings.options.onDeadline === 'load')) throw error
  const isHit = isFresh(near)
  if (!isHit && !isCounted) countMiss(view, key)
  if (!near) return loadPastDeadline(caller)
  if (!isHit || !isCounted) countHit(view, isHit ? 'hit' : 'stale', key)
  return near.value
}

/** Hit. Opens a fresh entry, and may refresh it ahead of time. Undefined: there is no entry that can be decoded. */
async function openFresh(round: Round, as: OpenContext['as']): Promise<Decoded | undefined> {
  const { caller, reading } = round
  const { view, settings, limit, key, storedKey } = caller
  const { entry } = reading ?? {}
  if (!entry || !reading) return undefined
  const hit = await openEntry(view, entry, { key, as, reading, settings, storedKey, limit })
  if (!hit) {
    // The entry cannot be decoded, so the lease step must treat it as absent, too.
    round.deadId = entry.id
    return undefined
  }
  const { writtenMs, loadMs, freshUntilMs } = entry
  const { refresh } = settings.options
  if (freshUntilMs < NEVER && refresh?.({ writtenMs, loadMs, freshUntilMs, nowMs: view.core.clock.now() })) {
    await refreshAhead(round)
  }
  return hit
}

/** Begins or joins a load in the background. The caller waits for it only where nothing would keep it alive. */
async function refreshAhead(round: Round): Promise<void> {
  const { view, limit } = round.caller
  const flight = join(joinRequest(round, true)) ?? begin(loadRequest(round, { early: true, background: true }))
  if (!continueInBackground(flight, view)) await within(flight.result.catch(nothing), limit)
  leave(flight)
}

/** Lead or follow. What decides whether this caller may share a running load. */
function joinRequest({ caller, reading, knownVersions }: Round, background = false): JoinRequest {
  const { view, storedKey, startsAtArrival, onDecided, settings } = caller
  const { finish } = settings.options
  return { view, storedKey, startsAtArrival, reading, knownVersions, background, finish, onDecided }
}

/** Lead. The load that this caller begins when there is none to follow. */
function loadRequest(round: Round, { early, background }: { early: boolean; background: boolean }): LoadRequest {
  const { caller, reading, deadId } = round
  const { view, settings, key, loader } = caller
  const { entry } = reading ?? {}
  // An entry without a value may name tags that an earlier loader set too late to be captured. They are captured before this
  // one.
  const hints = entry?.mark === NO_VALUE && entry.tags
  const tags = hints ? view.core.tags.withHints(settings.tags, hints) : settings.tags
  const hardMs = background ? Math.min(settings.hardMs, BACKGROUND_LIMIT_MS) : settings.hardMs
  return { ...joinRequest(round, background), settings, key, loader, tags, hardMs, deadId, early }
}

/** Load. Waits for the load's value, or for the time to serve a stale copy. Undefined: the loader returned undefined. */
async function follow(round: Round, flight: Flight, leads: boolean): Promise<Decoded | ReadAgain | undefined> {
  const { caller, stale, force } = round
  const { view, settings, limit, startsAtArrival } = caller
  const isOthers = REQUEST_SCOPED && !leads
  let softAtMs = stale ? now() + settings.softMs : NEVER
  for (;;) {
    const outcome = await resultOrSlow(flight, { limit, softAtMs, isOthers })
    if (outcome === 'unsure') {
      const reading = await readOrDown(caller, [...(flight.lease.versions?.tags.keys() ?? [])], '')
      if (!canShare(flight, reading, startsAtArrival)) return { liveId: '' }
    } else if (outcome === 'slow') {
      softAtMs = NEVER
      // Where nothing would keep the load alive, the caller waits for its end.
      const copy = continueInBackground(flight, view) && (await serveStale(round))
      if (copy) return copy
    } else if (!outcome) {
      return undefined
    } else if (!isReadAgain(outcome)) {
      const decoded = decodeLoaded(caller, flight, outcome)
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

/**
 * Decodes a separate value for each caller, synchronously where it can. A value that this caller's schema has not checked is
 * converted by it, as at a read from the store: one that was loaded under another schema, or a previous value that the loader
 * kept. Resolves to `ReadAgain` when the schema refuses it.
 */
function decodeLoaded(
  { view, settings, limit, storedKey }: Caller,
  flight: Flight,
  coded: Coded,
): Decoded | Promise<Decoded | ReadAgain> {
  const { core } = view
  const { schema } = settings
  const decoding = bounded(core, core.values.decode(coded, storedKey), limit)
  const { settings: loaded, reading } = flight.request
  const isChecked = !schema || (loaded.schema === schema && coded !== reading?.entry)
  if (isChecked && !(decoding instanceof Promise)) return { value: decoding }
  const check = async (): Promise<Decoded | ReadAgain> => {
    const value = await decoding
    return isChecked ? { value } : ((await bounded(core, conform(schema, value), limit)) ?? { liveId: '' })
  }
  return check()
}

/**
 * The load failed, or the caller's limit has passed. Resolves to the stale copy if there is one. Otherwise loads past the
 * deadline if it has passed and `onDeadline` is `'load'`; else rejects.
 */
async function afterFailure(round: Round, flight: Flight, error: unknown): Promise<unknown> {
  const { limit, settings } = round.caller
  checkSignals(limit)
  const copy = await serveStale(round)
  if (copy) return copy.value
  if (settings.options.onDeadline !== 'load' || !isPast(limit)) throw error
  return loadPastDeadline(round.caller, flight)
}

/** For a caller past its deadline that asked for it (`onDeadline: 'load'`): a load whose value is returned and not stored. */
async function loadPastDeadline(caller: Caller, first?: Flight): Promise<unknown> {
  const { schema } = caller.settings
  const flight = beginPastDeadline(first, unsharedRequest(caller, caller.startsAtArrival))
  const value = await resultOf(flight, { ...caller.limit, deadline: NEVER })
  if (value === undefined || !schema || flight.request.settings.schema === schema) return value
  return conformLoaded(schema, value)
}
