import { HitherError, isHitherError } from '../../errors.ts'
import { BUDGET_MS, MORTAL } from '../../runtime/background.ts'
import { setTimer } from '../../runtime/clock.ts'
import { type Core, type Emit, nothing } from '../core.ts'
import type { Load, ReadThrough } from './types.ts'

/** Reports what fails in the background, where no caller waits for it, as an event. */
export function reportTo(emit: Emit): (error: unknown) => void {
  return (error) =>
    emit({ type: 'background-error', code: isHitherError(error) ? error.code : undefined, cause: error })
}

/** Sees to the end of `work`. Where something keeps it alive after an answer, the caller does not wait for it. */
export async function settle(core: Core, { emit, waitUntil }: ReadThrough, work: Promise<unknown>): Promise<void> {
  const report = reportTo(emit)
  const settled = work.catch((error: unknown) => core.isFault(error, emit) || report(error))
  if (!core.background.add(settled, waitUntil, report)) await settled
}

/** Ends a load whose callers have all left, or whose time is over. */
export function abort(load: Load, reason: unknown): void {
  load.isOver = true
  try {
    load.stop.abort(reason)
  } catch {
    // A runtime may forbid one request to touch what another has made. That load then ends by itself.
  }
}

/** Lets a load go on without callers; false: nothing would keep it alive. */
export function continueInBackground(
  { background }: Core,
  load: Load,
  { emit, waitUntil }: Pick<ReadThrough, 'emit' | 'waitUntil'>,
): boolean {
  const { callers } = load
  const ended = load.result.catch(nothing)
  if (!background.add(ended, waitUntil, reportTo(emit), load)) return false
  if (!callers.isKept && MORTAL) {
    const message = 'the loader ran longer than work may after an answer'
    const tooLong = new HitherError('TIMEOUT', message, { retryable: true })
    const cancel = setTimer(() => callers.count > 0 || abort(load, tooLong), BUDGET_MS)
    void ended.then(cancel)
  }
  callers.isKept = true
  return true
}
