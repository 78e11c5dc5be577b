import { HitherError } from '../../errors.ts'
import type { ApplyTable, Arg, Effect, Operation, Reply } from '../../protocol/operation.ts'

/** One operation for each effect. */
export type Steps = Readonly<Record<Effect, Operation<readonly Arg[], Reply>>>

/**
 * The steps of an entry in one script, as one operation for each effect. `repeat` is for verbs that may run again without harm,
 * because a token or an id shows that they have run, or because a second run changes nothing: `release`, `fail`, `gone`,
 * `fill`, `bury`, `expire`, and the renewal of a lease. `read` is for `ttl`. `once` is for all others, also for a new `lease`:
 * run again, it could give an old load its lease back.
 */
export function byEffect(lua: string, apply: ApplyTable[string]): Steps {
  const named = (effect: Effect): Steps[Effect] => ({ name: `entry.${effect}`, effect, lua, apply })
  return { read: named('read'), repeat: named('repeat'), once: named('once') }
}

/** Takes the place of `apply` in a cache that relies on its store to have one. Throws `UNSUPPORTED`. */
export function cannotRun(): never {
  const message = 'a cache of hither/mini cannot run its steps on this store: take createCache of hither'
  throw new HitherError('UNSUPPORTED', message)
}
