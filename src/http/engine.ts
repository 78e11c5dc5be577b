import type { Background } from '../runtime/background.ts'
import { elapsedMs } from '../runtime/clock.ts'
import { createDeferred } from '../runtime/deferred.ts'
import type { StatusName } from './answer.ts'
import type { StoredResponse } from './entry.ts'
import type { Keys } from './keys.ts'
import { LEASE_MS } from './operations.ts'
import type { PlaceOf } from './place.ts'
import type { Policy } from './storable.ts'
import type { Storage } from './storage.ts'
import type { HttpCacheEvent, HttpRule } from './types.ts'

/** What came of a flight. Undefined: it may not be shared; `again`: it was purged; `left`: its client left. Both are asked for anew. */
export type Outcome = StoredResponse | 'again' | 'left' | undefined

/** What comes of a request that failed: with its client, who has aborted it, or by itself. */
export const failureOf = ({ signal }: Request): Outcome => (signal.aborted ? 'left' : undefined)

/** A request to the origin whose answer others of this process wait for. */
export interface Flight {
  readonly answer: Promise<Outcome>
  /** Resolves once somebody waits: the body is then read to its end, whatever the first client does. */
  readonly awaited: Promise<void>
  /** By `elapsedMs`. */
  readonly startMs: number
  /** Somebody waits for the answer. */
  join(): void
  /** Nobody joins any more: what is about to be stored may be purged, and that acknowledged, before it is known to be stored. */
  leave(): void
  settle(answer: Outcome): void
}

/** A flight that others find under `key` until it is settled; without one nobody does. */
export function createFlight({ flights }: Engine, key?: string): Flight {
  const { promise, resolve } = createDeferred<Outcome>()
  const { promise: awaited, resolve: join } = createDeferred<void>()
  const flight: Flight = {
    answer: promise,
    awaited,
    startMs: elapsedMs(),
    join,
    leave() {
      if (key !== undefined && flights.get(key) === flight) flights.delete(key)
    },
    settle(answer) {
      flight.leave()
      resolve(answer)
    },
  }
  if (key !== undefined) flights.set(key, flight)
  return flight
}

/** The flight that requests of this process may wait for: none that has taken longer than its lease in the store lasts. */
export function flightOf({ flights }: Engine, key: string): Flight | undefined {
  const flight = flights.get(key)
  return flight && elapsedMs() - flight.startMs < LEASE_MS ? flight : undefined
}

/** What all requests of one cache share. */
export interface Engine {
  readonly storage: Storage
  readonly keys: Keys
  readonly placeOf: PlaceOf
  readonly policy: Policy
  readonly rules: readonly HttpRule[]
  readonly hosts: ReadonlySet<string> | undefined
  readonly name: StatusName
  readonly maxBodyBytes: number
  /** Where caches in front read tags: none where there is no such cache. */
  readonly tagFields: readonly string[]
  readonly staleDespiteSMaxage: boolean
  readonly collapseTimeoutMs: number
  readonly background: Background
  /** Requests of this process that are under way, by what they fetch. */
  readonly flights: Map<string, Flight>
  tell(event: HttpCacheEvent): void
}
