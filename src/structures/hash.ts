import { checkWhole } from '../protocol/arguments.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import type { Call } from '../store/store.ts'
import type { Wire } from '../store/transport.ts'
import {
  checkList,
  isOne,
  type Lifetime,
  millisecondsLeft,
  type Place,
  pairsOf,
  placeOf,
  type StructureSpace,
  scanPages,
  toList,
  toNumber,
  toPairs,
  toSum,
  toText,
} from './place.ts'

/** Fields with values, under one key. */
export interface Hash<T> extends Lifetime, AsyncIterable<[field: string, value: T]> {
  get(field: string, call?: Call): Promise<T | undefined>
  /** Fields that are absent are absent from the map. */
  getMany(fields: readonly string[], call?: Call): Promise<Map<string, T>>
  /** Empty when there is no such hash. Iterate over the hash instead if it may be large. */
  getAll(call?: Call): Promise<Map<string, T>>
  /** Resolves to whether the field is new. */
  set(field: string, value: T, call?: Call): Promise<boolean>
  /** Resolves to how many fields are new. */
  setMany(entries: Iterable<readonly [field: string, value: T]>, call?: Call): Promise<number>
  /** Sets the field unless it exists. Resolves to whether the field was set. */
  add(field: string, value: T, call?: Call): Promise<boolean>
  has(field: string, call?: Call): Promise<boolean>
  /** Resolves to how many fields were deleted. */
  delete(fields: string | readonly string[], call?: Call): Promise<number>
  fields(call?: Call): Promise<string[]>
  size(call?: Call): Promise<number>
  /**
   * Adds a whole number; an absent field starts at 0. Resolves to the sum. A sum past 2^53 - 1 is stored, and the call rejects
   * with `OVERFLOW`. Rejects with `WRONG_TYPE` if the field holds no whole number, and always in a space with a `codec`.
   */
  incrementBy(field: string, by: number, call?: Call): Promise<number>
  /** Deletes one field `ttl` from now. Redis 7.4, Valkey 9 and Upstash, elsewhere `UNSUPPORTED`. Resolves to false if absent. */
  expireField(field: string, ttl: Duration, call?: Call): Promise<boolean>
  /** Milliseconds left of one field; `Infinity` if it does not expire, `undefined` if absent. Redis 7.4, Valkey 9 and Upstash. */
  fieldExpiresIn(field: string, call?: Call): Promise<number | undefined>
  /** Pages through the fields. A field that exists during the whole iteration comes at least once. */
  [Symbol.asyncIterator](): AsyncIterator<[field: string, value: T]>
}

/** A hash at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function hash<T = unknown>(space: StructureSpace, key: string): Hash<T> {
  return hashAt(placeOf<T>(space, key))
}

const PAGE = 200

export function hashAt<T>(place: Place<T>): Hash<T> {
  const { read, write, text, lifetime } = place
  const toMap = async (pairs: readonly [Wire, Wire][]): Promise<Map<string, T>> => {
    const values = await place.values(pairs.map(([, text]) => text))
    return new Map(pairs.map(([field], i) => [String(field), values[i] as T]))
  }
  return {
    ...lifetime,
    get: (field, call) => read('HGET', () => [field], place.valueOrAbsent, call),
    async getMany(fields, call) {
      // A copy: the caller may change its array before the reply comes.
      const names = [...checkList(fields)]
      const open = (reply: Wire): Promise<Map<string, T>> =>
        toMap(toList(reply).flatMap((text, i): [Wire, Wire][] => (text === null ? [] : [[names[i] as string, text]])))
      return names.length === 0 ? new Map() : read('HMGET', names, open, call)
    },
    getAll: (call) => read('HGETALL', [], (reply) => toMap(toPairs(reply)), call),
    set: (field, value, call) => write('HSET', () => [field, text(value)], isOne, call),
    async setMany(entries, call) {
      const pairs = pairsOf(entries)
      const parts = pairs.flatMap(([field, value]) => [field, text(value)])
      return pairs.length === 0 ? 0 : write('HSET', parts, toNumber, call)
    },
    add: (field, value, call) => write('HSETNX', () => [field, text(value)], isOne, call),
    has: (field, call) => read('HEXISTS', () => [field], isOne, call),
    async delete(fields, call) {
      const all = typeof fields === 'string' ? [fields] : checkList(fields)
      return all.length === 0 ? 0 : write('HDEL', all, toNumber, call)
    },
    fields: (call) => read('HKEYS', [], (reply) => toList(reply).map(toText), call),
    size: (call) => read('HLEN', [], toNumber, call),
    async incrementBy(field, by, call) {
      place.checkNumeric()
      return write('HINCRBY', [field, checkWhole(by, 'by')], toSum, call)
    },
    expireField: (field, ttl, call) =>
      write(
        'HPEXPIRE',
        () => [toMs(ttl, 'ttl'), 'FIELDS', 1, field],
        (reply) => toNumber(toList(reply)[0] ?? 0) > 0,
        call,
      ),
    fieldExpiresIn: (field, call) =>
      read(
        'HPTTL',
        () => ['FIELDS', 1, field],
        (reply) => millisecondsLeft(toList(reply)[0] ?? -2),
        call,
      ),
    async *[Symbol.asyncIterator]() {
      for await (const page of scanPages(place, 'HSCAN', PAGE)) yield* await toMap(toPairs(page))
    },
  }
}
