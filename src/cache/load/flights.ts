import { now } from '../../runtime/clock.ts'
import type { Core, Flight, Flights } from '../model.ts'

const MAX_LOADS = 10_000

/** The loads of a new cache: none is running. */
export function createFlights(): Flights {
  return {
    byKey: new Map(),
    running: new Set(),
    pastDeadline: new Map(),
    starts: 0,
    calls: new Set(),
    timers: { areQuiet: false, quieten: new Set() },
  }
}

/**
 * Makes `close` wait for this call, up to the time limit of `close`. A caller whose load is over may still have to read the
 * value.
 */
export function track<T>({ calls }: Flights, call: Promise<T>): Promise<T> {
  calls.add(call)
  const forget = (): void => void calls.delete(call)
  call.then(forget, forget)
  return call
}

/** Takes a load out of the map: no later caller finds it. */
export function takeOut({ flights: { byKey }, stats }: Core, flight: Flight): void {
  const { storedKey } = flight.request
  if (byKey.get(storedKey) === flight) byKey.delete(storedKey)
  stats.inFlight = byKey.size
}

/** Removes dead loads from the map while it is full, the oldest first. Returns whether there is room for another load. */
export function makeRoom({ flights: { byKey } }: Core): boolean {
  for (const [key, { aliveUntilMs }] of byKey) {
    if (byKey.size < MAX_LOADS || aliveUntilMs > now()) break
    byKey.delete(key)
  }
  return byKey.size < MAX_LOADS
}

/**
 * Puts the predecessor of this load back into `byKey` if its lease is the one with the token `holder`, and if it is still
 * running, alive and not detached. Returns whether it did.
 */
export function restorePredecessor(flight: Flight, holder: string): boolean {
  const { storedKey, view } = flight.request
  const { byKey } = view.core.flights
  const { predecessor } = flight.lease
  if (!predecessor || predecessor.lease.token !== holder || predecessor.state === 'over' || predecessor.isDetached)
    return false
  if (predecessor.aliveUntilMs <= now() || byKey.get(storedKey) !== flight) return false
  byKey.set(storedKey, predecessor)
  return true
}

/** Ends a load whose callers have all left, whose time is over, or whose cache was closed. */
export function abort(flight: Flight, reason: unknown): void {
  flight.state = 'over'
  try {
    flight.stop.abort(reason)
  } catch {
    // A runtime may forbid a request to touch an object that another request has created. That load then ends by itself.
  }
}
