import { checkOneOf, checkWhole } from '../protocol/arguments.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import type { Call } from '../store/store.ts'
import type { Wire } from '../store/transport.ts'
import {
  checkOptions,
  type Lifetime,
  numberOrAbsent,
  type Place,
  placeOf,
  type StructureSpace,
  toList,
  toNumber,
} from './place.ts'

export interface TakeOptions extends Call {
  /** How long to wait for a value, over TCP; elsewhere rejects with `UNSUPPORTED`. @default no wait */
  readonly wait?: Duration
}

/** Values in order, under one key. Positions count from 0; from the end, from -1. */
export interface List<T> extends Lifetime {
  /** Adds at the end. Resolves to the new size. */
  append(values: readonly T[], call?: Call): Promise<number>
  /** Adds at the front, one after another: the last of `values` becomes the first of the list. Resolves to the new size. */
  prepend(values: readonly T[], call?: Call): Promise<number>
  /** Removes the first value and resolves to it; `undefined` when there is none. */
  takeFirst(options?: TakeOptions): Promise<T | undefined>
  /** Removes the last value and resolves to it; `undefined` when there is none. */
  takeLast(options?: TakeOptions): Promise<T | undefined>
  /** The value at a position; negative ones count from the end. Undefined where there is none. */
  at(position: number, call?: Call): Promise<T | undefined>
  /**
   * Replaces the value at a position. Rejects with `STORE_REJECTED` if there is no value at that position, with
   * `INVALID_ARGUMENT` for a position of more than 32 bits.
   */
  setAt(position: number, value: T, call?: Call): Promise<void>
  /** The values from one position to another, both included. */
  range(from: number, to: number, call?: Call): Promise<T[]>
  /** Deletes all values except those from one position to another, both included. */
  trim(from: number, to: number, call?: Call): Promise<void>
  /** Removes up to `count` values equal to `value`: from the front, from the end if negative, all for 0. Resolves to how many. */
  remove(value: T, count?: number, call?: Call): Promise<number>
  /** Position of the first equal value; `undefined` when there is none. */
  indexOf(value: T, call?: Call): Promise<number | undefined>
  /** Inserts beside the first value equal to `beside`. Resolves to the new size; `undefined` without such a value. */
  insert(value: T, where: 'before' | 'after', beside: T, call?: Call): Promise<number | undefined>
  size(call?: Call): Promise<number>
}

/** A list at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function list<T = unknown>(space: StructureSpace, key: string): List<T> {
  return listAt(placeOf<T>(space, key))
}

export function listAt<T>(place: Place<T>): List<T> {
  const { read, write, text, texts, valueOrAbsent, lifetime } = place
  const push = async (verb: 'RPUSH' | 'LPUSH', values: readonly T[], call?: Call): Promise<number> => {
    const parts = texts(values)
    return parts.length === 0 ? read('LLEN', [], toNumber, call) : write(verb, parts, toNumber, call)
  }
  const take = async (verb: 'LPOP' | 'RPOP', options?: TakeOptions): Promise<T | undefined> => {
    checkOptions('take', options, ['wait'])
    const { wait, ...call } = options ?? {}
    if (wait === undefined) return write(verb, [], valueOrAbsent, call)
    const waitMs = toMs(wait, 'wait')
    // The reply is the key and the value.
    const open = (reply: Wire): ReturnType<typeof valueOrAbsent> => valueOrAbsent(toList(reply)[1] ?? null)
    return place.wait({ waitMs, verb: [`B${verb}`], parts: [waitMs / 1000] }, open, call)
  }
  const done = (): void => undefined
  return {
    ...lifetime,
    append: (values, call) => push('RPUSH', values, call),
    prepend: (values, call) => push('LPUSH', values, call),
    takeFirst: (options) => take('LPOP', options),
    takeLast: (options) => take('RPOP', options),
    at: (position, call) => read('LINDEX', () => [checkWhole(position, 'position')], valueOrAbsent, call),
    setAt: (position, value, call) => write('LSET', () => [checkPosition(position), text(value)], done, call),
    range: async (from, to, call) => read('LRANGE', ends(from, to), place.values, call),
    trim: async (from, to, call) => write('LTRIM', ends(from, to), done, call),
    remove: (value, count = 0, call) => write('LREM', () => [checkWhole(count, 'count'), text(value)], toNumber, call),
    indexOf: (value, call) => read('LPOS', () => [text(value)], numberOrAbsent, call),
    async insert(value, where, beside, call) {
      checkOneOf(where, 'where to insert', ['before', 'after'])
      const open = (size: Wire): number | undefined => (Number(size) > 0 ? Number(size) : undefined)
      return write('LINSERT', [where.toUpperCase(), text(beside), text(value)], open, call)
    },
    size: (call) => read('LLEN', [], toNumber, call),
  }
}

/** A server of version 8 cuts a position to 32 bits, and so would replace another value: 2^32 would be the first. */
const checkPosition = (position: number): number => checkWhole(position, 'position', -(2 ** 31), 2 ** 31 - 1)
const ends = (from: number, to: number): number[] => [checkWhole(from, 'from'), checkWhole(to, 'to')]
