import type { Arg, Effect, Reply } from '../../protocol/operation.ts'
import type { Limit } from '../../runtime/deadline.ts'
import { answerStep } from '../answer.ts'
import type { Core, View } from '../model.ts'
import type { Steps } from '../steps/by-effect.ts'
import { verbScripts } from '../steps/entry.ts'

/** The steps that run every verb, in the cache's format. */
export function verbsOf({ format }: Core): Steps {
  return format.verbs ?? verbScripts
}

/** Runs the step of a verb that only some caches have on a stored key for a caller. */
export function verbStep(
  view: View,
  effect: Effect,
  storedKey: string,
  args: readonly Arg[],
  limit: Limit,
): Promise<Reply> {
  return answerStep(view, verbsOf(view.core)[effect], storedKey, args, limit)
}
