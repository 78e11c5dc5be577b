/** What bench/http.ts measures: a server of one kind on Node, which prints its port. `node bench/http-server.ts KIND` */
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { cacheResponse } from 'hither/hono'
import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { Hono } from 'hono'

const LARGE_BYTES = 10_485_760
const kind = process.argv[2] ?? 'constant'
const app = new Hono()
const store = memoryStore({ maxBytes: 200_000_000 })
if (kind !== 'constant') {
  const near = kind === 'near' ? { near: nearTier() } : {}
  app.use(cacheResponse({ cache: createHttpCache({ store, ...near }), cacheControl: 'max-age=3600' }))
}
const large = new Uint8Array(LARGE_BYTES).fill(97)
app.get('/small', (c) => c.json({ now: 'always', items: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] }))
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
process.on('message', (asked) => {
  if (asked === 'end') process.exit(0)
  const { user, system } = process.cpuUsage()
  process.send?.(asked === 'cpu' ? user + system : process.memoryUsage().rss)
})
const server = createAdaptorServer({ fetch: app.fetch }) as Server
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port))
