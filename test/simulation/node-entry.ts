/** What a simulated process has of the package. */
export { createCache } from '../../src/cache/create-cache.ts'
export { atFraction, early } from '../../src/cache/refresh.ts'
export { HitherError } from '../../src/errors.ts'
