import { memoryStore } from 'hither/memory'
import {
  type Algorithm,
  createRateLimiter,
  type Decision,
  fixedWindow,
  gcra,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from 'hither/rate-limit'
import type { Store } from '../../src/store/store.ts'
import { typed } from './support.ts'

// Compiled by `npm run typecheck` and never run: each line below must compile, except those marked @ts-expect-error.

declare const plain: Store
const store = memoryStore()
const algorithm = slidingLog({ limit: 100, window: '1m' })
const limiter = createRateLimiter({ store, algorithm, outage: 'closed' })

typed<Promise<Decision>>()(limiter.limit('a'))
typed<Promise<Decision>>()(limiter.peek('a'))
typed<Promise<Decision>>()(limiter.waitFor('a', { timeout: '5s' }))
typed<Promise<void>>()(limiter.reset('a'))
typed<Promise<void>>()(limiter.refund('a', 2))
typed<Promise<void>>()(limiter.block('a', '1h'))
typed<Algorithm>()(
  fixedWindow([
    { limit: 100, window: '1m' },
    { limit: 1000, window: '1d' },
  ]),
)
typed<Algorithm>()(tokenBucket({ limit: 1, window: 1000, burst: 5 }))
typed<Algorithm>()(gcra([{ limit: 1, window: '1s', burst: 5 }]))
void slidingWindow({ limit: 1, window: '1s' })
createRateLimiter({ store, algorithm, outage: 'open', namespace: 'api', timeout: '100ms', onEvent: () => {} })
createRateLimiter({ store, algorithm, outage: { local: 10 } })

// @ts-expect-error the behavior in an outage must be chosen
createRateLimiter({ store, algorithm })
// @ts-expect-error maybe is none of its three values
createRateLimiter({ store, algorithm, outage: 'maybe' })
// @ts-expect-error a plain store cannot decide atomically
createRateLimiter({ store: plain, algorithm, outage: 'open' })
// @ts-expect-error an algorithm is an object, not a name
createRateLimiter({ store, algorithm: 'slidingLog', outage: 'open' })
// @ts-expect-error an option that does not exist
createRateLimiter({ store, algorithm, outage: 'open', prefix: 'x' })
// @ts-expect-error a window is a duration
fixedWindow({ limit: 1, window: 'a minute' })
// @ts-expect-error a window is required
slidingBuckets({ limit: 1 })
// @ts-expect-error only token buckets and gcra have a burst
slidingLog({ limit: 1, window: '1s', burst: 2 })
// @ts-expect-error an id is text
void limiter.limit(5)
// @ts-expect-error a cost is a number
void limiter.limit('a', { cost: '1' })
// @ts-expect-error only waitFor takes a timeout
void limiter.limit('a', { timeout: '1s' })
// @ts-expect-error a decision cannot be changed
;(await limiter.limit('a')).success = true
