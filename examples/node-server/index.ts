import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { createCache, isHitherError } from 'hither'
import { createHttpCache } from 'hither/http'
import { createRateLimiter, slidingLog } from 'hither/rate-limit'
import { createApp } from '../app/app.ts'
import { createFeatures, type Features } from '../app/features.ts'
import { unpackPlaces } from '../app/places.ts'
import { storeFrom } from './store.ts'

const DEFAULT_PORT = 3000
const DRAIN_MS = 10_000
/** Requests from one address in any minute. While the store is down, this process counts alone. */
const LIMIT = 120
const LOCAL_LIMIT = 40

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}

/** Without a secret a random one is used: sessions then end with this process, and other servers reject them. */
function featuresFrom(secret: string | undefined): Features {
  try {
    return createFeatures({ store, secret: secret || crypto.getRandomValues(new Uint8Array(32)) })
  } catch (error) {
    if (isHitherError(error)) fail(`SESSION_SECRET: ${error.message}`)
    throw error
  }
}

/** Resolves to whether the port was free. */
function listen(server: Server, port: number, host: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const refused = (error: NodeJS.ErrnoException): void =>
      error.code === 'EADDRINUSE' ? resolve(false) : reject(error)
    server.once('error', refused)
    server.listen(port, host, () => {
      server.off('error', refused)
      resolve(true)
    })
  })
}

/** Accepts no new connection, waits for requests under way, then resolves. */
async function drain(server: Server): Promise<void> {
  const idle = setInterval(() => server.closeIdleConnections(), 50)
  const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS)
  await new Promise((resolve) => server.close(resolve))
  clearInterval(idle)
  clearTimeout(cut)
}

const file = (path: string): Promise<Buffer> => readFile(new URL(path, import.meta.url))
const [bytes, page] = await Promise.all([file('../app/data/places.bin'), file('../app/page.html')]).catch(() =>
  fail('examples/app/data/places.bin is missing: npm run data makes it'),
)
const places = unpackPlaces(new Uint8Array(bytes).buffer)

const { store, label } = await storeFrom(process.env).catch((error: unknown) => {
  if (isHitherError(error)) fail(`${error.code}: ${error.message}`)
  throw error
})
await store.ready().catch((error: unknown) => {
  if (!isHitherError(error)) throw error
  if (!error.retryable) fail(`${error.code}: ${error.message}`)
  console.error(`the store does not answer yet (${error.code}): until it does, every question is computed`)
})
const cache = createCache({ store, namespace: 'places', ttl: '10m' })
const httpCache = createHttpCache({ store, namespace: 'places-http', storeTimeout: '250ms' })
const limiter = createRateLimiter({
  store,
  namespace: 'places',
  algorithm: slidingLog({ limit: LIMIT, window: '1m' }),
  outage: { local: LOCAL_LIMIT },
})
const limit = { limiter, address: 'socket', windowSeconds: 60 } as const
const features = featuresFrom(process.env.SESSION_SECRET)
const stop = new AbortController()
const app = createApp({
  cache,
  httpCache,
  features,
  places,
  page: page.toString(),
  store: store.name,
  limit,
  stopping: stop.signal,
})

const host = process.env.HOST || '127.0.0.1'
const asked = process.env.PORT ? Number(process.env.PORT) : undefined
if (asked !== undefined && !(Number.isInteger(asked) && asked >= 0 && asked <= 65_535)) {
  fail('PORT is a number from 0 to 65535')
}
const server = createAdaptorServer({ fetch: app.fetch }) as Server
if (!(await listen(server, asked ?? DEFAULT_PORT, host))) {
  if (asked !== undefined) fail(`port ${asked} is taken: give another in PORT, or none for a free one`)
  console.log(`port ${DEFAULT_PORT} is taken, so here is a free one`)
  await listen(server, 0, host)
}
let stopping = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (stopping) return
    stopping = true
    stop.abort()
    console.log(`${signal}: answering what is under way, then closing`)
    void drain(server)
      .then(() => httpCache.close())
      .then(() => cache.close())
      .then(() => process.exit(0))
  })
}

const url = `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`
const question = `'${url}/api/near?lat=48.86&lon=2.35&limit=3'`
console.log(`
Nearest of ${places.count.toLocaleString('en')} places: ${url}
Store: ${label}

Open it in a browser, or try these. The first is computed, the second is a hit, the third drops the answer:

  curl -i ${question}
  curl -i ${question}
  curl -i -X DELETE ${question}
`)
