import type { Call } from '../store/store.ts'
import { isOne, type Lifetime, type Place, placeOf, type StructureSpace, toNumber } from './place.ts'

/** Counts distinct values in at most 12 KB, with a standard error of 0.81 %. https://redis.io/docs/latest/develop/data-types/probabilistic/hyperloglogs/ */
export interface HyperLogLog<T> extends Lifetime {
  /** Resolves to whether the estimate changed. */
  add(values: readonly T[], call?: Call): Promise<boolean>
  /** How many distinct values were added, to this one and to those at `keys`; on a Cluster all of them share a slot. */
  count(keys?: readonly string[], call?: Call): Promise<number>
  /** Adds what was added to those at `keys`. */
  merge(keys: readonly string[], call?: Call): Promise<void>
}

/** A HyperLogLog at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function hyperLogLog<T = unknown>(space: StructureSpace, key: string): HyperLogLog<T> {
  return hyperLogLogAt(placeOf<T>(space, key))
}

export function hyperLogLogAt<T>(place: Place<T>): HyperLogLog<T> {
  const { key, read, write, encoded, lifetime } = place
  const withOthers = (keys: readonly string[]): string[] => [key, ...keys.map(place.keyOf)]
  return {
    ...lifetime,
    async add(values, call) {
      if (values.length === 0) return false
      return write(
        encoded(values, (texts) => ['PFADD', key, ...texts]),
        isOne,
        call,
      )
    },
    async count(others = [], call) {
      const keys = withOthers(others)
      return read(['PFCOUNT', ...keys], toNumber, call, keys)
    },
    async merge(others, call) {
      const keys = withOthers(others)
      return write(['PFMERGE', ...keys], () => undefined, call, keys)
    },
  }
}
