import { type AtomicStore, type Cache, createCache, HitherError } from 'hither'
import { memoryStore } from 'hither/memory'
import { brokenStore } from 'hither/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createApp } from '../../examples/app/app.ts'
import { createFeatures } from '../../examples/app/features.ts'
import { createFind, fold } from '../../examples/app/find.ts'
import { distanceFrom, nearest } from '../../examples/app/nearest.ts'
import { type Place, packPlaces, placeAt, unpackPlaces } from '../../examples/app/places.ts'

const list: readonly Place[] = [
  { name: 'Łódź', country: 'PL', lat: 51.77058, lon: 19.47395, population: 768_755 },
  { name: 'São Paulo', country: 'BR', lat: -23.5475, lon: -46.63611, population: 10_021_295 },
  { name: 'Suva', country: 'FJ', lat: -18.14161, lon: 178.44149, population: 77_366 },
  { name: 'Levuka', country: 'FJ', lat: -17.68298, lon: 178.83763, population: 8_360 },
  { name: 'Apia', country: 'WS', lat: -13.83333, lon: -171.76666, population: 40_407 },
]
const places = unpackPlaces(packPlaces(list).buffer as ArrayBuffer)
const names = (found: readonly Place[]): string[] => found.map(({ name }) => name)

afterEach(() => {
  vi.restoreAllMocks()
})

describe('the file of places', () => {
  it('gives back what was packed, largest first', () => {
    const sorted = [...list].sort((a, b) => b.population - a.population)
    expect(Array.from({ length: places.count }, (_, i) => placeAt(places, i))).toEqual(sorted)
  })
  it('is refused when it is another or was cut short', () => {
    const bytes = packPlaces(list)
    expect(() => unpackPlaces(bytes.slice(0, -1).buffer)).toThrow('npm run data')
    expect(() => unpackPlaces(new ArrayBuffer(64))).toThrow('npm run data')
  })
  it('holds at most 256 countries, since one is a byte', () => {
    const many = Array.from({ length: 257 }, (_, i) => ({ ...list[0], country: `c${i}` }) as Place)
    expect(() => packPlaces(many)).toThrow('256')
  })
})

describe('distances', () => {
  // The geodesic from Land's End to John o' Groats, 969.954 km, is the example of T. Vincenty's formula.
  it.each<[string, [number, number], [number, number], number]>([
    ["Land's End to John o' Groats", [50.06632, -5.71475], [58.64402, -3.07009], 969.954],
    ['a quarter of a meridian', [0, 30], [90, 30], 10_001.966],
    ['a degree across the date line', [0, 179.5], [0, -179.5], 111.319],
    ['no way at all', [48.86, 2.35], [48.86, 2.35], 0],
  ])('%s', (_, [lat, lon], [toLat, toLon], km) => {
    expect(Math.abs(distanceFrom({ lat, lon })(toLat, toLon) - km)).toBeLessThan(0.05)
  })
  it('are numbers right across the globe, too', () => {
    expect(distanceFrom({ lat: 0, lon: 0 })(0, 180)).toBeCloseTo(20_037.5, 0)
    expect(distanceFrom({ lat: 90, lon: 0 })(-90, 0)).toBeGreaterThan(20_000)
  })
})

describe('nearest', () => {
  it('lists the nearest first, with the way there, across the date line as well', () => {
    const { places: found } = nearest(places, { lat: -17, lon: 180 }, 3)
    expect(names(found)).toEqual(['Levuka', 'Suva', 'Apia'])
    expect(found.map(({ bearing }) => bearing)).toEqual([238, 232, 69])
  })
  it('agrees with sorting all of them, for any limit', () => {
    const from = { lat: 40, lon: 10 }
    const far = distanceFrom(from)
    const sorted = names([...list].sort((a, b) => far(a.lat, a.lon) - far(b.lat, b.lon)))
    for (const limit of [1, 2, 5, 50])
      expect(names(nearest(places, from, limit).places)).toEqual(sorted.slice(0, limit))
  })
  it('counts the people within 10, 50 and 250 km', () => {
    expect(nearest(places, { lat: -18.14, lon: 178.44 }, 1).people).toEqual({
      within10km: 77_366,
      within50km: 77_366,
      within250km: 85_726,
    })
  })
})

describe('find', () => {
  it('passes over case, accents and letters that have none', () => {
    const find = createFind(places)
    for (const text of ['lodz', 'ŁÓDŹ', 'łó']) expect(names(find(fold(text), 5))).toEqual(['Łódź'])
    expect(names(find(fold('  são   paulo '), 5))).toEqual(['São Paulo'])
    expect(find(fold('paulo'), 5)).toEqual([])
  })
  it('ends at the limit', () => {
    expect(names(createFind(places)('s', 1))).toEqual(['São Paulo'])
  })
})

describe('the application', () => {
  const question = '/api/near?lat=-18&lon=178'
  const open = (cache: Cache, store: AtomicStore = memoryStore()) =>
    createApp({ cache, features: createFeatures({ store }), places, page: '<p>page', store: 'memory' })

  it('tells a call that shared the computation of another from a miss and a hit', async () => {
    const app = open(createCache({ store: memoryStore(), ttl: '1m' }))
    const together = await Promise.all([app.request(question), app.request(question)])
    const later = await app.request(question)
    const said = [...together, later].map(({ headers }) => headers.get('cache-status')?.replace(/\d+/, 'N'))
    expect(said).toEqual(['hither; fwd=miss; stored', 'hither; fwd=miss; collapsed', 'hither; hit; ttl=N'])
  })
  it('answers 503 with the code when the cache cannot be had, and 500 without a detail for what nobody foresaw', async () => {
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined)
    const failing = (error: Error) =>
      createApp({
        cache() {
          throw error
        },
        features: createFeatures({ store: memoryStore() }),
        places,
        page: '',
        store: 'none',
      }).request(question)
    const known = await failing(new HitherError('MISSING_CREDENTIALS', 'no url'))
    expect([known.status, await known.json()]).toEqual([
      503,
      expect.objectContaining({ detail: 'MISSING_CREDENTIALS: no url' }),
    ])
    expect(said).not.toHaveBeenCalled()
    const unknown = await failing(new Error('secret'))
    expect([unknown.status, await unknown.text()]).toEqual([500, expect.not.stringContaining('secret')])
    expect(said).toHaveBeenCalledOnce()
  })
  it('recomputes the index once for all who ask together, and shows the others how far it is', async () => {
    const store = memoryStore()
    const app = () => open(createCache({ store, namespace: 'places' }), store)
    const [one, other] = [app(), app()]
    const state = async () => (await other.request('/api/index')).json()
    expect(await state()).toEqual({})
    const first = one.request('/api/index', { method: 'POST' })
    await vi.waitFor(async () => expect(await state()).toMatchObject({ running: { of: 20 } }), { timeout: 10_000 })
    const second = await other.request('/api/index', { method: 'POST' })
    expect(await second.json()).toEqual({ ran: false, running: { done: expect.any(Number), of: 20 } })
    expect(await (await first).json()).toMatchObject({ ran: true, index: { countries: 4, places: 5 } })
    const { index, running } = (await state()) as { index: { largest: object[] }; running?: object }
    expect(index.largest[0]).toEqual({ country: 'BR', places: 1, people: 10_021_295 })
    expect(index.largest).toContainEqual({ country: 'FJ', places: 2, people: 85_726 })
    expect(running).toBeUndefined()
  })
  it('says that the store is away, and lets the page go on', async () => {
    const store = brokenStore('down')
    const app = open(createCache({ store, namespace: 'places' }), store)
    const read = await app.request('/api/index')
    expect([read.status, await read.json()]).toEqual([200, { away: 'STORE_UNAVAILABLE' }])
    expect((await app.request('/api/index', { method: 'POST' })).status).toBe(503)
  })
  it('lets the page load nothing from elsewhere', async () => {
    const response = await open(createCache({ store: memoryStore() })).request('/')
    expect(await response.text()).toBe('<p>page')
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
  })
})
