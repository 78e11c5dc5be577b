import { toMs } from '../protocol/duration.ts'
import { type Entry, NO_VALUE } from '../protocol/entry.ts'
import { now } from '../runtime/clock.ts'
import { checkLimit, type Limit, within } from '../runtime/deadline.ts'
import { type Coded, type Core, type Emit, invalid, isOutage, type Life, type Space } from './core.ts'
import type { Load, LoadJob, Loads } from './load.ts'
import { type Found, look } from './look.ts'
import type { GetOrSetOptions, Loader, WaitUntil } from './types.ts'
import { checkTags, parseTags } from './versions.ts'

/** What a read-through needs of its view. */
export interface ReadThrough {
  readonly core: Core
  readonly loads: Loads
  readonly space: Space
  readonly emit: Emit
  readonly waitUntil: WaitUntil | undefined
  /** The value of a usable entry, in a box; undefined when it cannot be decoded. Counts and tells. */
  open(to: string, entry: Entry, as: 'hit' | 'stale'): Promise<{ readonly value: unknown } | undefined>
  miss(): void
}

/** The options of a load, checked; throws `INVALID_ARGUMENT` or `INVALID_DURATION`. */
export interface LoadPlan {
  readonly options: GetOrSetOptions
  readonly life: Life
  readonly tags: readonly string[]
  readonly hardMs: number
  readonly softMs: number
  readonly backoffMs: number
}

export function planLoad(core: Core, options: GetOrSetOptions = {}): LoadPlan {
  const {
    hardTimeout,
    softTimeout,
    backoff,
    negativeTtl,
    jitter = 0,
    bypass,
    forceFresh,
    onDeadline = 'fail',
  } = options
  const life = core.life(options)
  const plan = {
    options,
    life,
    tags: checkTags(options.tags ?? [], life.lifeMs),
    hardMs: hardTimeout === undefined ? core.hardTimeoutMs : toMs(hardTimeout, 'hardTimeout'),
    softMs: softTimeout === undefined ? Number.POSITIVE_INFINITY : toMs(softTimeout, 'softTimeout', 0),
    backoffMs: backoff === undefined ? 0 : toMs(backoff, 'backoff', 0),
  }
  if (negativeTtl !== undefined) toMs(negativeTtl, 'negativeTtl')
  if (!(jitter >= 0 && jitter < 1)) throw invalid('jitter is a fraction, at least 0 and below 1')
  if (onDeadline !== 'fail' && onDeadline !== 'load') throw invalid("onDeadline is 'fail' or 'load'")
  if (bypass && forceFresh) throw invalid('bypass and forceFresh exclude each other')
  if (softTimeout !== undefined && plan.softMs >= plan.hardMs) throw invalid('softTimeout is shorter than hardTimeout')
  if (plan.softMs !== Number.POSITIVE_INFINITY && life.freshMs === life.lifeMs && !core.plain) {
    throw invalid('softTimeout needs grace: without a stale copy there is nothing to serve')
  }
  return plan
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
  const { core, loads, space, emit, waitUntil } = through
  const { options, life, hardMs } = plan
  const to = space.key(key)
  const job = (seen: LoadJob['seen'], dead: string, early: boolean, background: boolean): LoadJob => {
    const hints = seen !== 'away' && seen.entry?.mark === NO_VALUE ? parseTags(seen.entry.tags).keys() : []
    const tags = [...new Set([...plan.tags, ...hints])]
    return {
      space,
      stored: to,
      key,
      loader,
      life,
      tags,
      hardMs,
      options,
      emit,
      waitUntil,
      seen,
      dead,
      early,
      background,
      onTurn,
    }
  }
  const decode = (coded: Coded | undefined): unknown => coded && core.decode(coded, to)
  let liveId = ''
  let force = options.forceFresh === true
  for (;;) {
    const seen = await lookOrAway(through, to, plan.tags, liveId, limit)
    const found = seen === 'away' ? undefined : seen
    const entry = found?.entry
    let dead = found?.dead ?? ''
    if (entry && found.status === 'fresh' && !force) {
      const hit = await through.open(to, entry, 'hit')
      if (hit) {
        refreshAhead(through, entry, job(seen as Found, dead, true, true))
        return hit.value
      }
      // It cannot be decoded: the lease treats it as gone.
      dead = entry.id
    }
    through.miss()
    const stale = entry && (found.status === 'stale' || (force && found.status === 'fresh')) ? entry : undefined
    const serveStale = async (): Promise<{ readonly value: unknown } | undefined> =>
      stale && (stale.freshUntilMs === stale.expiresMs || stale.expiresMs > now())
        ? through.open(to, stale, 'stale')
        : undefined
    if (stale && core.failures.get(to) && !force) {
      const copy = await serveStale()
      if (copy) return copy.value
    }
    const load = loads.enter(job(seen, dead, force, false))
    try {
      const outcome = await patient(load, stale ? plan.softMs : Number.POSITIVE_INFINITY, limit)
      if (outcome === 'slow') {
        const copy = await serveStale()
        if (copy) {
          goOn(through, load)
          return copy.value
        }
      }
      const coded = outcome === 'slow' ? await within(load.result, limit) : outcome
      if (coded && 'liveId' in coded) {
        liveId = coded.liveId
        force = false
        continue
      }
      return await decode(coded)
    } catch (error) {
      for (const signal of limit.signals) if (signal.aborted) throw signal.reason
      if (plan.backoffMs > 0 && stale) core.failures.set(to, true, plan.backoffMs)
      const copy = await serveStale()
      if (copy) return copy.value
      if (options.onDeadline === 'load' && isPast(limit)) return runAlone(through, key, to, loader, plan, limit)
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
  to: string,
  loader: Loader<unknown>,
  plan: LoadPlan,
  { signals }: Limit,
): Promise<unknown> {
  const { core, loads, space, emit, waitUntil } = through
  const load = loads.alone({
    space,
    stored: to,
    key,
    loader,
    life: plan.life,
    tags: [],
    hardMs: plan.hardMs,
    options: plan.options,
    emit,
    waitUntil,
    seen: 'away',
    dead: '',
    early: false,
    background: false,
  })
  try {
    const coded = (await within(load.result, { signals, deadline: undefined })) as Coded | undefined
    return coded && (await core.decode(coded, to))
  } finally {
    loads.leave(load)
  }
}

async function lookOrAway(
  { core, loads, space, emit }: ReadThrough,
  to: string,
  tags: readonly string[],
  liveId: string,
  limit: Limit,
): Promise<Found | 'away'> {
  try {
    return await within(look(core, space, to, new Set([...tags, ...loads.tagsOf(to)]), { liveId }), limit)
  } catch (error) {
    checkLimit(limit)
    if (!isOutage(error)) throw error
    core.isFault(error, emit)
    return 'away'
  }
}

/** The load's result, or `slow` after `softMs`. */
function patient(load: Load, softMs: number, limit: Limit): Promise<Awaited<Load['result']> | 'slow'> {
  if (softMs === Number.POSITIVE_INFINITY) return within(load.result, limit)
  const soft = { signals: [], deadline: now() + softMs }
  const slow = within(load.result, soft).catch((error: unknown) => {
    if (isPast(soft) && !load.over) return 'slow' as const
    throw error
  })
  return within(slow, limit)
}

function isPast({ deadline }: Limit): boolean {
  return deadline !== undefined && deadline <= now()
}

/** Lets a load go on without its callers. */
function goOn({ core, waitUntil }: ReadThrough, load: Load): void {
  load.kept = true
  core.background.add(
    load.result.catch(() => {}),
    waitUntil,
  )
}

function refreshAhead(through: ReadThrough, entry: Entry, job: LoadJob): void {
  const { refresh } = job.options
  if (!refresh || entry.freshUntilMs === Number.POSITIVE_INFINITY) return
  const { writtenMs, loadMs, freshUntilMs } = entry
  if (!refresh({ writtenMs, loadMs, freshUntilMs, nowMs: now() })) return
  const load = through.loads.enter(job)
  goOn(through, load)
  through.loads.leave(load)
}
