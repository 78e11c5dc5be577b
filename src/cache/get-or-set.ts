import { HitherError } from '../errors.ts'
import type { NearEntry } from '../near/local-tier.ts'
import { toMs } from '../protocol/duration.ts'
import { isKept, NO_VALUE } from '../protocol/entry.ts'
import { BUDGET_MS, guard, MORTAL } from '../runtime/background.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { checkLimit, type Limit, within } from '../runtime/deadline.ts'
import { type Coded, type Core, invalid, nothing } from './core.ts'
import type { Box, Load, LoadJob, LoadPlan, ReadThrough } from './load.ts'
import { type Found, look, type Sent } from './look.ts'
import { conform, conformLoaded } from './schema.ts'
import type { GetOrSetOptions, Loader } from './types.ts'
import { checkTags, withHints } from './versions.ts'

const OTHERS_FAILURE = 'the loader of another caller failed a moment ago: by shareFailure it is not tried again yet'

/** Checks the options of a load: throws `INVALID_ARGUMENT` or `INVALID_DURATION`. */
export function planLoad(core: Core, options: GetOrSetOptions = {}): LoadPlan {
  const { hardTimeout, softTimeout, negativeTtl = 1, jitter = 0, onDeadline = 'fail', schema, migrate } = options
  const life = core.life(options)
  const { freshMs, lifeMs } = life
  const tags = checkTags(options.tags ?? [], lifeMs)
  const hardMs = hardTimeout === undefined ? core.hardTimeoutMs : toMs(hardTimeout, 'hardTimeout')
  const softMs = softTimeout === undefined ? NEVER : toMs(softTimeout, 'softTimeout', 0)
  toMs(negativeTtl, 'negativeTtl')
  if (options.negativeTtl !== undefined) checkTags(tags, core.life({ ...options, ttl: negativeTtl }).lifeMs)
  if (!(typeof jitter === 'number' && jitter >= 0 && jitter < 1)) throw invalid('jitter is at least 0 and below 1')
  if (options.refresh && typeof options.refresh !== 'function')
    throw invalid('refresh is a function, as of hither/refresh')
  if (onDeadline !== 'fail' && onDeadline !== 'load') throw invalid("onDeadline is 'fail' or 'load'")
  if (schema && typeof schema['~standard']?.validate !== 'function') throw invalid('schema is a Standard Schema')
  if (migrate && !schema) throw invalid('migrate needs a schema')
  const nearMs = options.nearTtl === undefined ? NEVER : toMs(options.nearTtl, 'nearTtl', 0)
  if (options.bypass && options.forceFresh) throw invalid('bypass or forceFresh, not both')
  if (softMs < NEVER) {
    if (softMs >= hardMs) throw invalid('softTimeout is shorter than hardTimeout')
    if (freshMs === lifeMs && !core.plain) throw invalid('softTimeout needs grace')
  }
  const backoffMs = toMs(options.backoff ?? 0, 'backoff', 0)
  const shareMs = toMs(options.shareFailure ?? 0, 'shareFailure', 0)
  if (options.finish !== undefined && typeof options.finish !== 'boolean') throw invalid('finish is true or false')
  return { options, life, tags, hardMs, softMs, backoffMs, shareMs, nearMs, schema, migrate }
}

/** What has been seen and done for a caller already. */
export interface Begun {
  /** How many loaders had been started when it came. */
  readonly arrived: number
  /** What the near tier holds. */
  readonly held: NearEntry | undefined
  /** Its first reads, on their way; undefined: none. */
  readonly sent: Sent | undefined
}

/** One caller's read-through. Resolves to the value, as the stored form gives it back. */
export async function getOrSet(
  through: ReadThrough,
  key: string,
  loader: Loader<unknown>,
  plan: LoadPlan,
  limit: Limit,
  onTurn?: LoadJob['onTurn'],
  begun?: Begun,
): Promise<unknown> {
  const { core, loads, space, open } = through
  const { options } = plan
  const to = space.key(key)
  const arrived = begun ? begun.arrived : loads.starts()
  let first = begun
  let liveId = ''
  let force = !!options.forceFresh
  /** What a caller gets whose deadline has passed, `load` being the one it waited for. */
  const late = async (load?: Load): Promise<unknown> => {
    const make = (): LoadJob => ({ ...through, ...plan, key, to, loader, arrived })
    const own = loads.late(load, { to, arrived }, make)
    try {
      const coded = (await within(own.result, { ...limit, deadline: NEVER })) as Coded | undefined
      const value = coded && (await core.bound(core.decode(coded, to), { ...limit, deadline: NEVER }))
      const { schema } = plan
      if (!coded || !schema || own.job.schema === schema) return value
      return (await conformLoaded(schema, value)) as unknown
    } finally {
      loads.leave(own)
    }
  }
  for (;;) {
    // What another loop was sent here for is in the store.
    const near = first ? first.held : liveId ? undefined : through.held(key, plan.schema)
    const sent = first?.sent
    first = undefined
    if (near && !force && near.freshUntilMs > now() && !isDue(near, options, core.clock.now() - now())) {
      through.served('hit')
      return near.value
    }
    const knew = sent ? undefined : loads.contextOf(to)
    const names = knew ? [...plan.tags, ...knew.tags.keys()] : plan.tags
    let found: Found | undefined
    try {
      found = await lookOrAway(through, to, names, liveId, limit, sent)
    } catch (error) {
      for (const signal of limit.signals) if (signal.aborted) throw signal.reason
      if (!isPast(limit)) throw error
      // The store hangs, and this caller had less patience than it is given.
      if (near && !force) {
        through.served(near.freshUntilMs > now() ? 'hit' : 'stale')
        return near.value
      }
      if (options.onDeadline === 'load') return late()
      throw error
    }
    const seen = found
    const entry = seen?.entry
    const fresh = seen?.status === 'fresh'
    let dead = seen?.dead
    let leads = false
    const enter = (early: boolean, background: boolean): Load =>
      loads.enter({ to, seen, arrived, knew, background, onTurn, finishes: options.finish }, () => {
        leads = true
        const hints = entry?.mark === NO_VALUE && entry.tags
        const tags = hints ? withHints(plan.tags, hints) : plan.tags
        const hardMs = background ? Math.min(plan.hardMs, BUDGET_MS) : plan.hardMs
        const own = { hardMs, tags, key, to, loader, arrived, seen, knew, dead, early, background, onTurn }
        return { ...through, ...plan, ...own }
      })
    if (entry && fresh && !force) {
      const hit = await open(to, entry, limit, 'hit', { key, found: seen, plan })
      if (hit) {
        const { writtenMs, loadMs, freshUntilMs } = entry
        if (freshUntilMs < NEVER && options.refresh?.({ writtenMs, loadMs, freshUntilMs, nowMs: core.clock.now() })) {
          const load = enter(true, true)
          if (!loads.goOn(load, through)) await within(load.result.catch(nothing), limit)
          loads.leave(load)
        }
        return hit.value
      }
      // It cannot be decoded: the lease treats it as gone.
      dead = entry.id
    }
    through.miss()
    const stale = seen?.status === 'stale' || (fresh && force) ? entry : undefined
    const serveStale = async (): Promise<Box | undefined> => {
      if (!seen && near) {
        // The store is away.
        through.served('stale')
        return near
      }
      return stale && seen && (stale.freshUntilMs === stale.expiresMs || isKept(stale, core.clock.now()))
        ? open(to, stale, { ...limit, deadline: NEVER }, 'stale', { key, found: seen, plan })
        : undefined
    }
    if (!force && core.failures.get(to)) {
      const copy = await serveStale()
      if (copy) return copy.value
    }
    const load = enter(force, false)
    try {
      const guarded = MORTAL && !leads
      let softAt = stale ? now() + plan.softMs : NEVER
      let outcome: Awaited<ReturnType<typeof patient>>
      for (;;) {
        outcome = await patient(load, guarded, softAt, limit)
        if (outcome === 'unsure') {
          const seen = await lookOrAway(through, to, [...(load.context?.tags.keys() ?? [])], '', limit)
          if (loads.mayJoin(load, seen, arrived)) continue
          outcome = { liveId: '' }
        }
        if (outcome !== 'slow') break
        softAt = NEVER
        // Where nothing would keep the load, there is no answer before its end.
        const copy = loads.goOn(load, through) && (await serveStale())
        if (copy) return copy.value
      }
      if (!outcome) return undefined
      if ('mark' in outcome) {
        const decoding = core.bound(core.decode(outcome, to), limit)
        const value = decoding instanceof Promise ? await decoding : decoding
        const { schema } = plan
        // Another's load, which another schema has checked, or none.
        if (!schema || load.job.schema === schema || (await core.bound(conform(schema, value), limit))) return value
        liveId = ''
      } else {
        if (outcome.failed) {
          if (plan.shareMs > 0 && !force) throw new HitherError('LOAD_FAILED', OTHERS_FAILURE, { retryable: true })
          // It was another caller that asked to share it.
          continue
        }
        liveId = outcome.liveId
      }
      force = false
    } catch (error) {
      for (const signal of limit.signals) if (signal.aborted) throw signal.reason
      const copy = await serveStale()
      if (copy) return copy.value
      if (options.onDeadline === 'load' && isPast(limit)) return await late(load)
      throw error
    } finally {
      loads.leave(load)
    }
  }
}

/** Runs the loader for one caller and stores nothing. */
export async function runAlone(
  through: ReadThrough,
  key: string,
  loader: Loader<unknown>,
  plan: LoadPlan,
  limit: Limit,
): Promise<unknown> {
  const { core, loads, space } = through
  const to = space.key(key)
  const load = loads.alone({ ...through, ...plan, key, to, loader, arrived: loads.starts() })
  try {
    const coded = (await within(load.result, limit)) as Coded | undefined
    return coded && (await core.bound(core.decode(coded, to), limit))
  } finally {
    loads.leave(load)
  }
}

/** Whether an entry kept near is to be refreshed ahead of time: then the store is asked. `aheadMs`: its clock, of this one. */
function isDue({ writtenMs, freshUntilMs, note }: NearEntry, { refresh }: GetOrSetOptions, aheadMs: number): boolean {
  const [loadMs, nowMs] = [note?.loadMs ?? 0, now()]
  return !!refresh?.({ writtenMs: writtenMs - aheadMs, freshUntilMs, loadMs, nowMs })
}

/** Undefined: the store is away. */
async function lookOrAway(
  { core, space, emit }: ReadThrough,
  to: string,
  tags: readonly string[],
  liveId: string,
  limit: Limit,
  sent?: Sent,
): Promise<Found | undefined> {
  try {
    return await within(look(core, space, to, tags, liveId, false, sent), limit)
  } catch (error) {
    checkLimit(limit)
    if (!core.isFault(error, emit)) throw error
    return undefined
  }
}

/**
 * The load's result, or `slow` at `softAt`. `guarded`: `unsure` from time to time, since another request's load may have
 * ended without a word: the store knows whether its lease stands.
 */
function patient(
  load: Load,
  guarded: boolean,
  softAt: number,
  limit: Limit,
): Promise<Awaited<Load['result']> | 'slow' | 'unsure'> {
  const fail = (error: unknown): never => {
    throw error
  }
  let work: Promise<Awaited<Load['result']> | 'slow' | 'unsure'> = load.result
  if (guarded) {
    const unsure = guard().then(() => 'unsure' as const)
    // A runtime may reject what the end of a request has left pending.
    work = Promise.race([work.catch((error: unknown) => (load.over ? fail(error) : unsure)), unsure])
  }
  if (softAt < NEVER) {
    const soft = { signals: [], deadline: softAt }
    work = within(work, soft).catch((error: unknown) => (isPast(soft) && !load.over ? 'slow' : fail(error)))
  }
  return within(work, limit)
}

function isPast({ deadline }: Limit): boolean {
  return deadline <= now()
}
