export { createHttpCache } from './create-http-cache.ts'
export type {
  HttpCache,
  HttpCacheContext,
  HttpCacheEvent,
  HttpCacheOptions,
  HttpProfile,
  HttpRule,
  NextHandler,
  PurgeSelection,
} from './types.ts'
