import { type CacheEntry, cachified } from '@epic-web/cachified'
import { createCache as createDedupe } from 'async-cache-dedupe'
import { BentoCache, bentostore } from 'bentocache'
import { memoryDriver } from 'bentocache/drivers/memory'
import { redisDriver } from 'bentocache/drivers/redis'
import { createCache as createManager } from 'cache-manager'
import type { Redis } from 'ioredis'
import { Keyv } from 'keyv'
import { LRUCache } from 'lru-cache'

/** One library's read-through of a key that holds an object. */
export type ReadThrough = (key: string, load: () => Promise<object>) => Promise<unknown>

const ENTRIES = 10_000
const TTL_MS = 3_600_000

/** Read-throughs that keep values in this process, not serialized where the library allows that. */
export function inProcess(): Readonly<Record<string, ReadThrough>> {
  const loaders = new Map<string, () => Promise<object>>()
  const dedupe = createDedupe({ ttl: TTL_MS / 1000, storage: { type: 'memory', options: { size: ENTRIES } } }).define(
    'value',
    (key: string) => (loaders.get(key) as () => Promise<object>)(),
  )
  const bento = new BentoCache({
    default: 'main',
    stores: {
      main: bentostore({ ttl: TTL_MS }).useL1Layer(memoryDriver({ maxItems: ENTRIES, serialize: false })),
    },
  })
  const plain = new Map<string, CacheEntry<object>>()
  const manager = createManager({ ttl: TTL_MS })
  const keyv = new Keyv({ ttl: TTL_MS })
  const lru = new LRUCache<string, object, () => Promise<object>>({
    max: ENTRIES,
    ttl: TTL_MS,
    fetchMethod: (_, __, { context }) => context(),
  })
  return {
    'async-cache-dedupe': (key, load) => {
      loaders.set(key, load)
      return dedupe.value(key)
    },
    bentocache: (key, factory) => bento.getOrSet({ key, factory }),
    cachified: (key, getFreshValue) => cachified({ key, cache: plain, getFreshValue, ttl: TTL_MS }),
    'cache-manager': (key, load) => manager.wrap(key, load),
    keyv: async (key, load) => {
      const found = await keyv.get(key)
      if (found !== undefined) return found
      const value = await load()
      await keyv.set(key, value)
      return value
    },
    'lru-cache fetch': (key, context) => lru.fetch(key, { context }),
  }
}

/** Read-throughs over Redis, with nothing kept in this process. */
export function overRedis(client: Redis, prefix: string): Readonly<Record<string, ReadThrough>> {
  const loaders = new Map<string, () => Promise<object>>()
  const dedupe = createDedupe({ ttl: TTL_MS / 1000, storage: { type: 'redis', options: { client } } }).define(
    'value',
    (key: string) => (loaders.get(key) as () => Promise<object>)(),
  )
  const bento = new BentoCache({
    default: 'main',
    stores: {
      main: bentostore({ ttl: TTL_MS, prefix: `${prefix}bento` }).useL2Layer(redisDriver({ connection: client })),
    },
  })
  const cache = {
    get: async (key: string) => JSON.parse((await client.get(key)) ?? 'null') as CacheEntry<object> | null,
    set: (key: string, value: CacheEntry<object>) => client.set(key, JSON.stringify(value), 'PX', TTL_MS),
    delete: (key: string) => client.del(key),
  }
  return {
    'async-cache-dedupe': (key, load) => {
      loaders.set(prefix + key, load)
      return dedupe.value(prefix + key)
    },
    bentocache: (key, factory) => bento.getOrSet({ key, factory }),
    cachified: (key, getFreshValue) =>
      cachified({ key: `${prefix}cachified:${key}`, cache, getFreshValue, ttl: TTL_MS }),
  }
}
