/** What a simulated process has of the package. */
export { createCache } from '../../src/cache/create-cache.ts'
export { plain } from '../../src/cache/parts/format-plain.ts'
export { HitherError } from '../../src/errors.ts'
export { messageFeed, nearTier, pullFeed } from '../../src/near/index.ts'
