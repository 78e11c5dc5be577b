import { cellAt, cellOf, type Point, rad, scoreOfCell } from './geo-math.ts'

/** A range of scores; `to` is not included. */
export type ScoreRange = readonly [from: number, to: number]

interface Box {
  readonly west: number
  readonly south: number
  readonly east: number
  readonly north: number
}

const EARTH_M = 6_372_797.560856
const MERCATOR_M = 20_037_726.37
const FINEST = 26

/** The box that a search covers. Toward a pole a degree of longitude gets shorter, so the box takes more of them. */
function boxAround([longitude, latitude]: Point, halfWidthM: number, halfHeightM: number): Box {
  const high = halfHeightM / EARTH_M / rad
  const wideAt = (parallel: number): number => halfWidthM / EARTH_M / Math.cos(parallel * rad) / rad
  const wide = wideAt(latitude < 0 ? latitude - high : latitude + high)
  return { west: longitude - wide, south: latitude - high, east: longitude + wide, north: latitude + high }
}

/** The finest level of the grid whose nine cells around a point hold a circle. */
function levelFor(radiusM: number, latitude: number): number {
  if (radiusM === 0) return FINEST
  let level = -1
  for (let meters = radiusM; meters < MERCATOR_M; meters *= 2) level++
  if (Math.abs(latitude) > 66) level--
  if (Math.abs(latitude) > 80) level--
  return Math.max(1, Math.min(FINEST, level))
}

/** A cell of a level's grid. At the edge of the earth a number may be one too high, as in Redis. */
interface Cell {
  readonly x: number
  readonly y: number
}

const edges = ({ x, y }: Cell, level: number): Box => {
  const [west, south] = cellOf(x, y, level)
  const [east, north] = cellOf(x + 1, y + 1, level)
  return { west, south, east, north }
}

/** A neighboring cell. The grid wraps around: the neighbor of its last cell is its first. */
function neighbor({ x, y }: Cell, right: number, up: number, level: number): Cell {
  const size = 2 ** level
  const move = (at: number, by: number): number => (by === 0 ? at : (at + by + size) % size)
  return { x: move(x, right), y: move(y, up) }
}

/** The order in which Redis searches the cells. Without a sort, results come in this order. */
const AROUND = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
] as const

const centerCell = ([longitude, latitude]: Point, level: number): Cell => {
  const [x, y] = cellAt(longitude, latitude, level)
  return { x, y }
}

/**
 * Ranges of scores that contain the places of a search: those of the center's cell and of the eight cells around it, without
 * the cells that the search does not reach. Near a pole and across the date line Redis misses places, and so does this.
 */
export function areasAround(center: Point, halfWidthM: number, halfHeightM: number, radiusM: number): ScoreRange[] {
  const box = boxAround(center, halfWidthM, halfHeightM)
  let level = levelFor(radiusM, center[1])
  let cell = centerCell(center, level)
  const beside = (right: number, up: number): Box => edges(neighbor(cell, right, up, level), level)
  const isTooFine =
    beside(0, 1).north < box.north ||
    beside(0, -1).south > box.south ||
    beside(1, 0).east < box.east ||
    beside(-1, 0).west > box.west
  if (level > 1 && isTooFine) cell = centerCell(center, --level)
  const own = edges(cell, level)
  const reaches = (right: number, up: number): boolean =>
    level < 2 ||
    !(
      (up < 0 && own.south < box.south) ||
      (up > 0 && own.north > box.north) ||
      (right < 0 && own.west < box.west) ||
      (right > 0 && own.east > box.east)
    )
  const ranges: ScoreRange[] = []
  let last = -1
  AROUND.forEach(([right, up], i) => {
    if (!reaches(right, up)) return
    const { x, y } = neighbor(cell, right, up, level)
    const from = scoreOfCell(x, y, level)
    // On a coarse grid two neighbors may be the same cell. As in Redis, they are not compared with the center.
    if (last > 0 && ranges.at(-1)?.[0] === from) return
    ranges.push([from, from + 4 ** (FINEST - level)])
    last = i
  })
  return ranges
}
