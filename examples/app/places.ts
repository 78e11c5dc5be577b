/** A set of places as columns, largest population first: `lat[i]`, `lon[i]` and so on are of the same place. */
export interface Places {
  readonly count: number
  /** Degrees × 100,000. */
  readonly lat: Int32Array
  readonly lon: Int32Array
  readonly population: Uint32Array
  /** Index into `countries`. */
  readonly country: Uint8Array
  /** ISO 3166 codes of two letters. */
  readonly countries: readonly string[]
  readonly names: readonly string[]
}

export interface Place {
  readonly name: string
  readonly country: string
  readonly lat: number
  readonly lon: number
  readonly population: number
}

const MAGIC = 0x31_4c_50_48

/** Encodes a set of places as bytes: a header, the columns, then country codes and names, a line each. */
export function packPlaces(list: readonly Place[]): Uint8Array {
  const sorted = [...list].sort((a, b) => b.population - a.population)
  const countries = [...new Set(sorted.map((place) => place.country))].sort()
  if (countries.length > 256) throw new Error('a country is one byte: there are more than 256')
  const codes = new Map(countries.map((code, i) => [code, i]))
  const text = new TextEncoder().encode([...countries, ...sorted.map((place) => place.name)].join('\n'))
  const count = sorted.length
  const bytes = new Uint8Array(16 + count * 13 + text.length)
  const columns = columnsOf(bytes.buffer, count)
  new Uint32Array(bytes.buffer, 0, 4).set([MAGIC, count, countries.length, text.length])
  for (const [i, place] of sorted.entries()) {
    columns.lat[i] = Math.round(place.lat * 1e5)
    columns.lon[i] = Math.round(place.lon * 1e5)
    columns.population[i] = place.population
    columns.country[i] = codes.get(place.country) ?? 0
  }
  bytes.set(text, bytes.length - text.length)
  return bytes
}

/** The columns are views on `bytes`: nothing is copied but the names. */
export function unpackPlaces(bytes: ArrayBuffer): Places {
  const [magic, count = 0, countries = 0, textLength = 0] = new Uint32Array(bytes, 0, 4)
  if (magic !== MAGIC || bytes.byteLength !== 16 + count * 13 + textLength) {
    throw new Error('not a file of places: run npm run data')
  }
  const lines = new TextDecoder().decode(new Uint8Array(bytes, bytes.byteLength - textLength)).split('\n')
  return { count, ...columnsOf(bytes, count), countries: lines.slice(0, countries), names: lines.slice(countries) }
}

function columnsOf(buffer: ArrayBuffer, count: number): Pick<Places, 'lat' | 'lon' | 'population' | 'country'> {
  return {
    lat: new Int32Array(buffer, 16, count),
    lon: new Int32Array(buffer, 16 + count * 4, count),
    population: new Uint32Array(buffer, 16 + count * 8, count),
    country: new Uint8Array(buffer, 16 + count * 12, count),
  }
}

export function placeAt(places: Places, i: number): Place {
  return {
    name: places.names[i] ?? '',
    country: places.countries[places.country[i] ?? 0] ?? '',
    lat: (places.lat[i] ?? 0) / 1e5,
    lon: (places.lon[i] ?? 0) / 1e5,
    population: places.population[i] ?? 0,
  }
}
