import { HitherError } from '../../errors.ts'
import { REQUEST_SCOPED } from '../../runtime/background.ts'
import { now } from '../../runtime/clock.ts'
import { within } from '../../runtime/deadline.ts'
import type { Reading } from '../judge.ts'
import type { Core, Flight, JoinRequest, LoadRequest } from '../model.ts'
import { commandCall, nothing } from '../store-calls.ts'
import type { CapturedVersions } from '../versions.ts'
import { continueInBackground, reportTo } from './background-work.ts'
import { abort, makeRoom, takeOut } from './flights.ts'
import { lead } from './lead.ts'
import { aliveUntil } from './lease.ts'

/*
 * THE LOADS OF A PROCESS
 *
 * A load is one run of a loader for one key, shared by callers. Its states:
 *
 *           begin           has a lease, or needs none             value or failure
 *   (none) ───────► ASKING ─────────────────────────────► LOADING ──────────────────► OVER
 *                   │    ▲ │                                                           ▲
 *                   └────┘ └───────────────────────────────────────────────────────────┘
 *              another load        READ AGAIN: the store has a live entry or a shared failure, or the predecessor still holds
 *              holds it            the lease. The load is over without a value, and its callers read the store once more.
 *
 *   ASKING    The load asks the store for its lease, or sleeps between two such requests (`lease.ts`).
 *   LOADING   The loader runs (`run-loader.ts`), then its value is stored (`fill.ts`).
 *   OVER      The promise of the load has settled and the load has left the maps; or it was aborted, because its callers
 *             have all left, its time is over or the cache was closed, and leaves the maps when its promise settles.
 *
 * Across these states:
 *
 *   detached  Somebody has written or deleted the key, or a caller has read that the versions which the load captured are
 *             outdated. The load is no longer in `byKey`, so that no later caller finds it. Its present callers get its
 *             value, which is not stored. A load that is not shared is detached from the start.
 *   kept      The load continues without callers, because something keeps it alive: `finish`, a soft timeout, a background
 *             refresh.
 *   dead      `aliveUntilMs` has passed. The runtime may have ended the request of the load without settling its promise,
 *             so nobody joins it any more.
 *
 * Who calls what: `read-through.ts` joins or begins a load, waits for it, and leaves it once for each join. `write.ts` detaches
 * the load of a key before each write of that key. `lead.ts` runs a load through its states; `lease.ts` puts a predecessor back.
 *
 * Why a caller may join a load only if its own read has shown the lease of that load. Process A loads under lease 1. Process B
 * deletes the key, then notifies a caller in A in some other way. That caller asks A for the key. The load of A began before
 * the delete, so its value must not be served. The caller's own read, sent after the caller arrived, shows that lease 1 is
 * gone, so it does not join. Anybody may join a load that still asks for its lease: its loader starts after they arrived.
 *
 * Why a new load puts its predecessor back. A caller reads just before lease 1 is written, sees no lease, and begins load 2 in
 * place of load 1. Load 2 asks for the lease, and the reply is that load 1 of this same process holds it. If load 2 polled, its
 * callers would be late by one poll. It ends with READ AGAIN instead; they read, see lease 1, and join load 1.
 *
 * Why outdated loads are detached here. A caller has read lease 1, and a newer version of a tag that load 1 has captured:
 * another process has invalidated that tag. The value of load 1 will be invalid as soon as it arrives. Load 2 releases its
 * lease (`acquire`); otherwise load 2 would wait for load 1 in vain.
 */

/** How long `close` lets loads run before it releases their leases, in milliseconds. */
const CLOSE_MS = 1000

const NOT_YET = Promise.resolve(undefined)

/** Joins the running load if this caller may share it. Undefined: the caller must begin one. Every join needs one `leave`. */
export function join(caller: JoinRequest): Flight | undefined {
  const { flights, stats } = caller.view.core
  const flight = flights.byKey.get(caller.storedKey)
  if (!flight || !canShare(flight, caller.reading, caller.startsAtArrival)) return undefined
  if (!caller.background) stats.joined++
  flight.callers.count++
  flight.callers.finish ||= caller.finish
  caller.onDecided?.(true)
  return flight
}

/** Begins a load, which later callers may join. */
export function begin(request: LoadRequest): Flight {
  const { core } = request.view
  const { byKey } = core.flights
  const old = byKey.get(request.storedKey)
  // The new load replaces the old one, whose value must not be stored late. Where no lease guards fills, only `isDetached`
  // prevents that. Where a lease does, the old load is detached if the versions that it captured are outdated.
  if (old && (!core.format.leases.guardsFills || isOutdated(old, request))) old.isDetached = true
  if (!makeRoom(core)) return beginUnshared(request, 'OVERLOADED')
  const flight = start(request, {}, old)
  byKey.set(request.storedKey, flight)
  core.stats.inFlight = byKey.size
  return flight
}

/**
 * Begins a load that nobody joins, and whose value is not stored. `dropCode`: the error code that is reported for that; `''`:
 * none.
 */
export function beginUnshared(request: LoadRequest, dropCode: Flight['dropCode'] = ''): Flight {
  return start(request, { isDetached: true, dropCode })
}

/**
 * A load for callers whose deadline has passed; its value is not stored. The callers of `flight` share it; without a `flight`,
 * callers share it that arrived before its loader started.
 */
export function beginPastDeadline(flight: Flight | undefined, request: LoadRequest): Flight {
  const { storedKey, startsAtArrival, view } = request
  const { flights, stats } = view.core
  const known = flight ? flight.pastDeadline : flights.pastDeadline.get(storedKey)
  // Callers of one `flight` may share any load that began after it. Other callers may share only a load whose loader starts
  // after they arrived.
  const isRecent = flight !== undefined || !known?.startNumber || known.startNumber > startsAtArrival
  if (known && known.state !== 'over' && isRecent) {
    stats.joined++
    known.callers.count++
    return known
  }
  const second = beginUnshared(request)
  if (flight) flight.pastDeadline = second
  else flights.pastDeadline.set(storedKey, second)
  void second.result.catch(nothing).then(() => {
    if (flights.pastDeadline.get(storedKey) === second) flights.pastDeadline.delete(storedKey)
  })
  return second
}

export function leave(flight: Flight): void {
  const { callers, request } = flight
  if (--callers.count > 0 || flight.state === 'over' || callers.isKept) return
  if (callers.finish && continueInBackground(flight, request.view)) return
  abort(flight, new DOMException('every caller of this load has left', 'AbortError'))
}

/**
 * Detaches a running load from its key: only its present callers get its value. Returns the write of its value if one that no
 * lease guards (plain format) is in progress.
 */
export function detach(core: Core, storedKey: string): Promise<unknown> | undefined {
  const flight = core.flights.byKey.get(storedKey)
  if (!flight) return undefined
  flight.isDetached = true
  takeOut(core, flight)
  return flight.fill
}

/** The versions that the running load has captured. To join it, a caller must have read those tags. */
export function versionsOf({ flights }: Core, storedKey: string): CapturedVersions | undefined {
  const { versions, predecessor } = flights.byKey.get(storedKey)?.lease ?? {}
  // A load that still asks for its lease may put its predecessor back. To join that one, a caller must have read its tags.
  return versions ?? predecessor?.lease.versions
}

/** The lease token of the load that runs for this key in this process; `''`: there is none. */
export function leaseOf({ flights }: Core, storedKey: string): string {
  return flights.byKey.get(storedKey)?.lease.token ?? ''
}

/**
 * Waits up to a second for running loads and their callers, then releases the leases of the loads that are not over. Loads that
 * continue in the background are left alone.
 */
export async function closeFlights({ flights }: Core): Promise<void> {
  const notKept = (): Flight[] => [...flights.running].filter(({ callers }) => !callers.isKept)
  const { calls, timers } = flights
  const ended = Promise.allSettled([...notKept().map(({ result }) => result), ...calls])
  if (notKept().length + calls.size > 0) await within(ended, { signals: [], deadline: now() + CLOSE_MS }).catch(nothing)
  timers.areQuiet = true
  for (const quieten of [...timers.quieten]) quieten()
  await Promise.all(notKept().map(giveBack)).catch(nothing)
}

/**
 * Handles a load that did not end within the time of `close`. A load that still waits for a lease is aborted. A load whose
 * loader runs is detached, and its lease is released.
 */
function giveBack(flight: Flight): Promise<unknown> | undefined {
  const { lease, request, startNumber } = flight
  const { core } = request.view
  const { token } = lease
  // It still waits for a lease that another load holds, and after `close` it can no longer ask for it.
  if (!startNumber) {
    abort(flight, new HitherError('CLOSED', 'the cache was closed'))
    return flight.result.catch(nothing)
  }
  flight.quietTimers?.()
  flight.isDetached = true
  lease.token = ''
  takeOut(core, flight)
  core.flights.running.delete(flight)
  core.background.leave(flight)
  return token ? core.format.leases.release(request, token) : undefined
}

function start(request: LoadRequest, how: Partial<Pick<Flight, 'isDetached' | 'dropCode'>>, old?: Flight): Flight {
  const { onDecided, view } = request
  const { core, emit } = view
  const { running } = core.flights
  const flight = newFlight(request, old)
  Object.assign(flight, how)
  running.add(flight)
  // A load asks for no lease when it is not shared, or when its caller found the store down.
  flight.result = lead(flight, !flight.isDetached && !!request.reading).finally(() => {
    flight.state = 'over'
    running.delete(flight)
    flight.lease.predecessor = undefined
    takeOut(core, flight)
    onDecided?.(true)
  })
  // Callers that wait get the failure from `result`. It is caught here because there may be no caller left.
  const ended = flight.result.catch(nothing)
  // Callers of other requests may still wait for this load when its own request has ended.
  if (REQUEST_SCOPED) core.background.add(ended, view.request.waitUntil, reportTo(emit), flight)
  return flight
}

function newFlight(request: LoadRequest, predecessor: Flight | undefined): Flight {
  const { background: isKept, settings, view } = request
  const { core } = view
  return {
    request,
    lease: { token: '', copyId: '', versions: undefined, predecessor, isBeside: false },
    callers: { count: 1, finish: settings.options.finish, isKept },
    stop: new AbortController(),
    answerCount: core.answerCount,
    ticket: core.near.begin(),
    result: NOT_YET,
    state: 'asking',
    startNumber: 0,
    aliveUntilMs: aliveUntil(commandCall(core)),
    isDetached: false,
    dropCode: undefined,
  }
}

/** Whether a caller whose own read has shown `reading` may share this load. */
export function canShare(flight: Flight, reading: Reading | undefined, startsAtArrival: number): boolean {
  const { state, startNumber, lease, aliveUntilMs, request } = flight
  const { guardsFills } = request.view.core.format.leases
  const { token, versions } = lease
  if (state === 'over' || aliveUntilMs <= now()) return false
  if (state === 'asking') return true
  // Without a lease, nothing in the store shows that the load is still valid: only callers that arrived before its loader
  // started may share it.
  if (!token) return !guardsFills || ((!reading || lease.isBeside) && startsAtArrival < startNumber)
  return !!versions && reading?.entry?.lease === token && areCurrent(versions, reading)
}

/** Whether a caller has read that the versions which a load captured are the current ones. */
function areCurrent({ generation, tags }: CapturedVersions, reading: Reading): boolean {
  return reading.generation === generation && [...tags].every(([tag, version]) => reading.tags.get(tag) === version)
}

/**
 * Whether the caller's read, which was also of all versions that this load has captured, has shown the load's lease, and that
 * one of these versions is no longer current.
 */
function isOutdated({ state, lease }: Flight, { reading, knownVersions }: JoinRequest): boolean {
  const { token, versions } = lease
  if (state === 'over' || !token || !versions || knownVersions !== versions || reading?.entry?.lease !== token)
    return false
  return !areCurrent(versions, reading)
}
