import { createCache } from 'hither'
import { durableObjectStore, redisObjectStore } from 'hither/cloudflare'
import { createHttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { messageFeed, nearTier, pullFeed } from 'hither/near'
import { createRateLimiter, slidingWindow } from 'hither/rate-limit'
import { tcpStore } from 'hither/tcp'
import { upstashStore } from 'hither/upstash'

// All of this is made where the module begins. Workers permit no random numbers, timers or I/O there: what needs one throws.
const store = memoryStore()
const objects = { idFromName: (name: string) => name, get: () => ({}) }
const ttl = '1m'
const caches = [
  createCache({ store, ttl, near: nearTier({ feed: pullFeed() }) }),
  createCache({ store: tcpStore('redis://127.0.0.1:1'), ttl, near: nearTier({ feed: messageFeed() }) }),
  createCache({ store: upstashStore({ url: 'http://127.0.0.1:1', token: 'token' }), ttl, near: nearTier() }),
  createCache({ store: durableObjectStore(objects), ttl }),
  createCache({ store: redisObjectStore(objects), ttl }),
] as const
createHttpCache({ store, near: nearTier({ feed: pullFeed() }) })
createRateLimiter({ store, algorithm: slidingWindow({ limit: 1, window: '1m' }), outage: 'closed' })

export default {
  async fetch(): Promise<Response> {
    await caches[0].set('key', 'value')
    return Response.json(await caches[0].get('key'))
  },
}
