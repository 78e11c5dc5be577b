import { ownOf } from '../../protocol/arguments.ts'
import { toMs } from '../../protocol/duration.ts'
import { NEVER } from '../../runtime/clock.ts'
import { lifeOf } from '../engine.ts'
import type { Core } from '../model.ts'
import { invalid } from '../options.ts'
import type { GetOrSetOptions } from '../types.ts'
import type { LoadSettings } from './types.ts'

/** Checks the options of a load. Throws `INVALID_ARGUMENT` or `INVALID_DURATION`. */
export function loadSettings(core: Core, given?: GetOrSetOptions): LoadSettings {
  const own: GetOrSetOptions = ownOf(given)
  const all = core.loadDefaults
  const options = {
    __proto__: null,
    ...own,
    softTimeout: own.softTimeout ?? all.softTimeout,
    jitter: own.jitter ?? all.jitter,
    backoff: own.backoff ?? all.backoff,
    refresh: own.refresh ?? all.refresh,
  } as GetOrSetOptions
  const { hardTimeout, softTimeout, negativeTtl = 1, jitter = 0, onDeadline = 'fail', schema, migrate } = options
  const life = lifeOf(core, options)
  const { freshMs, lifeMs } = life
  const tags = core.tags.check(options.tags ?? [], lifeMs)
  const hardMs = hardTimeout === undefined ? core.hardTimeoutMs : toMs(hardTimeout, 'hardTimeout')
  const softMs = softTimeout === undefined ? NEVER : toMs(softTimeout, 'softTimeout', 0)
  toMs(negativeTtl, 'negativeTtl')
  if (options.negativeTtl !== undefined) core.tags.check(tags, lifeOf(core, { ...options, ttl: negativeTtl }).lifeMs)
  if (!(typeof jitter === 'number' && jitter >= 0 && jitter < 1)) throw invalid('jitter is at least 0 and below 1')
  if (options.refresh && typeof options.refresh !== 'function')
    throw invalid('refresh is a function, as of hither/refresh')
  if (onDeadline !== 'fail' && onDeadline !== 'load') throw invalid("onDeadline is 'fail' or 'load'")
  if (schema && typeof schema['~standard']?.validate !== 'function') throw invalid('schema is a Standard Schema')
  if (migrate && !schema) throw invalid('migrate needs a schema')
  const nearMs = options.nearTtl === undefined ? NEVER : toMs(options.nearTtl, 'nearTtl', 0)
  const { bypass = false, forceFresh = false, finish = false } = options
  if (![bypass, forceFresh, finish].every((flag) => typeof flag === 'boolean'))
    throw invalid('bypass, forceFresh and finish are true or false')
  if (bypass && forceFresh) throw invalid('bypass or forceFresh, not both')
  // A default `softTimeout` is no error for a call that has no grace, or that names a shorter `hardTimeout`.
  const isOwn = own.softTimeout !== undefined
  if (softMs < NEVER && softMs >= hardMs && (isOwn || hardTimeout === undefined)) {
    throw invalid('softTimeout is shorter than hardTimeout')
  }
  if (isOwn && freshMs === lifeMs) throw invalid('softTimeout needs a ttl and grace')
  const backoffMs = toMs(options.backoff ?? 0, 'backoff', 0)
  const shareMs = toMs(options.shareFailure ?? 0, 'shareFailure', 0)
  return { options, life, tags, hardMs, softMs, backoffMs, shareMs, nearMs, schema, migrate }
}
