export type { Algorithm, BurstLimit, Limit, Limits } from './algorithm.ts'
export { createRateLimiter } from './create-rate-limiter.ts'
export { fixedWindow } from './fixed-window.ts'
export { gcra } from './gcra.ts'
export { slidingBuckets } from './sliding-buckets.ts'
export { slidingLog } from './sliding-log.ts'
export { slidingWindow } from './sliding-window.ts'
export { tokenBucket } from './token-bucket.ts'
export type {
  Decision,
  LimitOptions,
  OutagePolicy,
  RateLimitEvent,
  RateLimiter,
  RateLimiterOptions,
  WaitOptions,
} from './types.ts'
