import { type Entry, isKept } from '../../protocol/entry.ts'
import { guard } from '../../runtime/background.ts'
import { NEVER, now } from '../../runtime/clock.ts'
import { type Limit, within } from '../../runtime/deadline.ts'
import type { Core, Flight, LoadRequest } from '../model.ts'
import { countHit, openEntry } from '../open.ts'
import type { Decoded } from '../value-form.ts'
import type { Round } from './round.ts'

/** A failed load starts its backoff: until that ends, stale copies of the key are served without another try. */
export function recordFailure({ view, storedKey, settings: { backoffMs } }: LoadRequest): void {
  if (backoffMs) view.core.failures.set(storedKey, true, backoffMs)
}

/** Whether a load of the key failed less than its backoff ago. */
export function isBackingOff(core: Core, storedKey: string): boolean {
  return core.failures.get(storedKey) !== undefined
}

/** The entry that may be served in place of a load. A forced load has a fresh one, too. */
export function staleEntry({ reading, force }: Round): Entry | undefined {
  return reading?.status === 'stale' || (force && reading?.status === 'fresh') ? reading.entry : undefined
}

/** Opens the stale copy, whatever the caller's deadline: it is served when that has passed. Undefined: there is none. */
export async function serveStale({ caller, near, reading, stale }: Round): Promise<Decoded | undefined> {
  const { view, settings, limit, key, storedKey } = caller
  if (!reading && near) {
    // The store is down.
    countHit(view, 'stale', key)
    return near
  }
  if (!stale || !reading) return undefined
  const isUsable = !stale.hasGrace || isKept(stale, view.core.clock.now())
  const context = { key, as: 'stale', reading, settings, storedKey, limit: { ...limit, deadline: NEVER } } as const
  return isUsable ? openEntry(view, stale, context) : undefined
}

/** How long a caller waits for a load before it looks elsewhere. */
export interface Patience {
  readonly limit: Limit
  /** Epoch ms of the caller's `softTimeout`, when it has a stale copy; `NEVER`: none. */
  readonly softAtMs: number
  /** Another request's load may have ended without a word, with its runtime. */
  readonly isOthers: boolean
}

/**
 * The load's result; or `slow` at the soft timeout; or `unsure` from time to time where the load is another request's: then
 * only the store can tell whether its lease is still valid.
 */
export function resultOrSlow(
  flight: Flight,
  { limit, softAtMs, isOthers }: Patience,
): Promise<Awaited<Flight['result']> | 'slow' | 'unsure'> {
  const fail = (error: unknown): never => {
    throw error
  }
  const { timers } = flight.request.view.core.flights
  let work: ReturnType<typeof resultOrSlow> = flight.result
  if (isOthers) {
    const unsure = guard().then(() => 'unsure' as const)
    // When a request ends, its runtime may reject what it has left pending.
    work = Promise.race([work.catch((error: unknown) => (flight.state === 'over' ? fail(error) : unsure)), unsure])
  }
  if (softAtMs < NEVER) {
    const soft = { signals: [], deadline: softAtMs }
    work = within(work, soft, timers).catch((error: unknown) =>
      isPast(soft) && flight.state !== 'over' ? 'slow' : fail(error),
    )
  }
  return within(work, limit, timers)
}

export function isPast({ deadline }: Limit): boolean {
  return deadline <= now()
}
