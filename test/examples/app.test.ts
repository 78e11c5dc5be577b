import { type AtomicStore, type Cache, createCache, HitherError } from 'hither'
import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { createRateLimiter, slidingLog } from 'hither/rate-limit'
import { brokenStore } from 'hither/testing'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createApp, STORE_LIMIT_MS } from '../../examples/app/app.ts'
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
  vi.useRealTimers()
  vi.restoreAllMocks()
})

/** Gives a deadline to each call that names none, as `timeoutMs` of a store does. */
function bounded(store: AtomicStore): AtomicStore {
  const until = (call: object | undefined) => ({ deadline: Date.now() + STORE_LIMIT_MS, ...call })
  return {
    ...store,
    get: (key, call) => store.get(key, until(call)),
    getMany: (keys, call) => store.getMany(keys, until(call)),
    set: (key, value, ttlMs, call) => store.set(key, value, ttlMs, until(call)),
    delete: (keys, call) => store.delete(keys, until(call)),
    run: (operation, key, args, call) => store.run(operation, key, args, until(call)),
  }
}

/** Counts the digests and signatures under way, which take time on another clock than the test's. */
function countDigests(): () => number {
  let pending = 0
  for (const name of ['digest', 'sign', 'verify', 'importKey'] as const) {
    const made = crypto.subtle[name].bind(crypto.subtle) as (...args: unknown[]) => Promise<unknown>
    vi.spyOn(crypto.subtle, name).mockImplementation((async (...args: unknown[]) => {
      pending++
      return made(...args).finally(() => pending--)
    }) as never)
  }
  return () => pending
}

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
  const secret = new Uint8Array(32).fill(7)
  const open = (cache: Cache, store: AtomicStore = memoryStore()) =>
    createApp({
      cache,
      httpCache: createHttpCache({ store }),
      features: createFeatures({ store, secret }),
      places,
      page: '<p>page',
      store: 'memory',
    })

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
        httpCache: createHttpCache({ store: memoryStore() }),
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
  const named = (name: unknown, cookie = '', type = 'application/json') => ({
    method: 'POST',
    headers: { 'Content-Type': type, cookie },
    body: JSON.stringify({ name }),
  })
  const cookieOf = (response: Response): string => response.headers.get('set-cookie')?.split(';')[0] ?? ''

  it('signs in with a new id each time, keeps the last five searches, and signs out for good', async () => {
    const store = memoryStore()
    const app = open(createCache({ store, namespace: 'places' }), store)
    const at = 'https://places.example'
    const first = cookieOf(await app.request(`${at}/api/session`, named('Bob')))
    const signed = await app.request(`${at}/api/session`, named(' Ada ', first))
    expect(signed.headers.get('set-cookie')).toMatch(/^__Host-session=.*; HttpOnly; SameSite=Lax; Secure$/)
    expect(await signed.json()).toEqual({ name: 'Ada', searches: [] })
    const cookie = cookieOf(signed)
    const shown = async (cookie: string) =>
      (await app.request(`${at}/api/session`, { headers: { cookie } })).json() as Promise<{ searches: object[] }>
    expect(await shown(first)).toEqual({ searches: [] })

    for (const lon of [170, 171, 172, 173, 174, 175, 174])
      await app.request(`${at}/api/near?lat=-18&lon=${lon}`, { headers: { cookie } })
    await app.request(`${at}/api/near?lat=-18&lon=1`) // of a visitor who has not signed in
    const { searches } = await shown(cookie)
    expect(searches.map((search) => (search as { lon: number }).lon)).toEqual([174, 175, 173, 172, 171])
    expect(searches[0]).toEqual({ name: 'Suva', country: 'FJ', lat: -18, lon: 174 })

    const out = await app.request(`${at}/api/session`, { method: 'DELETE', headers: { cookie } })
    expect(out.headers.get('set-cookie')).toContain('Max-Age=0')
    expect(await shown(cookie)).toEqual({ searches: [] })
    expect((await app.request(`${at}/api/near?lat=1&lon=1`, { headers: { cookie } })).status).toBe(200)
  })
  it.each([
    ['', undefined],
    ['x'.repeat(41), undefined],
    [7, undefined],
    ['a\u0000', undefined],
    ['Ada', 'text/plain'],
  ])('takes no name %j of type %s', async (name, type) => {
    const response = await open(createCache({ store: memoryStore() })).request('/api/session', named(name, '', type))
    expect([response.status, response.headers.get('set-cookie')]).toEqual([400, null])
  })
  it('drops Secure on loopback over plain http only', async () => {
    const app = open(createCache({ store: memoryStore() }))
    const cookieAt = async (origin: string) =>
      (await app.request(`${origin}/api/session`, named('Ada'))).headers.get('set-cookie')
    expect(await cookieAt('http://127.0.0.1:3000')).toMatch(/^session=(?!.*Secure)/)
    for (const origin of ['http://192.168.1.7:3000', 'https://localhost', 'http://127.0.0.1.example'])
      expect(await cookieAt(origin)).toMatch(/^__Host-session=.*; Secure$/)
  })
  it('lets nobody sign in without a secret, and says so', async () => {
    const store = memoryStore()
    const cache = createCache({ store })
    const app = createApp({
      cache,
      httpCache: createHttpCache({ store }),
      features: createFeatures({ store }),
      places,
      page: '',
      store: 'memory',
    })
    expect(await (await app.request('/api/session')).json()).toEqual({ off: expect.stringContaining('SESSION_SECRET') })
    expect((await app.request('/api/session', named('Ada'))).status).toBe(404)
    expect((await app.request(question)).status).toBe(200)
  })
  it('keeps whole responses of the names, and says so in Cache-Status', async () => {
    const app = open(createCache({ store: memoryStore() }))
    const statusOf = async (q: string) => {
      const response = await app.request(`/api/places?q=${encodeURIComponent(q)}`)
      expect(await response.json()).toEqual({ places: [expect.objectContaining({ name: 'São Paulo' })] })
      return [response.headers.get('cache-status')?.replace(/\d+$/, 'N'), response.headers.get('cache-control')]
    }
    expect(await statusOf('São')).toEqual(['hither; fwd=uri-miss; fwd-status=200; stored', 'no-cache'])
    expect(await statusOf('sao')).toEqual(['hither; hit; ttl=N', 'no-cache'])
  })
  const visitor = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{"name":"Ada"}' }
  it.each<[string, object, number]>([
    [question, {}, 200],
    ['/api/places?q=sao', {}, 200],
    ['/api/index', {}, 200],
    ['/api/searches', {}, 200],
    ['/api/stats', {}, 200],
    [question, { method: 'DELETE' }, 503],
    ['/api/session', visitor, 503],
    ['/api/index', { method: 'POST' }, 503],
  ])('ends %s within one bound while its store hangs, by counted time', async (path, init, status) => {
    const digesting = countDigests()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
    // Like the stores of the servers: a call that names no deadline has the same bound.
    const store = bounded(brokenStore('hangs'))
    const app = createApp({
      cache: createCache({ store, namespace: 'places', ttl: '10m' }),
      httpCache: createHttpCache({ store, storeTimeout: '250ms' }),
      features: createFeatures({ store, secret }),
      limit: {
        limiter: createRateLimiter({
          store,
          algorithm: slidingLog({ limit: 120, window: '1m' }),
          outage: { local: 40 },
        }),
        address: { hops: 1 },
        windowSeconds: 60,
      },
      places,
      page: '',
      store: 'broken',
    })
    const answered = { response: undefined as Response | undefined, afterMs: 0 }
    const startedAt = Date.now()
    const headers = { 'x-forwarded-for': '192.0.2.1', cookie: 'session=x', ...(init as { headers?: object }).headers }
    void Promise.resolve(app.request(path, { ...init, headers })).then((response) => {
      answered.response = response
      answered.afterMs = Date.now() - startedAt
    })
    while (!answered.response && Date.now() - startedAt < 10_000) {
      while (digesting() > 0) await new Promise(setImmediate)
      await vi.advanceTimersByTimeAsync(5)
    }
    expect([answered.response?.status, answered.response && (await answered.response.text())]).toEqual([
      status,
      expect.any(String),
    ])
    expect(answered.afterMs).toBeLessThanOrEqual(STORE_LIMIT_MS + 50) // a store's own timer comes after its deadline
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
