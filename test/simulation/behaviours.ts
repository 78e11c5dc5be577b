import { type Chance, createChance } from './chance.ts'

/** What a seed adds to its calls. */
export interface Behaviours {
  /** Failures of some writes are events, and the store is down for longer. */
  readonly events: boolean
  /** The near tier reads a log of changes. */
  readonly pulls: boolean
  /** Values are shared with other programs: no leases, tags or grace. */
  readonly plain: boolean
  /** `finishes`: some loads continue after their callers left. `shares`: some failures are shared. */
  readonly finishes: boolean
  readonly shares: boolean
  /** Decides `finishes` and `shares`. */
  readonly loads: Chance
  /** Decides what these behaviours bring along. */
  readonly chance: Chance
}

/** Draws from a separate stream, so that a seed without these behaviours plays the same history as before them. */
export function behavioursOf(seed: number): Behaviours {
  const chance = createChance(seed ^ 0x1f3d5b79)
  const loads = createChance(seed ^ 0x4b1d9e37)
  const [finishes, shares] = [loads.hit(0.3), loads.hit(0.3)]
  return { events: chance.hit(0.25), pulls: chance.hit(0.2), plain: chance.hit(0.15), chance, finishes, shares, loads }
}
