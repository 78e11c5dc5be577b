import type { Arg, Effect, Reply } from '../../protocol/operation.ts'
import { answerStep, type StepTarget } from '../answer.ts'
import type { Core } from '../model.ts'
import type { Steps } from '../steps/by-effect.ts'
import { verbScripts } from '../steps/entry.ts'

/** The steps that run every verb in the cache's format. */
export function verbsOf({ format }: Core): Steps {
  return format.verbs ?? verbScripts
}

/** Runs the step of a verb on a stored key for a caller, also of a verb that the scripts of a small cache leave out. */
export function verbStep(target: StepTarget, effect: Effect, args: readonly Arg[]): Promise<Reply> {
  return answerStep(target, verbsOf(target.view.core)[effect], args)
}
