import { behavioursOf } from './behaviours.ts'
import type { Chance } from './chance.ts'

/** What is decided for a whole history, from its seed. */
export interface Scenario {
  /** Some writes are events when they fail, and the store is away for longer. */
  readonly events: boolean
  /** The near tier reads a log of changes. */
  readonly pulls: boolean
  /** Values are shared with other programs: no leases, tags or grace. */
  readonly plain: boolean
  /** Some loads go on when their callers have left; some failures are shared. */
  readonly finishes: boolean
  readonly shares: boolean
  /** Loads are now and then longer than a lease, which is then renewed. */
  readonly long: boolean
  /** How long a loader may run. */
  readonly hardMs: number
  /** How bad the network is; 0: nothing is lost. */
  readonly harsh: number
  /** How many nodes there are at a time. */
  readonly count: number
  readonly ttl: number
  readonly grace: number
  /** Clocks differ. */
  readonly skews: boolean
  /** Whether a load that failed is let rest: the stale copy may then answer any later call. */
  readonly backs: boolean
  /** One connection a node, where nothing overtakes. */
  readonly inOrder: boolean
  readonly tier: 'none' | 'near' | 'feed' | 'pull'
  readonly maxAge: number
  /** How long a node may not hear of what another has ended. */
  readonly lateMs: number
}

/** Streams of chance: what happens is drawn from `plan`, what the behaviours of a seed add from the others. */
export interface Chances {
  readonly plan: Chance
  readonly extra: Chance
  readonly loads: Chance
}

/** How long a message takes to arrive and be told, where none is lost. */
const FEED_MS = 500
/** How late the near tier may look at the clock. */
export const COARSE_MS = 1100

/** The order of what is drawn is part of every seed. */
export function scenarioOf(seed: number, plan: Chance): { readonly scenario: Scenario; readonly chances: Chances } {
  const long = seed % 6 === 0
  const hardMs = long ? 9000 : 1500
  const { events, pulls, plain, chance: extra, finishes, shares, loads } = behavioursOf(seed)
  const weather = plan.pick([0, 0.3, 1, 2])
  // What does not arrive needs a store that fails.
  // What the log of changes brings in time shows where nothing is lost.
  const calm = pulls && !events && extra.hit(0.6)
  const harsh = calm ? 0 : events ? Math.max(weather, 0.3) : weather
  const count = 1 + plan.below(4)
  const ttl = plan.pick([400, 3000, 3000, 60_000])
  const anyGrace = plan.pick([0, 0, 500, 5000])
  const grace = plain ? 0 : anyGrace
  const skews = plan.hit(0.3)
  const backs = plan.hit(0.2)
  const inOrder = plan.hit(0.5)
  const anyTier = plan.pick(['none', 'none', 'near', 'feed'] as const)
  const tier = pulls ? 'pull' : events && anyTier === 'none' ? 'near' : anyTier
  const anyAge = plan.pick([300, 2000])
  const maxAge = events ? extra.pick([anyAge, anyAge, 8000]) : anyAge
  /** With nothing lost, what another node has ended is known soon. */
  const lateMs = tier === 'none' ? 0 : tier === 'feed' && harsh === 0 ? FEED_MS : maxAge + COARSE_MS
  const decided = { events, pulls, plain, finishes, shares, long, hardMs, harsh, count, ttl, grace, skews, backs }
  return { scenario: { ...decided, inOrder, tier, maxAge, lateMs }, chances: { plan, extra, loads } }
}
