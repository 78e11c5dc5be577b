import { invalid } from '../protocol/arguments.ts'
import { type Keys, MAX_KNOWN_LENGTH } from './keys.ts'

/** Where the responses of a URL are stored: the parts of the URL, the key of its record, and the keys of its versions. */
export interface Place {
  readonly origin: string
  readonly path: string
  readonly search: string
  readonly extra: string
  readonly record: string
  /** Keys of the versions of the namespace, of the path and of its prefixes. */
  readonly versions: readonly string[]
  /** Key of the path's No-Vary-Search rule; undefined if the URL has no query. */
  readonly queryRule: string | undefined
}

const MAX_PLACES = 10_000

/** Finds a place. `ignore`: query parameters that are no part of it. `key`: replaces path and query. */
export type PlaceOf = (url: string, extra: string, ignore?: readonly string[], key?: string) => Place | Promise<Place>

/** Finds places, and remembers recent ones, so that their URLs are neither parsed nor hashed again. */
export function createPlaces(keys: Keys): PlaceOf {
  const known = new Map<string, Place>()
  return (url, extra, ignore = [], key) => {
    // The JSON of a list begins with a bracket, so it is never equal to a URL.
    const isPlain = extra === '' && ignore.length === 0 && key === undefined
    const name = isPlain ? url : JSON.stringify([url, extra, ignore, key])
    const found = known.get(name)
    if (found) return found
    return findPlace(keys, { url, extra, ignore, key }).then((place) => {
      if (known.size >= MAX_PLACES) known.clear()
      if (name.length < MAX_KNOWN_LENGTH) known.set(name, place)
      return place
    })
  }
}

interface PlaceName {
  readonly url: string
  readonly extra: string
  readonly ignore: readonly string[]
  readonly key: string | undefined
}

async function findPlace(keys: Keys, name: PlaceName): Promise<Place> {
  const { url, ignore, key } = name
  const { origin, pathname: path, search: query } = new URL(url)
  // An origin may respond to `/a?` differently than to `/a`; `URL` drops an empty query.
  const asked = query || (/^[^#?]*\?/.test(url) ? '?' : '')
  const hasKey = key !== undefined
  // Any two promises, for example, become the same text: two tenants would share a key.
  if (typeof name.extra !== 'string' || (hasKey && typeof key !== 'string')) throw invalid('a key is text')
  const extra = hasKey ? JSON.stringify([name.extra, key]) : name.extra
  const search = hasKey ? '' : ignore.length > 0 ? withoutParameters(asked, ignore) : asked
  const [record, pathVersion, prefixes, queryRule] = await Promise.all([
    keys.record(origin, hasKey ? '' : path + search, extra),
    keys.path(origin, path),
    keys.prefixes(origin, path),
    search ? keys.queryRule(origin, path, extra) : undefined,
  ])
  return { origin, path, search, extra, record, versions: [keys.generation, pathVersion, ...prefixes], queryRule }
}

/** The query without the parameters of these exact names. The rest keeps its spelling. */
function withoutParameters(search: string, ignore: readonly string[]): string {
  const kept = search
    .slice(1)
    .split('&')
    .filter((pair) => ![...new URLSearchParams(pair).keys()].some((name) => ignore.includes(name)))
  return kept.length > 0 && kept.join('&') ? `?${kept.join('&')}` : ''
}
