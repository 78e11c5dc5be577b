import { createCache } from 'hither'
import { createHttpCache } from 'hither/http'
import { fromEnv } from 'hither/upstash'
import type { Hono } from 'hono'
import { type AppEnv, createApp, STORE_LIMIT_MS } from '../app/app.ts'
import { createFeatures } from '../app/features.ts'
import { unpackPlaces } from '../app/places.ts'

/** Vercel runs this file in its edge runtime. */
export const config = { runtime: 'edge' }

declare const process: { readonly env: Readonly<Record<string, string | undefined>> }

// One application and one cache per isolate: data only. The places are a static file beside the function, since a function may
// not be that large; the first request fetches them. No promise is shared: the request that made it may have ended.
let app: Hono<AppEnv<object>> | undefined

async function open(origin: string): Promise<Hono<AppEnv<object>>> {
  const file = async (path: string): Promise<Response> => {
    const response = await fetch(new URL(path, origin))
    if (!response.ok) throw new Error(`${path} answers ${response.status}`)
    return response
  }
  const [bytes, page] = await Promise.all([
    file('/static/places.bin').then((response) => response.arrayBuffer()),
    file('/static/page.html').then((response) => response.text()),
  ])
  const store = fromEnv(process.env, { timeoutMs: STORE_LIMIT_MS })
  const cache = createCache({ store, namespace: 'places', ttl: '10m' })
  const httpCache = createHttpCache({ store, namespace: 'places-http', storeTimeout: '250ms' })
  const features = createFeatures({ store, secret: process.env.SESSION_SECRET })
  return createApp({ cache, httpCache, features, places: unpackPlaces(bytes), page, store: store.name })
}

export default async function handle(request: Request): Promise<Response> {
  app ??= await open(request.url)
  return app.fetch(request)
}
