import { md5 } from './md5.ts'

/** Places keys on servers. */
export interface Ring {
  /** Index of the key's server; with `isDown`, of the first server after it on the ring that is not down. */
  pick(key: string, isDown?: (server: number) => boolean): number
}

const HASHES_PER_SERVER = 40
const POINTS_PER_HASH = 4

/**
 * Consistent hashing as ketama does it, with 160 points a server. An added server moves as few keys as possible, and any client
 * that places keys by ketama finds them. `names` are `host`, or `host:port` for a port other than 11211.
 */
export function createRing(names: readonly string[]): Ring {
  if (names.length === 1) return { pick: () => 0 }
  const points: (readonly [point: number, server: number])[] = []
  names.forEach((name, server) => {
    for (let i = 0; i < HASHES_PER_SERVER; i++) {
      const digest = new DataView(md5(`${name}-${i}`).buffer)
      for (let j = 0; j < POINTS_PER_HASH; j++) points.push([digest.getUint32(4 * j, true), server])
    }
  })
  points.sort(([a], [b]) => a - b)
  return {
    pick(key, isDown) {
      const hash = new DataView(md5(key).buffer).getUint32(0, true)
      let low = 0
      let high = points.length
      while (low < high) {
        const middle = (low + high) >> 1
        if ((points[middle]?.[0] as number) < hash) low = middle + 1
        else high = middle
      }
      const at = (step: number): number => points[(low + step) % points.length]?.[1] as number
      let step = 0
      while (isDown && step < points.length && isDown(at(step))) step++
      return at(step % points.length)
    },
  }
}
