import { after } from '../../runtime/background.ts'
import { NEVER } from '../../runtime/clock.ts'
import { within } from '../../runtime/deadline.ts'
import { type Core, nothing } from '../core.ts'
import { fill } from './fill.ts'
import type { Leases } from './lease.ts'
import { runLoader } from './run-loader.ts'
import type { Load } from './types.ts'

/** What the loads of a cache share. */
export interface LoadEngine {
  readonly core: Core
  readonly leases: Leases
  /** Number of loaders started so far. */
  starts: number
}

/** The life of a load, from its lease to its write. Resolves to its value, which may still be on its way to the store. */
export async function lead(engine: LoadEngine, load: Load, needsLease: boolean): Load['result'] {
  const { core, leases } = engine
  const { request, lease, stop } = load
  const { predecessor } = lease
  const readAgain = needsLease && (await leases.acquire(load))
  if (readAgain) return readAgain
  if (predecessor && mustQueueBehind(core, load, predecessor)) {
    // One at a time, as with a lease. Who has waited here may share the next load.
    request.onDecided?.(true)
    await within(after(predecessor.result.catch(nothing)), { signals: [stop.signal], deadline: NEVER })
    return { liveId: '' }
  }
  if (stop.signal.aborted) {
    await leases.releaseOf(load)
    throw stop.signal.reason
  }
  lease.predecessor = undefined
  load.startNumber = ++engine.starts
  core.stats.loads++
  const run = await runLoader(core, leases, load)
  const { coded, decisions } = run
  const isStored = coded && !decisions.skips && !decisions.isUncached
  if (load.isDetached) await leases.releaseOf(load)
  else if (!isStored) await leases.releaseOf(load, { verb: coded || decisions.skips ? 'fail' : 'gone' })
  if (coded && isStored) await fill(core, leases, load, { ...run, coded })
  return coded
}

/**
 * Whether a load without a lease waits for the one that runs without a lease already: while the store is down, that is what
 * keeps loads of this process one at a time. Once the store has answered, the older load's value may be outdated.
 */
function mustQueueBehind(core: Core, { lease }: Load, predecessor: Load): boolean {
  const withoutLease = !core.plain && !lease.token && !lease.isBeside && !predecessor.lease.token
  return withoutLease && predecessor.startNumber > 0 && !predecessor.isOver && predecessor.answerCount === core.heard
}
