/**
 * The GEO commands. The six that search read their words into a `Search`: `radius` for GEORADIUS and its variants, `search` for
 * GEOSEARCH and GEOSEARCHSTORE; `readOptions` and `checkOptions` serve both. Then `run` finds the center, calls `find`, and
 * replies or stores. `find` reads the cells of `areasAround` by score, keeps the members that are near enough, and sorts them.
 */
import type { Client, Family } from '../contracts.ts'
import { areasAround } from '../geo-areas.ts'
import { boxHolds, decodeGeo, distanceM, encodeGeo, geoHash, LAT_MAX } from '../geo-math.ts'
import { float, int } from '../numbers.ts'
import { Double, fail, NULL_ARRAY, type Reply } from '../reply.ts'
import type { SortedSet } from '../sorted-set.ts'
import { storeMembers } from './sorted-ranges.ts'
import { sortedSets } from './sorted-sets.ts'
import { SYNTAX } from './strings.ts'

const UNITS: Readonly<Record<string, number>> = { m: 1, km: 1000, ft: 0.3048, mi: 1609.34 }
const unitOf = (text: string | undefined): number =>
  UNITS[text?.toLowerCase() ?? ''] ?? fail('ERR unsupported unit provided. please use M, KM, FT, MI')

const fixed = (value: number): string =>
  Number.isFinite(value) ? `${Object.is(value, -0) ? '-' : ''}${value.toFixed(6)}` : value > 0 ? 'inf' : '-inf'

type Point = readonly [longitude: number, latitude: number]

function readPoint(longitude: string | undefined, latitude: string | undefined): Point {
  const point = [float(longitude), float(latitude)] as const
  if (Math.abs(point[0]) > 180 || Math.abs(point[1]) > LAT_MAX) {
    fail(`ERR invalid longitude,latitude pair ${fixed(point[0])},${fixed(point[1])}`)
  }
  return point
}

function add(client: Client, args: readonly string[]): Reply {
  let at = 2
  while (/^(nx|xx|ch)$/i.test(args[at] ?? '')) at++
  const options = args.slice(2, at)
  if (options.some((word) => /^nx$/i.test(word)) && options.some((word) => /^xx$/i.test(word))) {
    fail(SYNTAX)
  }
  if ((args.length - at) % 3 !== 0) fail(SYNTAX)
  const words = ['zadd', args[1] as string, ...options]
  for (let i = at; i < args.length; i += 3)
    words.push(`${encodeGeo(...readPoint(args[i], args[i + 1]))}`, args[i + 2] as string)
  return (sortedSets.zadd as (client: Client, args: readonly string[]) => Reply)(client, words)
}

const coordinate = (value: number): Reply => new Double(value)
const distance = (meters: number, unit: number): string => (Math.round((meters / unit) * 10_000) / 10_000).toFixed(4)

type Kind = 'radius' | 'radius-store' | 'search' | 'search-store'

interface Search {
  readonly kind: Kind
  /** The sorted set that is searched. */
  readonly set: SortedSet | undefined
  from: Point | undefined
  member: string | undefined
  radius: number | undefined
  box: readonly [width: number, height: number] | undefined
  unit: number
  order: '' | 'ASC' | 'DESC'
  count: number
  any: boolean
  with: { dist: boolean; hash: boolean; coord: boolean }
  store: string | undefined
  storeDistance: boolean
}

const createSearch = (kind: Kind, set: SortedSet | undefined): Search => ({
  kind,
  set,
  from: undefined,
  member: undefined,
  radius: undefined,
  box: undefined,
  unit: 1,
  order: '',
  count: 0,
  any: false,
  with: { dist: false, hash: false, coord: false },
  store: undefined,
  storeDistance: false,
})

function positive(text: string | undefined, what: string): number {
  const value = float(text, `ERR need numeric ${what}`)
  return value < 0 ? fail(`ERR ${what} cannot be negative`) : value
}

function readOptions(search: Search, args: readonly string[], from: number): void {
  const { kind, set } = search
  const isNew = kind.startsWith('search')
  for (let i = from; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    const more = args.length - 1 - i
    if (word === 'WITHDIST') search.with.dist = true
    else if (word === 'WITHHASH') search.with.hash = true
    else if (word === 'WITHCOORD') search.with.coord = true
    else if (word === 'ANY') search.any = true
    else if (word === 'ASC' || word === 'DESC') search.order = word
    else if (word === 'COUNT' && more >= 1) {
      search.count = int(args[++i])
      if (search.count <= 0) fail('ERR COUNT must be > 0')
    } else if (kind === 'radius-store' && (word === 'STORE' || word === 'STOREDIST') && more >= 1) {
      search.store = args[++i] as string
      search.storeDistance = word === 'STOREDIST'
    } else if (isNew && word === 'FROMMEMBER' && more >= 1 && !search.from && search.member === undefined) {
      search.member = args[++i] as string
      if (set && set.get(search.member) === undefined) fail('ERR could not decode requested zset member')
    } else if (isNew && word === 'FROMLONLAT' && more >= 2 && !search.from && search.member === undefined) {
      search.from = readPoint(args[i + 1], args[i + 2])
      i += 2
    } else if (isNew && word === 'BYRADIUS' && more >= 2 && search.radius === undefined && !search.box) {
      search.radius = positive(args[i + 1], 'radius')
      search.unit = unitOf(args[i + 2])
      i += 2
    } else if (isNew && word === 'BYBOX' && more >= 3 && search.radius === undefined && !search.box) {
      search.box = [float(args[i + 1], 'ERR need numeric width'), float(args[i + 2], 'ERR need numeric height')]
      if (search.box[0] < 0 || search.box[1] < 0) fail('ERR height or width cannot be negative')
      search.unit = unitOf(args[i + 3])
      i += 3
    } else if (kind === 'search-store' && word === 'STOREDIST') search.storeDistance = true
    else fail(SYNTAX)
  }
}

interface Hit {
  readonly member: string
  readonly score: number
  readonly point: Point
  readonly meters: number
}

function find(set: SortedSet, center: Point, search: Search): Hit[] {
  const { box, radius = 0, unit, order, count } = search
  const hits: Hit[] = []
  const isFull = (): boolean => search.any && count > 0 && hits.length >= count
  const [halfWidth, halfHeight] = box ? [unit * (box[0] / 2), unit * (box[1] / 2)] : [unit * radius, unit * radius]
  const reach = box ? Math.sqrt((box[0] / 2) ** 2 + (box[1] / 2) ** 2) * unit : radius * unit
  for (const [from, to] of areasAround(center, halfWidth, halfHeight, reach)) {
    const first = set.countBefore((node) => node.score < from)
    for (let node = isFull() ? undefined : set.at(first); node && node.score < to; node = node.next[0]) {
      const { member, score } = node
      const point = decodeGeo(score)
      const meters = distanceM(center, point)
      if (box ? !boxHolds(center, point, box[0] * unit, box[1] * unit) : meters > radius * unit) continue
      hits.push({ member, score, point, meters })
      if (isFull()) break
    }
  }
  if (order || (count > 0 && !search.any))
    hits.sort((a, b) => (order === 'DESC' ? b.meters - a.meters : a.meters - b.meters))
  return count > 0 ? hits.slice(0, count) : hits
}

function run(client: Client, search: Search): Reply {
  const { set, store, member } = search
  const event = client.engine.current?.command.name.startsWith('georadius') ? 'georadiusstore' : 'geosearchstore'
  if (!set) {
    return store === undefined ? [] : storeMembers(client, store, [], event)
  }
  const own = member === undefined ? undefined : (set.get(member) ?? fail('ERR could not decode requested zset member'))
  const center = own === undefined ? (search.from as Point) : decodeGeo(own)
  const hits = find(set, center, search)
  if (store !== undefined) {
    const scored = hits.map(({ member: name, score, meters }) => ({
      member: name,
      score: search.storeDistance ? meters / search.unit : score,
    }))
    return storeMembers(client, store, scored, event)
  }
  const { dist, hash, coord } = search.with
  return hits.map(({ member: name, score, point, meters }): Reply => {
    if (!dist && !hash && !coord) return name
    const parts: Reply[] = [name]
    if (dist) parts.push(distance(meters, search.unit))
    if (hash) parts.push(Math.floor(score))
    if (coord) parts.push(point.map(coordinate))
    return parts
  })
}

function radius(client: Client, args: readonly string[], byMember: boolean, canStore: boolean): Reply {
  const set = client.sorted(args[1] as string)
  const search = createSearch(canStore ? 'radius-store' : 'radius', set)
  let at = 3
  if (byMember) search.member = args[2] as string
  else {
    search.from = readPoint(args[2], args[3])
    at = 4
  }
  if (byMember && set && set.get(search.member as string) === undefined)
    fail('ERR could not decode requested zset member')
  // As in Redis, radius and unit are not checked if the search is by member and the key does not exist.
  if (set || !byMember) search.radius = positive(args[at], 'radius')
  if (set || !byMember) search.unit = unitOf(args[at + 1])
  readOptions(search, args, at + 2)
  checkOptions(search, search.store !== undefined, (args[0] as string).toLowerCase())
  return run(client, search)
}

function checkOptions(search: Search, isStore: boolean, name: string): void {
  const { dist, hash, coord } = search.with
  if (isStore && (dist || hash || coord)) {
    fail(
      `ERR ${name === 'geosearchstore' ? 'GEOSEARCHSTORE' : 'STORE option in GEORADIUS'} is not compatible with WITHDIST, WITHHASH and WITHCOORD options`,
    )
  }
  if (/search/.test(name)) {
    if (search.from === undefined && search.member === undefined)
      fail(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${name}`)
    if (search.radius === undefined && !search.box)
      fail(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${name}`)
  }
  if (search.any && search.count === 0) fail('ERR the ANY argument requires COUNT argument')
}

function search(client: Client, args: readonly string[], isStore: boolean): Reply {
  const set = client.sorted(args[isStore ? 2 : 1] as string)
  const wanted = createSearch(isStore ? 'search-store' : 'search', set)
  readOptions(wanted, args, isStore ? 3 : 2)
  if (isStore) wanted.store = args[1] as string
  checkOptions(wanted, isStore, isStore ? 'geosearchstore' : 'geosearch')
  return run(client, wanted)
}

export const geo: Family = {
  geoadd: add,
  geopos(client, args) {
    const set = client.sorted(args[1] as string)
    return args.slice(2).map((member) => {
      const score = set?.get(member)
      return score === undefined ? NULL_ARRAY : decodeGeo(score).map(coordinate)
    })
  },
  geohash(client, args) {
    const set = client.sorted(args[1] as string)
    return args.slice(2).map((member) => {
      const score = set?.get(member)
      return score === undefined ? null : geoHash(score)
    })
  },
  geodist(client, args) {
    if (args.length > 5) fail(SYNTAX)
    const unit = args.length === 5 ? unitOf(args[4]) : 1
    const set = client.sorted(args[1] as string)
    const [a, b] = [set?.get(args[2] as string), set?.get(args[3] as string)]
    if (a === undefined || b === undefined) return null
    return distance(distanceM(decodeGeo(a), decodeGeo(b)), unit)
  },
  geosearch: (client, args) => search(client, args, false),
  geosearchstore: (client, args) => search(client, args, true),
  georadius: (client, args) => radius(client, args, false, true),
  georadius_ro: (client, args) => radius(client, args, false, false),
  georadiusbymember: (client, args) => radius(client, args, true, true),
  georadiusbymember_ro: (client, args) => radius(client, args, true, false),
}
