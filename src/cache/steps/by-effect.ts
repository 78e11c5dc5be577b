import { HitherError } from '../../errors.ts'
import type { ApplyTable, Arg, Effect, Operation, Reply } from '../../protocol/operation.ts'

/** Atomic steps, by effect. */
export type Steps = Readonly<Record<Effect, Operation<readonly Arg[], Reply>>>

/**
 * The steps of an entry in one script. `repeat`: what finds by a token or an id that it has run, or changes nothing by running
 * again: `release`, `fail`, `gone`, `fill`, `bury`, `expire`, and a lease renewed. `read`: `ttl`. `once`: all else, and
 * `lease`, which would give an old load its lease back.
 */
export function byEffect(lua: string, apply: ApplyTable[string]): Steps {
  const named = (effect: Effect): Steps[Effect] => ({ name: `entry.${effect}`, effect, lua, apply })
  return { read: named('read'), repeat: named('repeat'), once: named('once') }
}

/** In place of `apply`, where a cache leaves that to its store. */
export function cannotRun(): never {
  const message = 'a cache of hither/mini cannot run its steps on this store: take createCache of hither'
  throw new HitherError('UNSUPPORTED', message)
}
