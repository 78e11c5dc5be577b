import { checkNames, checkOneOf, checkWhole, invalid } from '../protocol/arguments.ts'
import type { Call } from '../store/store.ts'
import type { Wire } from '../store/transport.ts'
import {
  isObject,
  type Lifetime,
  numberOrAbsent,
  type Place,
  pairsOf,
  placeOf,
  type StructureSpace,
  toList,
  toNumber,
} from './place.ts'

/** Degrees: `longitude` from -180 to 180, `latitude` from -85.05112878 to 85.05112878 (EPSG:3857). */
export interface Position {
  readonly longitude: number
  readonly latitude: number
}

export type LengthUnit = 'm' | 'km' | 'mi' | 'ft'

export interface NearbyOptions<T> {
  /** Around a member, or around a position. */
  readonly around: { readonly member: T } | Position
  /** Within a radius, or within a box. */
  readonly within:
    | { readonly radius: number; readonly width?: never; readonly height?: never }
    | { readonly width: number; readonly height: number; readonly radius?: never }
  /** @default 'm' */
  readonly unit?: LengthUnit
  /** Finds at most this many members, the nearest. @default all */
  readonly limit?: number
}

/** A member that was found, its distance in the unit of the search, and its position, exact to 0.6 m. */
export interface Nearby<T> extends Position {
  readonly member: T
  readonly distance: number
}

/** Members by position on the Earth, under one key. */
export interface Geo<T> extends Lifetime {
  /** Resolves to whether the member is new. */
  set(member: T, position: Position, call?: Call): Promise<boolean>
  /** Resolves to how many members are new. */
  setMany(entries: Iterable<readonly [member: T, position: Position]>, call?: Call): Promise<number>
  /** In the order of `members`; `undefined` for those that are absent. */
  positions(members: readonly T[], call?: Call): Promise<(Position | undefined)[]>
  /** `undefined` when one of the two is absent. @param unit @default 'm' */
  distance(from: T, to: T, unit?: LengthUnit, call?: Call): Promise<number | undefined>
  /** Nearest first. Rejects with `STORE_REJECTED` if the key exists and the member in `around` does not. */
  nearby(options: NearbyOptions<T>, call?: Call): Promise<Nearby<T>[]>
  /** Resolves to how many members were deleted. */
  delete(members: readonly T[], call?: Call): Promise<number>
  size(call?: Call): Promise<number>
}

/** Positions at `<namespace>:<key>`. Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY`. */
export function geo<T = unknown>(space: StructureSpace, key: string): Geo<T> {
  return geoAt(placeOf<T>(space, key))
}

export function geoAt<T>(place: Place<T>): Geo<T> {
  const { read, write, text, texts, lifetime } = place
  const setMany: Geo<T>['setMany'] = async (entries, call) => {
    const parts = pairsOf(entries).flatMap(([member, position]) => [...degrees(position), text(member)])
    return parts.length === 0 ? 0 : write('GEOADD', parts, toNumber, call)
  }
  /** Each row is the member, its distance, and its coordinates. */
  const found = async (reply: Wire): Promise<Nearby<T>[]> => {
    const rows = toList(reply).map(toList)
    const members = await place.values(rows.map(([member = null]) => member))
    return rows.map(([, distance, where = null], i) => ({
      member: members[i] as T,
      distance: Number(distance),
      ...toPosition(where),
    }))
  }
  return {
    ...lifetime,
    set: async (member, position, call) => (await setMany([[member, position]], call)) === 1,
    setMany,
    async positions(members, call) {
      const parts = texts(members)
      const open = (reply: Wire): (Position | undefined)[] =>
        toList(reply).map((one) => (one === null ? undefined : toPosition(one)))
      return parts.length === 0 ? [] : read('GEOPOS', parts, open, call)
    },
    distance: (from, to, unit = 'm', call) =>
      read('GEODIST', () => [text(from), text(to), checkUnit(unit)], numberOrAbsent, call),
    async nearby(options, call) {
      checkNames('nearby', options ?? null, ['around', 'within', 'unit', 'limit'])
      const { around, within, unit = 'm', limit } = options
      const { radius, width, height } = { ...(within as Lengths) }
      const isCircle = radius !== undefined
      if (isCircle && (width !== undefined || height !== undefined))
        throw invalid('within is a radius, or a width and a height')
      const parts = [
        ...(isObject(around) && 'member' in around
          ? ['FROMMEMBER', text(around.member)]
          : ['FROMLONLAT', ...degrees(around)]),
        ...(isCircle ? ['BYRADIUS', checkLength(radius)] : ['BYBOX', checkLength(width), checkLength(height)]),
        checkUnit(unit),
        'ASC',
        ...(limit === undefined ? [] : ['COUNT', checkWhole(limit, 'limit', 1)]),
        'WITHCOORD',
        'WITHDIST',
      ]
      return read('GEOSEARCH', parts, found, call)
    },
    async delete(members, call) {
      const parts = texts(members)
      return parts.length === 0 ? 0 : write('ZREM', parts, toNumber, call)
    },
    size: (call) => read('ZCARD', [], toNumber, call),
  }
}

function toPosition(reply: Wire): Position {
  const [longitude, latitude] = toList(reply)
  return { longitude: Number(longitude), latitude: Number(latitude) }
}

function degrees(position: Position): string[] {
  const { longitude, latitude } = position ?? {}
  if (!(isDegrees(longitude, 180) && isDegrees(latitude, 85.05112878))) {
    throw invalid('longitude is -180 to 180, latitude -85.05112878 to 85.05112878')
  }
  return [String(longitude), String(latitude)]
}

function isDegrees(value: number, most: number): boolean {
  return typeof value === 'number' && Math.abs(value) <= most
}

interface Lengths {
  readonly radius?: number
  readonly width?: number
  readonly height?: number
}

function checkLength(length: number | undefined): string {
  if (length !== undefined && Number.isFinite(length) && length >= 0) return String(length)
  throw invalid('a length is a number from 0 up')
}

function checkUnit(unit: LengthUnit): LengthUnit {
  return checkOneOf(unit, 'a unit', ['m', 'km', 'mi', 'ft'])
}
