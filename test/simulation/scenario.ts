import { behavioursOf } from './behaviours.ts'
import type { Chance } from './chance.ts'

/** What the seed decides for the whole history. */
export interface Scenario {
  /** Failures of some writes are events, and the store is down for longer. */
  readonly events: boolean
  /** The near tier reads a log of changes. */
  readonly pulls: boolean
  /** Values are shared with other programs: no leases, tags or grace. */
  readonly plain: boolean
  /** `finishes`: some loads continue after their callers left. `shares`: some failures are shared. */
  readonly finishes: boolean
  readonly shares: boolean
  /** Some loads take longer than a lease, which is then renewed. */
  readonly long: boolean
  /** Longest run of a loader, in milliseconds. */
  readonly hardMs: number
  /** How bad the network is; 0: nothing is lost. */
  readonly harsh: number
  /** Number of nodes at a time. */
  readonly count: number
  readonly ttl: number
  readonly grace: number
  /** Clocks differ. */
  readonly skews: boolean
  /** Loads have a backoff: after a failure the stale copy may serve any later call. */
  readonly backs: boolean
  /** One connection per node, which keeps the order of messages. */
  readonly inOrder: boolean
  readonly tier: 'none' | 'near' | 'feed' | 'pull'
  readonly maxAge: number
  /** Longest delay until a node learns of a barrier of another node, in milliseconds. */
  readonly lateMs: number
}

/** Streams of chance. The history is drawn from `plan`, what the behaviours of a seed add to it from the others. */
export interface Chances {
  readonly plan: Chance
  readonly extra: Chance
  readonly loads: Chance
}

/** Longest delay of a message of the feed, where none is lost. */
const FEED_MS = 500
/** How old the near tier's reading of the clock may be. */
export const COARSE_MS = 1100

/** The order of the draws is part of every seed. */
export function scenarioOf(seed: number, plan: Chance): { readonly scenario: Scenario; readonly chances: Chances } {
  const long = seed % 6 === 0
  const hardMs = long ? 9000 : 1500
  const { events, pulls, plain, chance: extra, finishes, shares, loads } = behavioursOf(seed)
  const weather = plan.pick([0, 0.3, 1, 2])
  // Lost writes need a store that fails. Whether the log of changes is in time shows where nothing is lost.
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
  /** Where nothing is lost, a node learns of barriers of other nodes soon. */
  const lateMs = tier === 'none' ? 0 : tier === 'feed' && harsh === 0 ? FEED_MS : maxAge + COARSE_MS
  const decided = { events, pulls, plain, finishes, shares, long, hardMs, harsh, count, ttl, grace, skews, backs }
  return { scenario: { ...decided, inOrder, tier, maxAge, lateMs }, chances: { plan, extra, loads } }
}
