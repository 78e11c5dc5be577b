import { IpDenyList, MultiRegionRatelimit, Ratelimit } from '@upstash/ratelimit'
import type { AtomicStore, Store } from 'hither'
import { memoryStore } from 'hither/memory'
import { toUpstashRedis } from 'hither/upstash-ratelimit'

// Compiled by `npm run typecheck` and never run: each line below must compile, except those marked @ts-expect-error.

declare const store: Store
declare const atomic: AtomicStore

void new Ratelimit({ redis: toUpstashRedis(memoryStore()), limiter: Ratelimit.slidingWindow(10, '10 s') })
void new Ratelimit({
  redis: toUpstashRedis(atomic),
  limiter: Ratelimit.tokenBucket(5, '10 s', 10),
  analytics: true,
  enableProtection: true,
  dynamicLimits: true,
})
void new MultiRegionRatelimit({
  redis: [toUpstashRedis(atomic), toUpstashRedis(memoryStore())],
  limiter: MultiRegionRatelimit.slidingWindow(10, '10 s'),
})
void IpDenyList.disableIpDenyList(toUpstashRedis(atomic), 'prefix')
// @ts-expect-error a Store has no operations
toUpstashRedis(store)
