/** A stream of chance from a seed: the same seed gives the same stream. */
export interface Chance {
  /** A float in [0, 1). */
  float(): number
  /** A float in [low, high). */
  between(low: number, high: number): number
  /** A whole number from 0 to `count` - 1. */
  below(count: number): number
  /** True with this probability. */
  hit(probability: number): boolean
  pick<T>(choices: readonly T[]): T
  /** Mostly small: exponential, with this mean. */
  about(mean: number): number
}

/** A Weyl sequence through two rounds of multiplication and shifts. */
export function createChance(seed: number): Chance {
  let state = Math.imul(seed + 1, 0x85ebca6b)
  const float = (): number => {
    state = (state + 0x9e3779b9) | 0
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32
  }
  const below = (count: number): number => Math.floor(float() * count)
  return {
    float,
    between: (low, high) => low + float() * (high - low),
    below,
    hit: (probability) => float() < probability,
    pick: <T>(choices: readonly T[]) => choices[below(choices.length)] as T,
    about: (mean) => -mean * Math.log(1 - float()),
  }
}
