/** The part of the package that a simulated process uses. */
export { createCache } from '../../src/cache/create-cache.ts'
export { plain } from '../../src/cache/parts/format-plain.ts'
export { HitherError } from '../../src/errors.ts'
export { messageFeed, nearTier, pullFeed } from '../../src/near/index.ts'
