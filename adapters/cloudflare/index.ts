import type { WaitUntil } from 'hither'
import { waitUntil as find } from './background.ts'

/**
 * For `createCache({ waitUntil })` with a bundler that does not know the condition `workerd`. With one that does, hither finds
 * this function by itself. Can be imported in Workers only.
 */
export const waitUntil: WaitUntil = (work) => find()(work)

export { HitherObject, type StoredEntry } from './hither-object.ts'
export { type KvNamespace, type KvStoreOptions, kvStore } from './kv-store.ts'
export { type DurableObjectStoreOptions, durableObjectStore, type ObjectNamespace } from './object-store.ts'
export { RedisObject } from './redis-object.ts'
export { type RedisObjectStoreOptions, redisObjectStore } from './redis-object-store.ts'
