import { HitherError, isHitherError } from '../../errors.ts'
import { BACKGROUND_LIMIT_MS, REQUEST_SCOPED } from '../../runtime/background.ts'
import { setTimer } from '../../runtime/clock.ts'
import type { Emit, Flight, View } from '../model.ts'
import { nothing, recordOutage } from '../store-calls.ts'
import { abort } from './flights.ts'

/** Reports what fails in the background, where no caller waits for it, as an event. */
export function reportTo(emit: Emit): (error: unknown) => void {
  return (error) =>
    emit({ type: 'background-error', code: isHitherError(error) ? error.code : undefined, cause: error })
}

/** Sees to the end of `work`. Where something keeps it alive after an answer, the caller does not wait for it. */
export async function settle({ core, emit, request }: View, work: Promise<unknown>): Promise<void> {
  const report = reportTo(emit)
  const settled = work.catch((error: unknown) => recordOutage(core, error, emit) || report(error))
  if (!core.background.add(settled, request.waitUntil, report)) await settled
}

/** Lets a load go on without callers, as long as the runtime allows; false: nothing would keep it alive. */
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
