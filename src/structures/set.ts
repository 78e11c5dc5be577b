import type { Call } from '../store/store.ts'
import type { Wire } from '../store/transport.ts'
import {
  checkWhole,
  decodeAll,
  isOne,
  type Lifetime,
  type Place,
  placeOf,
  type StructureSpace,
  scanPages,
  toList,
  toNumber,
} from './place.ts'

/** Values without order and without doubles, under one key. Values are equal when their encoded text is. */
export interface ValueSet<T> extends Lifetime, AsyncIterable<T> {
  /** Resolves to how many are new. */
  add(values: readonly T[], call?: Call): Promise<number>
  /** Resolves to how many there were. */
  delete(values: readonly T[], call?: Call): Promise<number>
  has(value: T, call?: Call): Promise<boolean>
  /** In the order of `values`. */
  hasMany(values: readonly T[], call?: Call): Promise<boolean[]>
  /** In no order. Iterate over it where it may be large. */
  values(call?: Call): Promise<T[]>
  size(call?: Call): Promise<number>
  /** Removes and resolves to up to `count` of them, by chance. */
  take(count?: number, call?: Call): Promise<T[]>
  /** Up to `count` of them, by chance, without doubles. */
  random(count?: number, call?: Call): Promise<T[]>
  /** What is in this set and in each of the sets at `keys`. On a Cluster all of them share a slot. */
  intersection(keys: readonly string[], call?: Call): Promise<T[]>
  /** What is in this set or in one of the sets at `keys`. */
  union(keys: readonly string[], call?: Call): Promise<T[]>
  /** What is in this set and in none of the sets at `keys`. */
  difference(keys: readonly string[], call?: Call): Promise<T[]>
  /** Pages through the values; what is there all the while comes at least once. */
  [Symbol.asyncIterator](): AsyncIterator<T>
}

/** A set at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function set<T = unknown>(space: StructureSpace, key: string): ValueSet<T> {
  return setAt(placeOf<T>(space, key))
}

const PAGE = 200

export function setAt<T>(place: Place<T>): ValueSet<T> {
  const { key, read, write, encoded, lifetime } = place
  const all = (reply: Wire): T[] | Promise<T[]> => decodeAll(place, toList(reply))
  const change = async (verb: 'SADD' | 'SREM', values: readonly T[], call?: Call): Promise<number> =>
    values.length === 0
      ? 0
      : write(
          encoded(values, (texts) => [verb, key, ...texts]),
          toNumber,
          call,
        )
  const combine =
    (verb: 'SINTER' | 'SUNION' | 'SDIFF') =>
    async (others: readonly string[], call?: Call): Promise<T[]> => {
      const keys = [key, ...others.map(place.keyOf)]
      return read([verb, ...keys], all, call, keys)
    }
  return {
    ...lifetime,
    add: (values, call) => change('SADD', values, call),
    delete: (values, call) => change('SREM', values, call),
    has: async (value, call) =>
      read(
        encoded([value], ([text = '']) => ['SISMEMBER', key, text]),
        isOne,
        call,
      ),
    async hasMany(values, call) {
      if (values.length === 0) return []
      const args = encoded(values, (texts) => ['SMISMEMBER', key, ...texts])
      return read(args, (reply) => toList(reply).map(isOne), call)
    },
    values: async (call) => read(['SMEMBERS', key], all, call),
    size: async (call) => read(['SCARD', key], toNumber, call),
    take: async (count = 1, call) => write(['SPOP', key, checkWhole(count, 'count', 0)], all, call),
    random: async (count = 1, call) => read(['SRANDMEMBER', key, checkWhole(count, 'count', 0)], all, call),
    intersection: combine('SINTER'),
    union: combine('SUNION'),
    difference: combine('SDIFF'),
    async *[Symbol.asyncIterator]() {
      for await (const page of scanPages(place, 'SSCAN', PAGE)) yield* await decodeAll(place, page)
    },
  }
}
