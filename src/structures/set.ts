import { checkWhole } from '../protocol/arguments.ts'
import type { Call } from '../store/store.ts'
import { isOne, type Lifetime, type Place, placeOf, type StructureSpace, scanPages, toList, toNumber } from './place.ts'

/** Distinct values without order, under one key. Two values are equal when their encoded texts are. */
export interface ValueSet<T> extends Lifetime, AsyncIterable<T> {
  /** Resolves to how many values are new. */
  add(values: readonly T[], call?: Call): Promise<number>
  /** Resolves to how many values were deleted. */
  delete(values: readonly T[], call?: Call): Promise<number>
  has(value: T, call?: Call): Promise<boolean>
  /** In the order of `values`. */
  hasMany(values: readonly T[], call?: Call): Promise<boolean[]>
  /** All values, in no order. Iterate over the set instead if it may be large. */
  values(call?: Call): Promise<T[]>
  size(call?: Call): Promise<number>
  /** Removes up to `count` random values, by default 1, and resolves to them. */
  take(count?: number, call?: Call): Promise<T[]>
  /** Up to `count` random values, by default 1, all different. */
  random(count?: number, call?: Call): Promise<T[]>
  /** Values that are in this set and in each of the sets at `keys`. On a Cluster all of these sets must share a slot. */
  intersection(keys: readonly string[], call?: Call): Promise<T[]>
  /** Values that are in this set or in one of the sets at `keys`; same slot as for `intersection`. */
  union(keys: readonly string[], call?: Call): Promise<T[]>
  /** Values that are in this set and in none of the sets at `keys`; same slot as for `intersection`. */
  difference(keys: readonly string[], call?: Call): Promise<T[]>
  /** Pages through the values. A value that is in the set during the whole iteration comes at least once. */
  [Symbol.asyncIterator](): AsyncIterator<T>
}

/** A set at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function set<T = unknown>(space: StructureSpace, key: string): ValueSet<T> {
  return setAt(placeOf<T>(space, key))
}

const PAGE = 200

export function setAt<T>(place: Place<T>): ValueSet<T> {
  const { read, write, text, texts, values, lifetime } = place
  const change = async (verb: 'SADD' | 'SREM', members: readonly T[], call?: Call): Promise<number> => {
    const parts = texts(members)
    return parts.length === 0 ? 0 : write(verb, parts, toNumber, call)
  }
  const combine =
    (verb: 'SINTER' | 'SUNION' | 'SDIFF') =>
    async (keys: readonly string[], call?: Call): Promise<T[]> =>
      read(verb, { others: keys }, values, call)
  return {
    ...lifetime,
    add: (members, call) => change('SADD', members, call),
    delete: (members, call) => change('SREM', members, call),
    has: (value, call) => read('SISMEMBER', () => [text(value)], isOne, call),
    async hasMany(members, call) {
      const parts = texts(members)
      return parts.length === 0 ? [] : read('SMISMEMBER', parts, (reply) => toList(reply).map(isOne), call)
    },
    values: (call) => read('SMEMBERS', [], values, call),
    size: (call) => read('SCARD', [], toNumber, call),
    take: (count = 1, call) => write('SPOP', () => [checkWhole(count, 'count', 0)], values, call),
    random: (count = 1, call) => read('SRANDMEMBER', () => [checkWhole(count, 'count', 0)], values, call),
    intersection: combine('SINTER'),
    union: combine('SUNION'),
    difference: combine('SDIFF'),
    async *[Symbol.asyncIterator]() {
      for await (const page of scanPages(place, 'SSCAN', PAGE)) yield* await values(page)
    },
  }
}
