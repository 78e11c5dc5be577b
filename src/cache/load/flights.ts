import { now } from '../../runtime/clock.ts'
import type { Core, Flight, Flights } from '../model.ts'

const MAX_LOADS = 10_000

/** The running loads of a cache: none. */
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

/** `close` waits for this call, within its bound: a caller that has followed a load may still have to read its value. */
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

/** Makes room for a load; false: there is none. */
export function makeRoom({ flights: { byKey } }: Core): boolean {
  for (const [key, { aliveUntilMs }] of byKey) {
    if (byKey.size < MAX_LOADS || aliveUntilMs > now()) break
    byKey.delete(key)
  }
  return byKey.size < MAX_LOADS
}

/** Makes the load before this one the key's again, where this holder is it and it still runs. Returns whether it did. */
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

/** Ends a load whose callers have all left, or whose time is over. */
export function abort(flight: Flight, reason: unknown): void {
  flight.state = 'over'
  try {
    flight.stop.abort(reason)
  } catch {
    // A runtime may forbid one request to touch what another has made. That load then ends by itself.
  }
}
