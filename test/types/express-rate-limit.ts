import { type Store as ExpressStore, rateLimit } from 'express-rate-limit'
import { rateLimitStore } from 'hither/express-rate-limit'
import { memoryStore } from 'hither/memory'
import { rateLimiter } from 'hono-rate-limiter'

// Compiled by `npm run typecheck` and never run: each line below must compile, and each marked one must not.

const store: ExpressStore = rateLimitStore(memoryStore())
void rateLimit({ store })
void rateLimiter({ store: rateLimitStore(memoryStore()), keyGenerator: () => 'k' })
// @ts-expect-error a store has no windows: the limiter brings them
rateLimitStore(memoryStore(), { windowMs: 1 })
