import { type Store as ExpressStore, rateLimit } from 'express-rate-limit'
import { rateLimitStore } from 'hither/express-rate-limit'
import { memoryStore } from 'hither/memory'
import { rateLimiter } from 'hono-rate-limiter'

// Compiled by `npm run typecheck` and never run: each line below must compile, except those marked @ts-expect-error.

const store: ExpressStore = rateLimitStore(memoryStore())
void rateLimit({ store })
void rateLimiter({ store: rateLimitStore(memoryStore()), keyGenerator: () => 'k' })
// @ts-expect-error a store has no window of its own: the limiter sets it
rateLimitStore(memoryStore(), { windowMs: 1 })
