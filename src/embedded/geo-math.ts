/** Places on the earth as Redis stores them: 26 bits of each coordinate, interleaved into a score of 52 bits. */

export const LAT_MAX = 85.05112878
const STEPS = 2 ** 26
const EARTH_M = 6_372_797.560856
const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz'

export type Point = readonly [longitude: number, latitude: number]

/** One degree in radians. */
export const rad: number = Math.PI / 180
const radians = (degrees: number): number => degrees * rad

/** Interleaves the bits of two coordinates. `odd` gets the higher bit of each pair. */
function interleave(even: number, odd: number): number {
  let score = 0
  let weight = 1
  for (let i = 0; i < 27; i++) {
    score += ((even >> i) & 1) * weight + ((odd >> i) & 1) * weight * 2
    weight *= 4
  }
  return score
}

function separate(score: number): readonly [even: number, odd: number] {
  let even = 0
  let odd = 0
  let rest = score
  for (let i = 0; i < 27; i++) {
    const pair = rest % 4
    even += (pair & 1) * 2 ** i
    odd += (pair >> 1) * 2 ** i
    rest = Math.floor(rest / 4)
  }
  return [even, odd]
}

function encodeWithin(longitude: number, latitude: number, latMax: number): number {
  const x = Math.floor(((longitude + 180) / 360) * STEPS)
  const y = Math.floor(((latitude + latMax) / (2 * latMax)) * STEPS)
  return interleave(y, x)
}

/** The south-west corner of a cell in the grid of `2 ** level` cells in each direction. */
export function cellOf(x: number, y: number, level: number): Point {
  const cells = 2 ** level
  return [-180 + (x / cells) * 360, -LAT_MAX + (y / cells) * 2 * LAT_MAX]
}

/** The cell that contains a point. */
export function cellAt(longitude: number, latitude: number, level: number): readonly [x: number, y: number] {
  const cells = 2 ** level
  return [Math.floor(((longitude + 180) / 360) * cells), Math.floor(((latitude + LAT_MAX) / (2 * LAT_MAX)) * cells)]
}

/** The lowest score in a cell. */
export const scoreOfCell = (x: number, y: number, level: number): number => interleave(y, x) * 4 ** (26 - level)

export const encodeGeo = (longitude: number, latitude: number): number => encodeWithin(longitude, latitude, LAT_MAX)

export function decodeGeo(score: number): Point {
  const [y, x] = separate(score)
  const between = (step: number, min: number, range: number): number =>
    (min + (step / STEPS) * range + (min + ((step + 1) / STEPS) * range)) / 2
  const longitude = Math.max(-180, Math.min(180, between(x, -180, 360)))
  const latitude = Math.max(-LAT_MAX, Math.min(LAT_MAX, between(y, -LAT_MAX, 2 * LAT_MAX)))
  return [longitude, latitude]
}

function latitudeDistanceM(a: number, b: number): number {
  return EARTH_M * Math.abs(radians(b) - radians(a))
}

export function distanceM([lon1, lat1]: Point, [lon2, lat2]: Point): number {
  const v = Math.sin((radians(lon2) - radians(lon1)) / 2)
  if (v === 0) return latitudeDistanceM(lat1, lat2)
  const u = Math.sin((radians(lat2) - radians(lat1)) / 2)
  const a = u * u + Math.cos(radians(lat1)) * Math.cos(radians(lat2)) * v * v
  return 2 * EARTH_M * Math.asin(Math.sqrt(a))
}

/** Whether the box around a center contains a point. */
export function boxHolds(center: Point, point: Point, widthM: number, heightM: number): boolean {
  if (latitudeDistanceM(point[1], center[1]) > heightM / 2) return false
  return distanceM([point[0], point[1]], [center[0], point[1]]) <= widthM / 2
}

/** The common geohash with eleven characters, for which latitudes reach to 90°. */
export function geoHash(score: number): string {
  const bits = BigInt(encodeWithin(...decodeGeo(score), 90))
  let text = ''
  for (let i = 0; i < 11; i++) {
    const index = i === 10 ? 0 : Number((bits >> BigInt(52 - (i + 1) * 5)) & 31n)
    text += ALPHABET[index]
  }
  return text
}
