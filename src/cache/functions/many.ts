import { getOrSetMany as readThroughMany } from '../load/read-many.ts'
import { loadSettings } from '../load/settings.ts'
import { invalid, LOAD, limitOf } from '../options.ts'
import type {
  AnyCache,
  GetOrSetOptions,
  Given,
  Loaded,
  LoadOptionsOf,
  ManyLoader,
  Results,
  SetOptions,
  SetOptionsOf,
} from '../types.ts'
import { storedKeys, viewOf } from '../view.ts'
import { setMany as writeMany } from '../write.ts'

/**
 * `getOrSet` for many keys. One run of the loader gets the missing keys only. Keys that it leaves out, or returns undefined
 * for, are absent from the map. At most 10,000 keys.
 */
export async function getOrSetMany<T, R extends Results, F extends object, S = unknown>(
  cache: AnyCache<R, F>,
  keys: readonly string[],
  loader: ManyLoader<T>,
  given?: LoadOptionsOf<F, S>,
): Promise<Map<string, Given<Loaded<T, S>, R>>> {
  const view = viewOf(cache)
  const options = given as GetOrSetOptions | undefined
  const limit = limitOf(view, options, LOAD)
  storedKeys(view, keys)
  if (typeof loader !== 'function') throw invalid('getOrSetMany takes a loader, a function')
  const settings = loadSettings(view.core, options)
  const values = await readThroughMany({ view, keys, loader, settings, limit })
  return values as Map<string, Given<Loaded<T, S>, R>>
}

/** `set` for each pair, in order. Rejects when one was not stored, though others may have been. At most 10,000 pairs. */
export async function setMany<F extends object>(
  cache: AnyCache<Results, F>,
  entries: Iterable<readonly [key: string, value: unknown]>,
  options?: SetOptionsOf<F>,
): Promise<void> {
  await writeMany(viewOf(cache), entries, options as SetOptions | undefined)
}
