import { HitherError, isHitherError } from '../../errors.ts'
import { BACKGROUND_LIMIT_MS, REQUEST_SCOPED } from '../../runtime/background.ts'
import { setTimer } from '../../runtime/clock.ts'
import type { Emit, Flight, View } from '../model.ts'
import { nothing, recordOutage } from '../store-calls.ts'
import { abort } from './flights.ts'

/** Reports a failure in the background, which no caller waits for, as an event. */
export function reportTo(emit: Emit): (error: unknown) => void {
  return (error) =>
    emit({ type: 'background-error', code: isHitherError(error) ? error.code : undefined, cause: error })
}

/**
 * Lets `work` finish and reports its failure. The caller waits for it only where nothing would keep it alive after the
 * response.
 */
export async function settle({ core, emit, request }: View, work: Promise<unknown>): Promise<void> {
  const report = reportTo(emit)
  const settled = work.catch((error: unknown) => recordOutage(core, error, emit) || report(error))
  if (!core.background.add(settled, request.waitUntil, report)) await settled
}

/** Lets a load continue without callers, for as long as the runtime allows. Returns false when nothing would keep it alive. */
export function continueInBackground(flight: Flight, { core, emit, request }: View): boolean {
  const { callers } = flight
  const ended = flight.result.catch(nothing)
  if (!core.background.add(ended, request.waitUntil, reportTo(emit), flight)) return false
  if (!callers.isKept && REQUEST_SCOPED) {
    const message = 'the loader ran longer than work may after an answer'
    const tooLong = new HitherError('TIMEOUT', message, { retryable: true })
    const cancel = setTimer(() => callers.count > 0 || abort(flight, tooLong), BACKGROUND_LIMIT_MS)
    void ended.then(cancel)
  }
  callers.isKept = true
  return true
}
