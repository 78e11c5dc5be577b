import type { Background } from '../runtime/background.ts'
import { createDeferred } from '../runtime/deferred.ts'
import type { StatusName } from './answer.ts'
import type { StoredResponse } from './entry.ts'
import type { Keys } from './keys.ts'
import type { PlaceOf } from './place.ts'
import type { Policy } from './storable.ts'
import type { Storage } from './storage.ts'
import type { HttpCacheEvent, HttpRule } from './types.ts'

/** A request to the origin whose answer others of this process wait for. */
export interface Flight {
  /** Undefined: what came may not be shared. */
  readonly answer: Promise<StoredResponse | undefined>
  /** Resolves once somebody waits: the body is then read to its end, whatever the first client does. */
  readonly awaited: Promise<void>
  /** Somebody waits for the answer. */
  join(): void
  settle(answer: StoredResponse | undefined): void
}

/** A flight that others find under `key` until it is settled; without one nobody does. */
export function createFlight({ flights }: Engine, key?: string): Flight {
  const { promise, resolve } = createDeferred<StoredResponse | undefined>()
  const { promise: awaited, resolve: join } = createDeferred<void>()
  const flight: Flight = {
    answer: promise,
    awaited,
    join,
    settle(answer) {
      if (key !== undefined && flights.get(key) === flight) flights.delete(key)
      resolve(answer)
    },
  }
  if (key !== undefined) flights.set(key, flight)
  return flight
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
