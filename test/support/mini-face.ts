import {
  add,
  capture,
  clear,
  decrement,
  define,
  expire,
  getEntry,
  getOrSetMany,
  has,
  increment,
  invalidateTags,
  peek,
  setMany,
  stats,
  take,
  touch,
  ttl,
  wrap,
} from 'hither/functions'
import { createCache, type HasTags, type MiniCache, tags, values } from 'hither/mini'
import type { Cache, CacheOptions } from '../../src/index.ts'

/** The cache of `hither/mini` with all methods of the full cache, which call the functions of `hither/functions`. */
export function createMiniCache(options: CacheOptions): Cache<'frozen'> {
  return faceOf(createCache({ codec: values(), ...options, tags: tags() }) as MiniCache<'frozen', HasTags>)
}

/** The same for a cache that was made. */
export function faceOf(mini: MiniCache<'frozen', HasTags>): Cache<'frozen'> {
  const verbs = {
    ...mini,
    getOrSetMany: (...args: never[]) => getOrSetMany(mini, ...(args as unknown as [never, never])),
    setMany: (...args: never[]) => setMany(mini, ...(args as unknown as [never])),
    add: (...args: never[]) => add(mini, ...(args as unknown as [never, never])),
    has: (...args: never[]) => has(mini, ...(args as unknown as [never])),
    ttl: (...args: never[]) => ttl(mini, ...(args as unknown as [never])),
    touch: (...args: never[]) => touch(mini, ...(args as unknown as [never])),
    take: (...args: never[]) => take(mini, ...(args as unknown as [never])),
    expire: (...args: never[]) => expire(mini, ...(args as unknown as [never])),
    invalidateTags: (...args: never[]) => invalidateTags(mini, ...(args as unknown as [never])),
    clear: (...args: never[]) => clear(mini, ...args),
    capture: (...args: never[]) => capture(mini, ...(args as unknown as [never])),
    increment: (...args: never[]) => increment(mini, ...(args as unknown as [never])),
    decrement: (...args: never[]) => decrement(mini, ...(args as unknown as [never])),
    wrap: (...args: never[]) => wrap(mini, ...(args as unknown as [never, never])),
    define: (...args: never[]) => define(mini, ...(args as unknown as [never])),
    getEntry: (...args: never[]) => getEntry(mini, ...(args as unknown as [never])),
    peek: (...args: never[]) => peek(mini, ...(args as unknown as [never])),
    stats: () => stats(mini),
    with: (...args: never[]) => faceOf(mini.with(...(args as unknown as [never]))),
    namespace: (...args: never[]) => faceOf(mini.namespace(...(args as unknown as [never]))),
  }
  return verbs as unknown as Cache<'frozen'>
}
