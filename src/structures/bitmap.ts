import { checkWhole, invalid } from '../protocol/arguments.ts'
import type { Call } from '../store/store.ts'
import { type Lifetime, type Place, placeOf, type StructureSpace, toNumber } from './place.ts'

/** Bits by position, under one key: one bit each, from 0 to 4,294,967,295. A bit that was never set is 0. */
export interface Bitmap extends Lifetime {
  get(position: number, call?: Call): Promise<0 | 1>
  /** Resolves to the bit that was there before. */
  set(position: number, bit: 0 | 1, call?: Call): Promise<0 | 1>
  /** How many bits are 1. */
  count(call?: Call): Promise<number>
  /** Position of the first bit of this value; `undefined` when there is none, which never happens for 0. */
  first(bit: 0 | 1, call?: Call): Promise<number | undefined>
}

/** A bitmap at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function bitmap(space: StructureSpace, key: string): Bitmap {
  return bitmapAt(placeOf<never>(space, key))
}

const LAST = 4_294_967_295

export function bitmapAt(place: Place<never>): Bitmap {
  const { read, write, lifetime } = place
  const toBit = (reply: unknown): 0 | 1 => (Number(reply) === 1 ? 1 : 0)
  const positionOrAbsent = (reply: unknown): number | undefined => (Number(reply) < 0 ? undefined : Number(reply))
  return {
    ...lifetime,
    get: (position, call) => read('GETBIT', () => [checkPosition(position)], toBit, call),
    set: (position, bit, call) => write('SETBIT', () => [checkPosition(position), checkBit(bit)], toBit, call),
    count: (call) => read('BITCOUNT', [], toNumber, call),
    first: (bit, call) => read('BITPOS', () => [checkBit(bit)], positionOrAbsent, call),
  }
}

function checkPosition(position: number): number {
  return checkWhole(position, 'position', 0, LAST)
}

function checkBit(bit: number): number {
  if (bit === 0 || bit === 1) return bit
  throw invalid('a bit is 0 or 1')
}
