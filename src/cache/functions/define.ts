import { HitherError } from '../../errors.ts'
import { encodeJson } from '../../protocol/codec.ts'
import { DEFINED } from '../../protocol/keys.ts'
import { VIEW } from '../handle.ts'
import { checkNames, DEFINE, invalid } from '../options.ts'
import { getOrSet } from '../read.ts'
import { conformLoaded, type Schema } from '../schema.ts'
import type { AnyCache, DefineOptions, Definition, GetOrSetOptions, HasTags, KindLoaders, Results } from '../types.ts'
import { viewOf, viewOfKind } from '../view.ts'
import { delete as remove, set } from '../write.ts'
import { expire } from './invalidate.ts'
import { getOrSetMany } from './many.ts'

/** The key of an entry of a `wrap` or `define`. A colon in the name is encoded: with it two names could make the same key. */
export function namedKey(what: string, name: unknown, own: unknown): string {
  if (typeof own !== 'string') throw new HitherError('INVALID_KEY', `the key function of ${what} returns text`)
  if (typeof name !== 'string' || name === '') throw invalid(`${what} needs a name: a minifier renames functions`)
  return `${name.replace(/[%:]/g, encodeURIComponent)}:${own}`
}

type DefineOf<P, T, F extends object> = F extends HasTags ? DefineOptions<P, T> : Omit<DefineOptions<P, T>, 'tags'>

/**
 * Defines a named kind of entries, typed by its schema or its loader. Throws `INVALID_ARGUMENT` for an invalid name, loader or
 * option.
 */
export function define<P, T, R extends Results, F extends object>(
  cache: AnyCache<R, F>,
  options: DefineOf<P, T, F> & { readonly schema: Schema<T> },
): Definition<P, T, R>
export function define<P, T, R extends Results, F extends object>(
  cache: AnyCache<R, F>,
  options: DefineOf<P, T, F> & KindLoaders<P, T>,
): Definition<P, T, R>
export function define<P, T>(cache: AnyCache, given: DefineOptions<P, T>): Definition<P, T, 'frozen'> {
  checkNames('define', given, DEFINE, viewOf(cache).core.format.level)
  const { name, key, load, loadMany, tags, ...options } = given ?? {}
  const view = viewOfKind(viewOf(cache), { mark: DEFINED, name })
  const defined = { [VIEW]: view } as AnyCache<'frozen', HasTags>
  const { schema } = options
  if (typeof load !== 'function') throw invalid('define takes { name, load }')
  const keyOf = (params: P): string => namedKey('define', name, key ? key(params) : encodeJson(params, true).payload)
  const tagsOf = (params: P): readonly string[] | undefined => (typeof tags === 'function' ? tags(params) : tags)
  const withTags = <O>(params: P, own: O): O & GetOrSetOptions => {
    const names = tagsOf(params)
    return { ...options, ...own, ...(names && { tags: names }) }
  }
  namedKey('define', name, '')

  const get: Definition<P, T, 'frozen'>['get'] = async (params, own) =>
    getOrSet(view, keyOf(params), (context) => load(params, context), withTags(params, own))
  return {
    get,
    async getMany(list, own) {
      if (!Array.isArray(list)) throw invalid('getMany takes an array of parameters')
      if (!loadMany || typeof tags === 'function') return await Promise.all(list.map((params) => get(params, own)))
      const keys = list.map(keyOf)
      const byKey = new Map(list.map((params, i) => [keys[i] as string, params]))
      const values = await getOrSetMany(
        defined,
        [...byKey.keys()],
        async (missing, context) => {
          const found = await loadMany(
            missing.map((key) => byKey.get(key) as P),
            context,
          )
          // An array without those that do not exist would give its values to the wrong keys.
          if (!Array.isArray(found) || found.length !== missing.length)
            throw invalid(
              'loadMany returns an array with an item for each it was asked for, undefined where there is none',
            )
          return new Map(missing.map((key, i) => [key, found[i] as T]))
        },
        { ...options, ...own, ...(tags && { tags }) },
      )
      return keys.map((key) => values.get(key))
    },
    async set(params, value, own) {
      const { ttl, grace } = options
      const names = tagsOf(params)
      const checked = schema ? await conformLoaded(schema, value) : value
      const life = { ...(ttl !== undefined && { ttl }), ...(grace !== undefined && { grace }) }
      await set(view, keyOf(params), checked, { ...life, ...own, ...(names && { tags: names }) })
    },
    delete: async (params, own) => (await remove(view, keyOf(params), own)) === 1,
    invalidate: async (params, own) => expire(defined, keyOf(params), own),
  }
}
