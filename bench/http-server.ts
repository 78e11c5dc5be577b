/**
 * A server that bench/http.ts measures: `node bench/http-server.ts KIND` runs one kind of server on Node, and sends its port to
 * the parent process. KIND is `constant` (the handlers alone), `near`, `store`, or a peer: `hono/cache`, `undici` (its
 * interceptor, in front of the server at ORIGIN), `http-cache-semantics` (the recipe of its README, over a Map).
 */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { cacheResponse } from 'hither/hono'
import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { type Context, Hono } from 'hono'
import { cache as honoCache } from 'hono/cache'
import CachePolicy from 'http-cache-semantics'
import { Agent, interceptors, request } from 'undici'

const LARGE_BYTES = 10_485_760
const ITEMS = { now: 'always', items: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }
const kind = process.argv[2] ?? 'constant'
const app = new Hono()
const store = memoryStore({ maxBytes: 200_000_000 })
if (kind === 'near' || kind === 'store') {
  const near = kind === 'near' ? { near: nearTier() } : {}
  app.use(cacheResponse({ cache: createHttpCache({ store, ...near }), cacheControl: 'max-age=3600' }))
}
if (kind === 'hono/cache') {
  // Node has no `caches`, and undici's does not take a `Response` of this server.
  const kept = new Map<string, readonly [body: string, init: ResponseInit]>()
  const match = async (key: string | Request): Promise<Response | undefined> => {
    const found = kept.get(typeof key === 'string' ? key : key.url)
    return found && new Response(...found)
  }
  const put = async (key: string | Request, response: Response): Promise<void> => {
    const init = { status: response.status, headers: Object.fromEntries(response.headers) }
    kept.set(typeof key === 'string' ? key : key.url, [await response.text(), init])
  }
  Object.assign(globalThis, { caches: { open: async () => ({ match, put }) } })
  app.use('/small', honoCache({ cacheName: 'bench', cacheControl: 'max-age=3600', wait: true }))
}
if (kind === 'undici') {
  const dispatcher = new Agent({ connections: 16 }).compose(interceptors.cache())
  app.get('/small', async () => {
    const { statusCode: status, headers, body } = await request(`${process.env.ORIGIN}/cached`, { dispatcher })
    return new Response(await body.text(), { status, headers: headers as Record<string, string> })
  })
}
if (kind === 'http-cache-semantics') {
  const stored = new Map<string, { readonly policy: CachePolicy; readonly body: string }>()
  app.use('/small', async (c: Context, next) => {
    const { url, method } = c.req.raw
    const asked = { url, method, headers: c.req.header() }
    const found = stored.get(url)
    if (found?.policy.satisfiesWithoutRevalidation(asked)) {
      c.res = new Response(found.body, { headers: found.policy.responseHeaders() as Record<string, string> })
      return
    }
    await next()
    c.header('Cache-Control', 'max-age=3600')
    const { status, headers } = c.res
    const policy = new CachePolicy(asked, { status, headers: Object.fromEntries(headers) })
    if (policy.storable()) stored.set(url, { policy, body: await c.res.clone().text() })
  })
}
const large = new Uint8Array(LARGE_BYTES).fill(97)
app.get('/cached', (c) => c.json(ITEMS, 200, { 'Cache-Control': 'max-age=3600' }))
app.get('/small', (c) => c.json(ITEMS))
app.get('/large', () => new Response(large))
app.get('/stream/:id', () => {
  let left = 40
  const chunk = new Uint8Array(262_144).fill(98)
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (left-- > 0) controller.enqueue(chunk)
      else controller.close()
    },
  })
  return new Response(body)
})
process.on('message', () => process.send?.(process.memoryUsage().rss))
const server = createAdaptorServer({ fetch: app.fetch }) as Server
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
