import type { Call } from '../store/store.ts'
import { isOne, type Lifetime, type Place, placeOf, type StructureSpace, toNumber } from './place.ts'

/** Counts distinct values in at most 12 KB, with a standard error of 0.81 %. https://redis.io/docs/latest/develop/data-types/probabilistic/hyperloglogs/ */
export interface HyperLogLog<T> extends Lifetime {
  /** Resolves to whether the estimate changed. */
  add(values: readonly T[], call?: Call): Promise<boolean>
  /** How many distinct values were added to this one and those at `keys` together. On a Cluster all must share a slot. */
  count(keys?: readonly string[], call?: Call): Promise<number>
  /** Merges the HyperLogLogs at `keys` into this one. On a Cluster all must share a slot. */
  merge(keys: readonly string[], call?: Call): Promise<void>
}

/** A HyperLogLog at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function hyperLogLog<T = unknown>(space: StructureSpace, key: string): HyperLogLog<T> {
  return hyperLogLogAt(placeOf<T>(space, key))
}

export function hyperLogLogAt<T>(place: Place<T>): HyperLogLog<T> {
  const { read, write, texts, lifetime } = place
  return {
    ...lifetime,
    async add(values, call) {
      const parts = texts(values)
      return parts.length > 0 && write('PFADD', parts, isOne, call)
    },
    count: (keys = [], call) => read('PFCOUNT', { others: keys }, toNumber, call),
    merge: (keys, call) => write('PFMERGE', { others: keys }, () => undefined, call),
  }
}
