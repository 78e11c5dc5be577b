import { type Place, type Places, placeAt } from './places.ts'

export interface Point {
  readonly lat: number
  readonly lon: number
}

export interface NearbyPlace extends Place {
  readonly km: number
  /** Direction from the point, in degrees clockwise from north. */
  readonly bearing: number
}

export interface Nearest {
  readonly point: Point
  /** Nearest first. */
  readonly places: readonly NearbyPlace[]
  /** Population of the places within so many kilometres. */
  readonly people: { readonly within10km: number; readonly within50km: number; readonly within250km: number }
  /** Number of places examined. */
  readonly scanned: number
}

const RAD = Math.PI / 180
const EQUATOR_KM = 6378.137
const FLATTENING = 1 / 298.257223563

/**
 * The places nearest to a point, and the population around it. Examines every place, on purpose without an index, so that
 * the result is worth caching.
 */
export function nearest(places: Places, point: Point, limit: number): Nearest {
  const distanceTo = distanceFrom(point)
  const best: { km: number; index: number }[] = []
  let [within10km, within50km, within250km] = [0, 0, 0]
  for (let i = 0; i < places.count; i++) {
    const km = distanceTo((places.lat[i] as number) / 1e5, (places.lon[i] as number) / 1e5)
    if (km <= 250) {
      const people = places.population[i] as number
      within250km += people
      if (km <= 50) within50km += people
      if (km <= 10) within10km += people
    }
    if (best.length === limit && km >= (best[limit - 1]?.km ?? 0)) continue
    let at = best.length
    while (at > 0 && (best[at - 1]?.km ?? 0) > km) at--
    best.splice(at, 0, { km, index: i })
    if (best.length > limit) best.pop()
  }
  return {
    point,
    places: best.map(({ km, index }) => {
      const place = placeAt(places, index)
      return { ...place, km: Math.round(km * 100) / 100, bearing: bearing(point, place) }
    }),
    people: { within10km, within50km, within250km },
    scanned: places.count,
  }
}

/** Kilometres along the WGS-84 ellipsoid by the formula of Andoyer and Lambert, good to some ten metres. */
export function distanceFrom(from: Point): (lat: number, lon: number) => number {
  const reduced = (lat: number): number => Math.atan((1 - FLATTENING) * Math.tan(lat * RAD))
  const a = reduced(from.lat)
  return (lat, lon) => {
    const b = reduced(lat)
    const mean = (a + b) / 2
    const half = (b - a) / 2
    const side = Math.sin(((lon - from.lon) * RAD) / 2)
    const haversine = Math.sin(half) ** 2 + Math.cos(a) * Math.cos(b) * side * side
    const angle = 2 * Math.asin(Math.min(1, Math.sqrt(haversine)))
    // The correction divides by zero at the point itself and right across the globe: there the sphere must do.
    if (angle < 1e-9 || angle > 3.13) return EQUATOR_KM * angle
    const sin = Math.sin(angle)
    const x = ((angle - sin) * (Math.sin(mean) * Math.cos(half)) ** 2) / Math.cos(angle / 2) ** 2
    const y = ((angle + sin) * (Math.cos(mean) * Math.sin(half)) ** 2) / Math.sin(angle / 2) ** 2
    return EQUATOR_KM * (angle - (FLATTENING / 2) * (x + y))
  }
}

function bearing(from: Point, to: Point): number {
  const [a, b, turn] = [from.lat * RAD, to.lat * RAD, (to.lon - from.lon) * RAD]
  const y = Math.sin(turn) * Math.cos(b)
  const x = Math.cos(a) * Math.sin(b) - Math.sin(a) * Math.cos(b) * Math.cos(turn)
  return Math.round((Math.atan2(y, x) / RAD + 360) % 360) % 360
}
