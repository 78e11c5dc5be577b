export { createHttpCache } from './create-http-cache.ts'
export { type PurgeHandlerOptions, purgeHandler } from './purge-handler.ts'
export type {
  HttpCache,
  HttpCacheContext,
  HttpCacheEvent,
  HttpCacheOptions,
  HttpProfile,
  HttpRule,
  NextHandler,
  PurgeLayer,
  PurgeSelection,
} from './types.ts'
