import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { type AtomicStore, isHitherError } from 'hither'
import { createHttpCache } from 'hither/http'
import { connect, ioredisStore } from 'hither/ioredis'
import { memoryStore } from 'hither/memory'
import { fromEnv } from 'hither/upstash'
import { badGateway } from './proxy.ts'
import { isPlain, send } from './send.ts'
import { type OnInterim, upstream } from './upstream.ts'

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}

/**
 * `STORE`: `memory`, the url of a Redis server, or `rest` for UPSTASH_REDIS_REST_URL and its token. @default `rest` where those
 * are set, else `memory`.
 */
async function storeFrom(env: NodeJS.ProcessEnv): Promise<AtomicStore> {
  const STORE = env.STORE || (env.UPSTASH_REDIS_REST_URL ? 'rest' : 'memory')
  if (STORE === 'memory') return memoryStore({ maxBytes: 256_000_000 })
  if (STORE === 'rest') return fromEnv(env)
  if (/^rediss?:/.test(STORE)) return ioredisStore(await connect(STORE))
  return fail('STORE is memory, rest, or the url of a Redis server')
}

const { PORT = '8080', ORIGIN, PROFILE = 'safe' } = process.env
if (!ORIGIN || !URL.canParse(ORIGIN) || new URL(ORIGIN).protocol !== 'http:')
  fail('ORIGIN is the http: url of the server behind this one, such as http://127.0.0.1:3000')
if (PROFILE !== 'safe' && PROFILE !== 'full') fail('PROFILE is safe or full')
if (!/^\d{1,5}$/.test(PORT) || Number(PORT) > 65_535) fail('PORT is a number, such as 8080')
const origin = ORIGIN
const failWith = (error: unknown): never => fail(isHitherError(error) ? `${error.code}: ${error.message}` : `${error}`)
const store = await storeFrom(process.env).catch(failWith)
await store.ready().catch(failWith)
const cache = createHttpCache({
  store,
  profile: PROFILE,
  onEvent(event) {
    if ('error' in event) console.error(event.type, isHitherError(event.error) ? event.error.code : event.error)
  },
})

const server = createAdaptorServer({
  // The host of a request of HTTP/1.0 that has none, as health checks send them.
  hostname: new URL(origin).host,
  async fetch(request, env) {
    const { incoming, outgoing } = env as HttpBindings
    // Servers differ in which of the two they take: requests are smuggled that way.
    if ((incoming.headersDistinct.host?.length ?? 0) > 1) return new Response(null, { status: 400 })
    const { 'content-length': length, 'transfer-encoding': coding } = incoming.headers
    const hasBody = coding !== undefined || length !== undefined
    const body = hasBody ? (request.body === null && length !== '0' ? { body: incoming } : {}) : { body: null }
    // Interim responses of the origin go to the client at once; a stored response has none.
    const onInterim: OnInterim = (status, headers) => {
      if (outgoing.headersSent || !('writeEarlyHints' in outgoing)) return
      if (status === 102) outgoing.writeProcessing()
      else if (status === 103) outgoing.writeEarlyHints(headers as Record<string, string | string[]>)
    }
    try {
      const response = await cache(request, (asked) => upstream(asked, origin, { onInterim, ...body }), {
        refresh: (asked) => upstream(asked, origin),
      })
      return isPlain(response) ? response : await send(response, outgoing)
    } catch {
      return badGateway()
    }
  },
}) as Server
server.once('error', failWith)
server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port} → ${origin}`)
})

let isStopping = false
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    if (isStopping) return
    isStopping = true
    server.close(async () => {
      await cache.close()
      await store.close()
      process.exit(0)
    })
    server.closeIdleConnections()
    setTimeout(() => server.closeAllConnections(), 5000).unref()
  })
}
