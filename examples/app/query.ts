import { fold } from './find.ts'
import type { Point } from './nearest.ts'

/** Epoch ms by which a call ends. */
export interface Until {
  readonly deadline: number
}

/** Invalid input. The message says what to send instead. */
export class BadQuery extends Error {}

export interface NearQuery {
  readonly point: Point
  readonly limit: number
}

type Read = (name: string) => string | undefined

/** Coordinates are rounded to a hundredth of a degree, about a kilometre, so that neighbours ask the same question. */
export function parseNear(read: Read): NearQuery {
  const lat = degrees(read, 'lat', 90)
  const lon = degrees(read, 'lon', 180)
  return { point: { lat, lon: lon === -180 ? 180 : lon }, limit: count(read, 10, 50) }
}

export interface FindQuery {
  /** Folded: lower case, without accents. */
  readonly prefix: string
  readonly limit: number
}

export function parseFind(read: Read): FindQuery {
  const text = read('q') ?? ''
  const prefix = text.length > 60 ? '' : fold(text)
  if (prefix === '') throw new BadQuery('q is the beginning of a name, of 1 to 60 characters: ?q=par')
  return { prefix, limit: count(read, 8, 50) }
}

export const nearKey = ({ point, limit }: NearQuery): string => `near:${point.lat},${point.lon}:${limit}`
export const findKey = ({ prefix, limit }: FindQuery): string => `find:${limit}:${prefix}`

function degrees(read: Read, name: string, most: number): number {
  const text = read(name)?.trim() ?? ''
  const value = /^[+-]?\d{1,3}(\.\d{1,20})?$/.test(text) ? Number(text) : Number.NaN
  if (!(Math.abs(value) <= most)) {
    throw new BadQuery(`${name} is a number of degrees from -${most} to ${most}: ?lat=48.86&lon=2.35`)
  }
  return Math.round(value * 100) / 100
}

function count(read: Read, otherwise: number, most: number): number {
  const text = read('limit') ?? String(otherwise)
  const value = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (value < 1 || value > most) throw new BadQuery(`limit is a whole number from 1 to ${most}: &limit=${otherwise}`)
  return value
}
