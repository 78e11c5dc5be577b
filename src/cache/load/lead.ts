import { settledOrTimeout } from '../../runtime/background.ts'
import { NEVER } from '../../runtime/clock.ts'
import { within } from '../../runtime/deadline.ts'
import type { Flight } from '../model.ts'
import { nothing } from '../store-calls.ts'
import { runLoader } from './run-loader.ts'

/**
 * Runs a load from its lease to its write. Resolves to its value, which may still be on its way to the store; to undefined
 * where the loader returned undefined; or to `ReadAgain`.
 */
export async function lead(flight: Flight, needsLease: boolean): Flight['result'] {
  const { request, lease, stop } = flight
  const { core } = request.view
  const { leases, fill } = core.format
  const { predecessor } = lease
  const readAgain = needsLease && (await leases.acquire(flight))
  if (readAgain) return readAgain
  if (predecessor && mustQueueBehind(flight, predecessor)) {
    // Without leases, the loads of a key run one at a time, as they do with leases. The callers that waited here read again and
    // may share the next load.
    request.onDecided?.(true)
    const ended = settledOrTimeout(predecessor.result.catch(nothing))
    await within(ended, { signals: [stop.signal], deadline: NEVER })
    return { liveId: '' }
  }
  if (stop.signal.aborted) {
    await leases.release(request, lease.token)
    throw stop.signal.reason
  }
  lease.predecessor = undefined
  if (flight.state === 'asking') flight.state = 'loading'
  flight.startNumber = ++core.flights.starts
  core.stats.loads++
  const run = await runLoader(flight)
  const { coded, decisions } = run
  const isStored = coded && !decisions.skips && !decisions.isUncached
  if (flight.isDetached) await leases.release(request, lease.token)
  else if (!isStored) await leases.release(request, lease.token, { verb: coded || decisions.skips ? 'fail' : 'gone' })
  if (coded && isStored) await fill(flight, { ...run, coded })
  return coded
}

/**
 * Whether a load without a lease must wait for its predecessor, which runs without a lease as well. While the store is down,
 * this keeps the loads of a key in this process one at a time. Once the store has replied, the value of the older load may be
 * outdated.
 */
function mustQueueBehind({ request, lease }: Flight, predecessor: Flight): boolean {
  const { format, answerCount } = request.view.core
  const withoutLease = format.leases.guardsFills && !lease.token && !lease.isBeside && !predecessor.lease.token
  return withoutLease && predecessor.state === 'loading' && predecessor.answerCount === answerCount
}
