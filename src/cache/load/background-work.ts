import { isHitherError } from '../../errors.ts'
import type { Core, Emit } from '../core.ts'
import type { ReadThrough } from './types.ts'

/** Reports what fails in the background, where no caller waits for it, as an event. */
export function reportTo(emit: Emit): (error: unknown) => void {
  return (error) => emit({ type: 'background-error', code: isHitherError(error) ? error.code : undefined })
}

/** Sees to the end of `work`. Where something keeps it alive after an answer, the caller does not wait for it. */
export async function settle(core: Core, { emit, waitUntil }: ReadThrough, work: Promise<unknown>): Promise<void> {
  const report = reportTo(emit)
  const settled = work.catch((error: unknown) => core.isFault(error, emit) || report(error))
  if (!core.background.add(settled, waitUntil, report)) await settled
}
