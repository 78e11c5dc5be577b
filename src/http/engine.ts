import { type Background, REQUEST_SCOPED } from '../runtime/background.ts'
import { elapsedMs } from '../runtime/clock.ts'
import { createDeferred } from '../runtime/deferred.ts'
import type { AtomicStore } from '../store/store.ts'
import type { StatusName } from './answer.ts'
import type { StoredResponse } from './entry.ts'
import type { Keys } from './keys.ts'
import { LEASE_MS } from './operations.ts'
import type { PlaceOf } from './place.ts'
import type { Plan } from './plan.ts'
import type { Policy } from './storable.ts'
import type { Storage } from './storage.ts'
import type { HttpCacheEvent, HttpRule } from './types.ts'

/**
 * The result of a flight: the stored response, or undefined if the response may not be shared. `again`: it was not stored, since
 * it was purged or came too late. `left`: its client left. After `again` and `left` the waiting requests start over.
 */
export type Outcome = StoredResponse | 'again' | 'left' | undefined

/** The outcome of a request that failed: `left` when its client has aborted it, else undefined. */
export const failureOf = ({ signal }: Request): Outcome => (signal.aborted ? 'left' : undefined)

/** A request to the origin. Other requests of this process may wait for its response. */
export interface Flight {
  readonly answer: Promise<Outcome>
  /** Resolves once another request waits: the body is then read to its end, whatever the first client does. */
  readonly awaited: Promise<void>
  /** When it began, by `elapsedMs`. */
  readonly startMs: number
  /** Notes that another request waits for the response. */
  join(): void
  /**
   * Lets no further request join; called before the response is stored. The race: the store has it, a purge drops it and
   * resolves, and only then the reply of the store comes. A request that joined after the purge would get the purged response.
   */
  leave(): void
  settle(answer: Outcome): void
}

/** Creates a flight. Other requests find it under `key` until it is settled; without a key none does. */
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

/**
 * The flight that requests of this process may wait for, unless it has run longer than its lease in the store lasts. Undefined
 * where a request's work ends with it.
 */
export function flightOf({ flights }: Engine, key: string): Flight | undefined {
  if (REQUEST_SCOPED) return undefined
  const flight = flights.get(key)
  return flight && elapsedMs() - flight.startMs < LEASE_MS ? flight : undefined
}

/** A cache that has passed a request on, and the record that it looked in. */
export const passedOn: WeakMap<Request, { readonly engine: Engine; readonly record: string }> = new WeakMap()

/**
 * Whether another cache of the same store and namespace has passed a request on. If this one asked for the lease of that record, it
 * would wait for the other one, and the other one for it. The same cache may get the request again, after or beside the first time.
 * Two stores of one kind that others share count as the same, since they may be two connections to one server.
 */
export function isPassedOn(engine: Engine, { request, place }: Plan): boolean {
  const by = passedOn.get(request)
  if (by?.record !== place.record || by.engine === engine) return false
  const [store, other] = [engine.store, by.engine.store]
  return store === other || (store.traits.shared && store.name === other.name)
}

/** The settings and parts that all requests of one cache share. */
export interface Engine {
  readonly store: AtomicStore
  readonly storage: Storage
  readonly keys: Keys
  readonly placeOf: PlaceOf
  readonly policy: Policy
  readonly rules: readonly HttpRule[]
  readonly hosts: ReadonlySet<string> | undefined
  readonly name: StatusName
  readonly maxBodyBytes: number
  /** The fields in which caches in front read tags; empty when there is no such cache. */
  readonly tagFields: readonly string[]
  readonly staleDespiteSMaxage: boolean
  readonly collapseTimeoutMs: number
  readonly background: Background
  /** Running flights of this process, by URL record and variant. */
  readonly flights: Map<string, Flight>
  tell(event: HttpCacheEvent): void
}
