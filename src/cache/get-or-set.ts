import { toMs } from '../protocol/duration.ts'
import { isKept, NO_VALUE } from '../protocol/entry.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { checkLimit, type Limit, within } from '../runtime/deadline.ts'
import { type Coded, type Core, invalid, nothing } from './core.ts'
import type { Box, Load, LoadJob, LoadPlan, ReadThrough } from './load.ts'
import { type Found, look } from './look.ts'
import type { GetOrSetOptions, Loader } from './types.ts'
import { checkTags, parseTags } from './versions.ts'

/** Checks the options of a load: throws `INVALID_ARGUMENT` or `INVALID_DURATION`. */
export function planLoad(core: Core, options: GetOrSetOptions = {}): LoadPlan {
  const { hardTimeout, softTimeout, negativeTtl = 1, jitter = 0, onDeadline = 'fail' } = options
  const life = core.life(options)
  const { freshMs, lifeMs } = life
  const tags = checkTags(options.tags ?? [], lifeMs)
  const hardMs = hardTimeout === undefined ? core.hardTimeoutMs : toMs(hardTimeout, 'hardTimeout')
  const softMs = softTimeout === undefined ? NEVER : toMs(softTimeout, 'softTimeout', 0)
  toMs(negativeTtl, 'negativeTtl')
  if (!(jitter >= 0 && jitter < 1)) throw invalid('jitter is at least 0 and below 1')
  if (!/^(fail|load)$/.test(onDeadline)) throw invalid("onDeadline is 'fail' or 'load'")
  if (options.bypass && options.forceFresh) throw invalid('bypass or forceFresh, not both')
  if (softMs < NEVER) {
    if (softMs >= hardMs) throw invalid('softTimeout is shorter than hardTimeout')
    if (freshMs === lifeMs && !core.plain) throw invalid('softTimeout needs grace')
  }
  return { options, life, tags, hardMs, softMs, backoffMs: toMs(options.backoff ?? 0, 'backoff', 0) }
}

/** One caller's read-through. Resolves to the value, as the stored form gives it back. */
export async function getOrSet(
  through: ReadThrough,
  key: string,
  loader: Loader<unknown>,
  plan: LoadPlan,
  limit: Limit,
  onTurn?: LoadJob['onTurn'],
): Promise<unknown> {
  const { core, loads, space, open } = through
  const { options } = plan
  const to = space.key(key)
  let liveId = ''
  let force = !!options.forceFresh
  for (;;) {
    const knew = loads.contextOf(to)
    const seen = await lookOrAway(through, to, [...plan.tags, ...(knew?.tags.keys() ?? [])], liveId, limit)
    const entry = seen?.entry
    const fresh = seen?.status === 'fresh'
    let dead = seen?.dead
    const enter = (early: boolean, background: boolean): Load => {
      const hints = parseTags(entry?.mark === NO_VALUE ? entry.tags : '').keys()
      const tags = [...new Set([...plan.tags, ...hints])]
      return loads.enter({ ...through, ...plan, tags, key, to, loader, seen, knew, dead, early, background, onTurn })
    }
    if (entry && fresh && !force) {
      const hit = await open(to, entry, 'hit')
      if (hit) {
        const { writtenMs, loadMs, freshUntilMs } = entry
        if (freshUntilMs < NEVER && options.refresh?.({ writtenMs, loadMs, freshUntilMs, nowMs: now() })) {
          const load = enter(true, true)
          goOn(through, load)
          loads.leave(load)
        }
        return hit.value
      }
      // It cannot be decoded: the lease treats it as gone.
      dead = entry.id
    }
    through.miss()
    const stale = seen?.status === 'stale' || (fresh && force) ? entry : undefined
    const serveStale = async (): Promise<Box | undefined> =>
      stale && (stale.freshUntilMs === stale.expiresMs || isKept(stale, now())) ? open(to, stale, 'stale') : undefined
    if (!force && core.failures.get(to)) {
      const copy = await serveStale()
      if (copy) return copy.value
    }
    const load = enter(force, false)
    try {
      let outcome = await patient(load, stale ? plan.softMs : NEVER, limit)
      if (outcome === 'slow') {
        const copy = await serveStale()
        if (copy) {
          goOn(through, load)
          return copy.value
        }
        outcome = await within(load.result, limit)
      }
      if (!outcome || 'mark' in outcome) return await decoded(core, outcome, to)
      liveId = outcome.liveId
      force = false
    } catch (error) {
      for (const signal of limit.signals) if (signal.aborted) throw signal.reason
      const copy = await serveStale()
      if (copy) return copy.value
      if (options.onDeadline === 'load' && isPast(limit))
        return runAlone(through, key, loader, plan, { ...limit, deadline: NEVER })
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
  const load = loads.alone({ ...through, ...plan, key, to, loader })
  try {
    return await decoded(core, (await within(load.result, limit)) as Coded | undefined, to)
  } finally {
    loads.leave(load)
  }
}

function decoded(core: Core, coded: Coded | undefined, to: string): unknown {
  return coded && core.decode(coded, to)
}

/** Undefined: the store is away. */
async function lookOrAway(
  { core, space, emit }: ReadThrough,
  to: string,
  tags: readonly string[],
  liveId: string,
  limit: Limit,
): Promise<Found | undefined> {
  try {
    const found = await within(look(core, space, to, new Set(tags), liveId), limit)
    core.heard++
    return found
  } catch (error) {
    checkLimit(limit)
    if (!core.isFault(error, emit)) throw error
    return undefined
  }
}

/** The load's result, or `slow` after `softMs`. */
function patient(load: Load, softMs: number, limit: Limit): Promise<Awaited<Load['result']> | 'slow'> {
  if (softMs === NEVER) return within(load.result, limit)
  const soft = { signals: [], deadline: now() + softMs }
  const slow = within(load.result, soft).catch((error: unknown) => {
    if (isPast(soft) && !load.over) return 'slow' as const
    throw error
  })
  return within(slow, limit)
}

function isPast({ deadline }: Limit): boolean {
  return deadline <= now()
}

/** Lets a load go on without its callers. */
function goOn({ core, emit, waitUntil }: ReadThrough, load: Load): void {
  load.kept = true
  try {
    core.background.add(load.result.catch(nothing), waitUntil)
  } catch {
    // A runtime's waitUntil throws once its request is over. The work goes on, tracked.
    emit({ type: 'background-error', code: undefined })
  }
}
