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
 *           begin           lease held, or none to hold            value or failure
 *   (none) ───────► ASKING ─────────────────────────────► LOADING ──────────────────► OVER
 *                   │    ▲ │                                                           ▲
 *                   └────┘ └───────────────────────────────────────────────────────────┘
 *                  another        READ AGAIN: a live entry, a shared failure, or the predecessor still holds the lease.
 *                  holds it       Over without a value: its callers read the store once more.
 *
 *   ASKING    The lease step is on its way, or the load sleeps between two of them (`lease.ts`).
 *   LOADING   The loader runs (`run-loader.ts`), then its value is stored (`fill.ts`).
 *   OVER      It has left the maps; its promise has settled, or its callers have all left and it was aborted.
 *
 * Across these states:
 *
 *   detached  Somebody wrote or deleted its key, or a caller has read that the versions it captured are outdated. It is in
 *             `byKey` no more, so that no later caller finds it; its present callers get its value, which is not stored. A
 *             load that is not shared begins detached.
 *   kept      It goes on without callers, since something keeps it alive: `finish`, a soft timeout, a background refresh.
 *   dead      `aliveUntilMs` has passed. Its request may have ended without a word, so nobody joins it any more.
 *
 * Who calls what: `read-through.ts` joins or begins, waits, and leaves, once for each join. `write.ts` detaches before each
 * write. `lead.ts` walks a load through its states; `lease.ts` puts a predecessor back.
 *
 * Why a caller may join only what its own read has shown. Process A loads under lease 1. Process B deletes the key, then
 * tells a caller in A, by any other way. That caller asks A for the key: A's load began before the delete, and its value
 * must not be served. Its own read, sent after it came, shows lease 1 gone: it does not join. A load that still asks for
 * its lease may be joined by all, since whatever it loads is loaded later than they came.
 *
 * Why a new load puts its predecessor back. A caller reads just before lease 1 is written, sees none, and begins load 2 in
 * place of load 1. Load 2 asks for the lease, and hears that load 1 of this same process holds it. If load 2 polled, its
 * callers would be late by a poll. It ends with READ AGAIN instead; they read, see lease 1, and join load 1.
 *
 * Why outdated loads are detached here. A caller has read lease 1 and, of the tags that load 1 has captured, a newer version:
 * another process has invalidated a tag. Load 1's value is dead on arrival. Its lease is released by load 2 (`acquire`);
 * otherwise load 2 would wait for it in vain.
 */

/** How long `close` lets loads run before it gives their leases back, in milliseconds. */
const CLOSE_MS = 1000

const NOT_YET = Promise.resolve(undefined)

/** The running load that this caller may share; undefined: it must begin one. Leave a load with `leave`. */
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
  // A load that no lease guards and that is replaced has been given up: nothing else keeps its value from being stored late.
  if (old && (!core.format.leases.guardsFills || isOutdated(old, request))) old.isDetached = true
  if (!makeRoom(core)) return beginUnshared(request, 'OVERLOADED')
  const flight = start(request, {}, old)
  byKey.set(request.storedKey, flight)
  core.stats.inFlight = byKey.size
  return flight
}

/** Begins a load that nobody joins, and whose value is not stored. */
export function beginUnshared(request: LoadRequest, dropCode: Flight['dropCode'] = ''): Flight {
  return start(request, { isDetached: true, dropCode })
}

/**
 * A load for callers whose deadline has passed: shared by the callers of `flight`, or by those who came before it started;
 * its value is not stored.
 */
export function beginPastDeadline(flight: Flight | undefined, request: LoadRequest): Flight {
  const { storedKey, startsAtArrival, view } = request
  const { flights, stats } = view.core
  const known = flight ? flight.pastDeadline : flights.pastDeadline.get(storedKey)
  // The callers of one load share what was loaded after it began; others share only what starts after they came.
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

/** Detaches a running load from its key: only its present callers get its value. Resolves when its write is done. */
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
  // A load that still asks may put its predecessor back: a caller must have read that one's tags.
  return versions ?? predecessor?.lease.versions
}

/** The token of the lease under which a load of this process runs; `''`: none does. */
export function leaseOf({ flights }: Core, storedKey: string): string {
  return flights.byKey.get(storedKey)?.lease.token ?? ''
}

/** Waits up to a second for running loads and their callers, then gives the leases of the others back. */
export async function closeFlights({ flights }: Core): Promise<void> {
  const notKept = (): Flight[] => [...flights.running].filter(({ callers }) => !callers.isKept)
  const { calls, timers } = flights
  const ended = Promise.allSettled([...notKept().map(({ result }) => result), ...calls])
  if (notKept().length + calls.size > 0) await within(ended, { signals: [], deadline: now() + CLOSE_MS }).catch(nothing)
  timers.areQuiet = true
  for (const quieten of [...timers.quieten]) quieten()
  await Promise.all(notKept().map(giveBack)).catch(nothing)
}

/** Ends a load that did not end within the time of `close`. */
function giveBack(flight: Flight): Promise<unknown> | undefined {
  const { lease, request, startNumber } = flight
  const { core } = request.view
  const { token } = lease
  // It waits for another's lease: nobody can look at that any more.
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
  // A load that is not shared, or came while the store was down, asks for no lease.
  flight.result = lead(flight, !flight.isDetached && !!request.reading).finally(() => {
    flight.state = 'over'
    running.delete(flight)
    flight.lease.predecessor = undefined
    takeOut(core, flight)
    onDecided?.(true)
  })
  // Whoever waits gets its failure; there may be nobody left.
  const ended = flight.result.catch(nothing)
  // Callers of other requests may wait for it when its own has ended.
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

/** Whether a caller that has read `reading` may be given what this load returns. */
export function canShare(flight: Flight, reading: Reading | undefined, startsAtArrival: number): boolean {
  const { state, startNumber, lease, aliveUntilMs, request } = flight
  const { guardsFills } = request.view.core.format.leases
  const { token, versions } = lease
  if (state === 'over' || aliveUntilMs <= now()) return false
  if (state === 'asking') return true
  // Without a lease, nothing in the store shows that the load is still valid: it is for those who came before it started.
  if (!token) return !guardsFills || ((!reading || lease.isBeside) && startsAtArrival < startNumber)
  if (!versions || reading?.entry?.lease !== token || reading.generation !== versions.generation) return false
  for (const [tag, version] of versions.tags) if (reading.tags.get(tag) !== version) return false
  return true
}

/** Whether a read has shown the load's lease, and that the versions it has captured are no longer current. */
function isOutdated({ state, lease }: Flight, { reading, knownVersions }: JoinRequest): boolean {
  const { token, versions } = lease
  if (state === 'over' || !token || !versions || knownVersions !== versions || reading?.entry?.lease !== token)
    return false
  if (reading.generation !== versions.generation) return true
  for (const [tag, version] of versions.tags) {
    if (reading.tags.has(tag) && reading.tags.get(tag) !== version) return true
  }
  return false
}
