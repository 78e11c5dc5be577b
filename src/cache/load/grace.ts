import { type Entry, isKept } from '../../protocol/entry.ts'
import { guard } from '../../runtime/background.ts'
import { NEVER, now } from '../../runtime/clock.ts'
import { type Limit, within } from '../../runtime/deadline.ts'
import type { Core, Flight, LoadRequest } from '../model.ts'
import { countHit, openEntry } from '../open.ts'
import type { Decoded } from '../value-form.ts'
import type { Round } from './round.ts'

/** Starts the backoff of a key after a failed load. Until it ends, stale copies of the key are served without another load. */
export function recordFailure({ view, storedKey, settings: { backoffMs } }: LoadRequest): void {
  if (backoffMs) view.core.failures.set(storedKey, true, backoffMs)
}

/** Whether the key is in its backoff after a failed load. */
export function isBackingOff(core: Core, storedKey: string): boolean {
  return core.failures.get(storedKey) !== undefined
}

/** The entry that may be served in place of a load: a stale one; for a forced load a fresh one, too. Undefined: none. */
export function staleEntry({ reading, force }: Round): Entry | undefined {
  return reading?.status === 'stale' || (force && reading?.status === 'fresh') ? reading.entry : undefined
}

/**
 * Opens the stale copy. The caller's deadline does not apply: the copy is served after that has passed. Undefined: there is no
 * usable copy.
 */
export async function serveStale({ caller, near, reading, stale }: Round): Promise<Decoded | undefined> {
  const { view, settings, limit, key, storedKey } = caller
  if (!reading && near) {
    // The store is down: serve the near tier entry.
    countHit(view, 'stale', key)
    return near
  }
  if (!stale || !reading) return undefined
  const isUsable = !stale.hasGrace || isKept(stale, view.core.clock.now())
  const context = { key, as: 'stale', reading, settings, storedKey, limit: { ...limit, deadline: NEVER } } as const
  return isUsable ? openEntry(view, stale, context) : undefined
}

/** How long a caller waits for a load before it serves a stale copy, reads the store again, or gives up. */
export interface Patience {
  readonly limit: Limit
  /** Epoch ms of the caller's `softTimeout`, when it has a stale copy; `NEVER`: none. */
  readonly softAtMs: number
  /** The load belongs to another request, which the runtime may have ended without settling the load. */
  readonly isOthers: boolean
}

/**
 * Resolves to the load's result, or to `slow` at the soft timeout. For the load of another request, resolves to `unsure` after
 * a second: then only the store can show whether the lease of that load is still valid.
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
    // When a request ends, the runtime may reject the promises that it left pending. That is not the load's own failure.
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
