import { type Chance, createChance } from './chance.ts'

/** What a seed has beside its calls. */
export interface Behaviours {
  /** Some writes are events when they fail, and the store is away for longer. */
  readonly events: boolean
  /** The near tier reads a log of changes. */
  readonly pulls: boolean
  /** Values are shared with other programs: no leases, tags or grace. */
  readonly plain: boolean
  /** Some loads go on when their callers have left; some failures are shared. */
  readonly finishes: boolean
  readonly shares: boolean
  /** For those two. */
  readonly loads: Chance
  /** For what these bring along. */
  readonly chance: Chance
}

/** By chance, from a stream of its own: a seed that has none of them plays what it always has. */
export function behavioursOf(seed: number): Behaviours {
  const chance = createChance(seed ^ 0x1f3d5b79)
  const loads = createChance(seed ^ 0x4b1d9e37)
  const [finishes, shares] = [loads.hit(0.3), loads.hit(0.3)]
  return { events: chance.hit(0.25), pulls: chance.hit(0.2), plain: chance.hit(0.15), chance, finishes, shares, loads }
}
