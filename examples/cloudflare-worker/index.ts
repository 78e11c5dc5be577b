import { type AtomicStore, type Cache, createCache } from 'hither'
import { createHttpCache, type HttpCache } from 'hither/http'
import { createRateLimiter, type RateLimiter, slidingLog } from 'hither/rate-limit'
import { fromEnv } from 'hither/upstash'
import type { Hono } from 'hono'
import { type AppEnv, createApp, STORE_LIMIT_MS } from '../app/app.ts'
import bytes from '../app/data/places.bin'
import { createFeatures, type Features } from '../app/features.ts'
import page from '../app/page.html'
import { unpackPlaces } from '../app/places.ts'

interface Bindings {
  readonly UPSTASH_REDIS_REST_URL?: string
  readonly UPSTASH_REDIS_REST_TOKEN?: string
  readonly SESSION_SECRET?: string
}

// One of each per isolate, made by the first request, which has the credentials. They hold data only: every call to
// the cache goes through the view of its own request, which cacheContext makes.
let store: AtomicStore | undefined
let cache: Cache | undefined
let httpCache: HttpCache | undefined
let limiter: RateLimiter | undefined
let features: Features | undefined

function storeOf(env: Bindings): AtomicStore {
  store ??= fromEnv(env, { timeoutMs: STORE_LIMIT_MS })
  return store
}

const app: Hono<AppEnv<Bindings>> = createApp<Bindings>({
  cache(c) {
    cache ??= createCache({ store: storeOf(c.env), namespace: 'places', ttl: '10m' })
    return cache
  },
  httpCache: {
    for(c) {
      httpCache ??= createHttpCache({ store: storeOf(c.env), namespace: 'places-http', storeTimeout: '250ms' })
      return httpCache
    },
  },
  features(c) {
    features ??= createFeatures({ store: storeOf(c.env), secret: c.env.SESSION_SECRET })
    return features
  },
  places: unpackPlaces(bytes),
  page,
  store: 'upstash',
  limit: {
    limiter(c) {
      limiter ??= createRateLimiter({
        store: storeOf(c.env),
        namespace: 'places',
        algorithm: slidingLog({ limit: 120, window: '1m' }),
        outage: { local: 40 },
      })
      return limiter
    },
    address: 'cloudflare',
    windowSeconds: 60,
  },
})

export default app
