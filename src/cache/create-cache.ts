import { close, openView, viewOfNamespace, viewWith } from './faces.ts'
import * as verbs from './functions/index.ts'
import { VIEW } from './handle.ts'
import type { View } from './model.ts'
import { entryFormat } from './parts/format-entry.ts'
import { tags } from './parts/tags.ts'
import { values } from './parts/values.ts'
import { get, getMany, getOrSet, peek } from './read.ts'
import type {
  Cache,
  CacheOptions,
  DefineOptions,
  Definition,
  Frozen,
  PlainCache,
  PlainCacheOptions,
  ViewOptions,
} from './types.ts'
import { delete as remove, set } from './write.ts'

const FACE = { tags: tags(), format: entryFormat, values: values() }

/** Options with which no two callers get the same object: there is no near tier, or each caller gets a copy. */
type Copied = { readonly near?: never } | { readonly mutable: true }

/**
 * A cache over a store. Its results are `T`, or `Frozen<T>` with a near tier and without `mutable: true`. Throws at once
 * for invalid options: `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_KEY` (a namespace). Sends nothing to the store.
 */
export function createCache(options: PlainCacheOptions & Copied): PlainCache
export function createCache(options: CacheOptions & Copied): Cache
export function createCache(options: PlainCacheOptions): PlainCache<'frozen'>
export function createCache(options: CacheOptions): Cache<'frozen'>
export function createCache(options: PlainCacheOptions | (CacheOptions & object)): PlainCache<'frozen'>
export function createCache(options: CacheOptions | PlainCacheOptions): Cache<never> {
  return faceOf(openView(options, FACE)) as Cache<never>
}

/** Every method is one line that calls a function with the cache or its view. */
function faceOf(view: View): Cache<'frozen'> {
  const cache: Cache<'frozen'> = {
    [VIEW]: view as Cache<'frozen'>[typeof VIEW],
    get: (key, options) => get(view, key, options),
    getMany: (keys, options) => getMany(view, keys, options),
    getOrSet: (key, loader, options) => getOrSet(view, key, loader, options),
    getOrSetMany: (keys, loader, options) => verbs.getOrSetMany(cache, keys, loader, options),
    set: (key, value, options) => set(view, key, value, options),
    setMany: (entries, options) => verbs.setMany(cache, entries, options),
    add: (key, value, options) => verbs.add(cache, key, value, options),
    has: (key, options) => verbs.has(cache, key, options),
    ttl: (key, options) => verbs.ttl(cache, key, options),
    touch: (key, options) => verbs.touch(cache, key, options),
    take: (key, options) => verbs.take(cache, key, options),
    delete: (keys, options) => remove(view, keys, options),
    expire: (key, options) => verbs.expire(cache, key, options),
    invalidateTags: (tags, options) => verbs.invalidateTags(cache, tags, options),
    clear: (options) => verbs.clear(cache, options),
    capture: (tags, options) => verbs.capture(cache, tags, options),
    increment: (key, by, options) => verbs.increment(cache, key, by, options),
    decrement: (key, by, options) => verbs.decrement(cache, key, by, options),
    wrap: (fn, options) => verbs.wrap(cache, fn, options),
    define: <P, T>(options: DefineOptions<P, T>) => verbs.define(cache, options as never) as Definition<P, T, 'frozen'>,
    getEntry: (key, options) => verbs.getEntry(cache, key, options),
    peek: <T>(key: string) => peek(view, key) as Frozen<T> | undefined,
    with: (options: ViewOptions): Cache<never> => faceOf(viewWith(view, options)) as Cache<never>,
    namespace: (name) => faceOf(viewOfNamespace(view, name)),
    stats: () => verbs.stats(cache),
    flush: view.core.background.flush,
    close: () => close(view),
    [Symbol.asyncDispose]: () => close(view),
  }
  return cache
}
