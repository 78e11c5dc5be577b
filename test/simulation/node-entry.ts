/** What a simulated process has of the package. */
export { createCache } from '../../src/cache/create-cache.ts'
export { HitherError } from '../../src/errors.ts'
export { messageFeed, nearTier, pullFeed } from '../../src/near/index.ts'
