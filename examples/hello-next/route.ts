/** A route handler of Next.js: `app/api/now/route.ts`. One cache, which survives hot reloads. */
import { type Cache, createCache } from 'hither'
import { memoryStore } from 'hither/memory'
import { tcpStore } from 'hither/tcp'

const kept = globalThis as { helloCache?: Cache }
const url = process.env.REDIS_URL
kept.helloCache ??= createCache({
  store: url ? tcpStore({ url }) : memoryStore(),
  namespace: 'hello',
  ttl: '1m',
  grace: '1h',
})
const cache = kept.helloCache

export async function GET(request: Request): Promise<Response> {
  // In a real application: waitUntil: after, of 'next/server'.
  const view = cache.with({ signal: request.signal })
  return Response.json(await view.getOrSet('now', () => ({ computed: new Date() }), { softTimeout: '200ms' }))
}
