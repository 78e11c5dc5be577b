import { checkWhole } from '../protocol/arguments.ts'
import type { Call } from '../store/store.ts'
import { isOne, type Lifetime, type Place, placeOf, type StructureSpace, scanPages, toList, toNumber } from './place.ts'

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
