import type { GetOrSetOptions, LoadContext } from '../../src/cache/types.ts'
import type { Calls } from './calls.ts'
import { type Asking, hasFailed, idOf, type Life } from './facts.ts'
import type { Node } from './nodes.ts'
import { oneAtATime } from './one-at-a-time.ts'
import type { Stage } from './stage.ts'
import { isCode } from './wording.ts'

type Loader = (context: Partial<LoadContext>) => Promise<unknown>

/** Loaders that take time, fail, or decide late, and what their callers may get. */
export interface Loaders {
  /** Returns a loader whose behaviour is drawn when its call is made. */
  loaderOf(
    node: Node,
    asking: Asking,
    load: { readonly key: string; readonly options: GetOrSetOptions; readonly many: boolean },
  ): Loader
  /** Records that loads of these nodes and keys run from `since` until `work` has settled. */
  during<T>(whose: readonly string[], since: number, work: () => Promise<T>): Promise<T>
  loadOptions(node: Node, many: boolean): GetOrSetOptions
  /** Whether a call that reads through may reject with this error. */
  mayFail(key: string | readonly string[], options: GetOrSetOptions): (asking: Asking, error: unknown) => boolean
  /** Judges the result of a call that reads through. */
  readThrough(asking: Asking, key: string, answer: unknown, options: GetOrSetOptions): void
}

const FAILED = new Error('the loader failed')

export function createLoaders(stage: Stage, { someTags, limits, early, checkKey }: Calls): Loaders {
  const { world, oracle, lives, tell, chances, scenario } = stage
  const { plan, loads } = chances
  const { hardMs, long, plain, backs, grace, finishes, shares } = scenario

  /** When a load last failed, by node and key. */
  const failures = new Map<string, number>()
  const begins = oneAtATime(world, oracle, hardMs)
  /** Loads under way and the virtual instants at which they began, by node and key. */
  const running = new Map<string, Set<{ readonly since: number }>>()
  const during = async <T>(whose: readonly string[], since: number, work: () => Promise<T>): Promise<T> => {
    const run = { since }
    for (const who of whose) running.set(who, (running.get(who) ?? new Set()).add(run))
    let failed = true
    try {
      const result = await work()
      failed = world.time - since > hardMs - 2
      return result
    } finally {
      for (const who of whose) {
        running.get(who)?.delete(run)
        if (failed) failures.set(who, world.tick())
      }
    }
  }
  const ranLong = (who: string): boolean =>
    [...(running.get(who) ?? [])].some(({ since }) => world.time - since > hardMs - 2)
  const loaderOf: Loaders['loaderOf'] = (node, asking, { key, options, many }) => {
    const length = plan.hit(0.05)
      ? plan.between(hardMs, 2 * hardMs)
      : plan.hit(0.3)
        ? plan.about(long ? 4000 : 300)
        : plan.about(15)
    const end = plan.float()
    const named = plan.hit(0.1) ? someTags() : []
    const who = `${node.name} ${asking.names.key(key)}`
    return async ({
      setTags,
      setTtl,
      skip,
      notModified,
      fail,
      previous,
      signal,
    }: Partial<LoadContext>): Promise<unknown> => {
      const past = options.deadline !== undefined && options.deadline <= node.machine.now()
      const load = oracle.loading(asking, key, !!options.bypass || past || plain)
      const ran = plain ? begins(asking, asking.names.key(key), node.life, signal) : undefined
      tell(
        node.name,
        () =>
          `       loads ${asking.names.key(key)} (call ${asking.from}, at ${load.began}) for ${length.toFixed(1)} ms`,
      )
      const started = world.time
      await (many ? world.sleep(length, node.machine) : during([who], started, () => world.sleep(length, node.machine)))
      // Judged only where this load certainly held the lease. Another load that still runs may hold it. A load that all callers left
      // released it at that moment, when the store may have been down.
      if (!many && !signal?.aborted && !running.get(who)?.size) load.ended()
      ran?.()
      oracle.unarrived.touched(node.name, asking.names.key(key), 0)
      const late = !many && world.time - started > hardMs + 100 && node.life.isUp(world.time - started)
      if (end < 0.1) {
        failures.set(who, world.tick())
        tell(node.name, () => `       fails to load ${asking.names.key(key)} (at ${load.began})`)
        if (end < 0.05 && fail) fail(FAILED)
        throw FAILED
      }
      if (end < 0.15 && notModified && previous !== undefined) {
        const id = idOf(previous.value)
        if (id !== undefined) oracle.loaded(id, load, asking, key, options.tags ?? [], [])
        tell(node.name, () => `       #${id} of ${asking.names.key(key)} is not modified (at ${load.began})`)
        return notModified()
      }
      if (end < 0.18) return undefined
      const id = stage.nextId()
      const skips = end < 0.28 && skip
      const unstored = skips ? 'which was to be skipped' : late ? 'whose loader ran longer than hardTimeout' : undefined
      if (end < 0.25 && setTtl) setTtl(plan.pick([100, 2000]), plan.pick([0, 1000]))
      if (named.length > 0 && setTags) setTags(named)
      oracle.loaded(id, load, asking, key, options.tags ?? [], setTags ? named : [], unstored)
      tell(node.name, () => `       has loaded #${id} for ${asking.names.key(key)} (at ${load.began})`)
      const value = { key, id }
      return skips ? skips(value) : value
    }
  }
  const loadOptions = (node: Node, many: boolean): GetOrSetOptions => {
    const options: Record<string, unknown> = { ...(!plain && { tags: someTags() }), ...limits(node) }
    if (plan.hit(0.3)) options.ttl = plan.pick([50, 300, 2000])
    if (plain) return options
    if (plan.hit(0.3)) options.grace = plan.pick([0, 300, 5000])
    const stale = Number(options.grace ?? grace) > 0
    if (stale && plan.hit(0.2)) options.softTimeout = plan.pick([0, 5, 50])
    if (backs && plan.hit(0.2)) options.backoff = plan.pick([100, 1000])
    if (plan.hit(0.1)) options.jitter = 0.3
    if (plan.hit(0.05)) options.negativeTtl = 100
    if (plan.hit(0.05)) options.onDeadline = 'load'
    if (finishes && loads.hit(0.3)) options.finish = true
    if (shares && loads.hit(0.3)) options.shareFailure = loads.pick([50, 1000])
    const kind = plan.float()
    if (kind < 0.08) options.forceFresh = true
    else if (kind < 0.12 && !many) options.bypass = true
    else if (kind < 0.2 && !many)
      options.refresh = (entry: { freshUntilMs: number; writtenMs: number; nowMs: number }) =>
        entry.nowMs >= entry.writtenMs + (entry.freshUntilMs - entry.writtenMs) / 2
    return options
  }
  /** Whether a stale value is allowed. */
  const wasTrouble = (asking: Asking, key: string, options: GetOrSetOptions): boolean => {
    const who = `${asking.node} ${asking.names.key(key)}`
    const at = failures.get(who) ?? 0
    return (
      ranLong(who) ||
      world.time - asking.since > hardMs - 2 ||
      options.softTimeout !== undefined ||
      options.shareFailure !== undefined ||
      options.signal !== undefined ||
      options.deadline !== undefined ||
      hasFailed(lives.get(asking.node) as Life, asking) ||
      at > asking.from ||
      backs
    )
  }
  const mayFail =
    (key: string | readonly string[], options: GetOrSetOptions) =>
    (asking: Asking, error: unknown): boolean =>
      error === FAILED ||
      (isCode(error, 'LOAD_FAILED') && options.shareFailure !== undefined) ||
      early(options)(asking, error) ||
      (isCode(error, 'TIMEOUT') &&
        [key].flat().some((one) => {
          const who = `${asking.node} ${asking.names.key(one)}`
          return ranLong(who) || world.time - asking.since > hardMs - 2 || (failures.get(who) ?? 0) > asking.from
        }))
  const readThrough = (asking: Asking, key: string, answer: unknown, options: GetOrSetOptions): void => {
    checkKey(asking, key, answer)
    // A call whose deadline passed before the store replied may have run an unshared load.
    const alone = options.onDeadline === 'load' && options.deadline !== undefined
    const exact = !options.forceFresh && !options.bypass && !alone
    const near = exact && !options.refresh
    oracle.answered(asking, key, idOf(answer), {
      exact,
      maybeStale: wasTrouble(asking, key, options),
      joins: true,
      near,
    })
  }

  return { loaderOf, during, loadOptions, mayFail, readThrough }
}
