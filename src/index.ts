export { createCache } from './cache/create-cache.ts'
export type { Schema } from './cache/schema.ts'
export type {
  AddOptions,
  Cache,
  CacheEntry,
  CacheEvent,
  CacheOptions,
  CacheStats,
  CallOptions,
  Captured,
  DefineOptions,
  Definition,
  Frozen,
  GetOrSetOptions,
  Given,
  KindLoaders,
  LoadContext,
  LoadDefaults,
  Loaded,
  Loader,
  ManyLoader,
  ManyResult,
  PlainAddOptions,
  PlainCache,
  PlainCacheOptions,
  PlainLoadOptions,
  PlainSetOptions,
  ReadOptions,
  Refresh,
  Results,
  SetOptions,
  ViewOptions,
  WaitUntil,
  WrapOptions,
  WriteOptions,
} from './cache/types.ts'
export { type ErrorCode, HitherError, type HitherErrorOptions, isHitherError, StoreRejectedError } from './errors.ts'
export type { Codec } from './protocol/codec.ts'
export type { Duration } from './protocol/duration.ts'
export type { Arg, Effect, Moment, Operation, Reply, Transition } from './protocol/operation.ts'
export type {
  AtomicStore,
  Call,
  CommandStore,
  Consistency,
  Store,
  StoreEvent,
  StoreTraits,
  WithoutChannels,
} from './store/store.ts'
export {
  type BatchCall,
  type Command,
  type Exclusive,
  type Listening,
  ReplyError,
  type Transport,
  type Wire,
} from './store/transport.ts'
