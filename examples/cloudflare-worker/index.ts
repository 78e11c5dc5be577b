import { type Cache, createCache } from 'hither'
import { fromEnv } from 'hither/upstash'
import type { Hono } from 'hono'
import { type AppEnv, createApp } from '../app/app.ts'
import bytes from '../app/data/places.bin'
import page from '../app/page.html'
import { unpackPlaces } from '../app/places.ts'

interface Bindings {
  readonly UPSTASH_REDIS_REST_URL?: string
  readonly UPSTASH_REDIS_REST_TOKEN?: string
}

// One cache per isolate, made by the first request, which brings the credentials. It holds data only: every call goes
// through the view of its own request, which cacheContext makes.
let cache: Cache | undefined

const app: Hono<AppEnv<Bindings>> = createApp<Bindings>({
  cache(c) {
    cache ??= createCache({ store: fromEnv(c.env), namespace: 'places', ttl: '10m' })
    return cache
  },
  places: unpackPlaces(bytes),
  page,
  store: 'upstash',
})

export default app
