import { HitherError } from '../errors.ts'
import { encodeJson } from '../protocol/codec.ts'
import { invalid } from './core.ts'
import { conformLoaded } from './schema.ts'
import type { Cache, DefineOptions, Definition, GetOrSetOptions } from './types.ts'

/** The key of a call by name: a colon in the name would let two of them meet under one key. */
export function namedKey(what: string, name: unknown, own: unknown): string {
  if (typeof own !== 'string') throw new HitherError('INVALID_KEY', `the key function of ${what} answers text`)
  if (typeof name !== 'string' || name === '') throw invalid(`${what} needs a name: a minifier renames functions`)
  return `${name.replace(/[%:]/g, encodeURIComponent)}:${own}`
}

/** A typed front door to the entries of one kind. Throws `INVALID_ARGUMENT` for a name or loader that is none. */
export function define<P, T>(
  cache: Pick<Cache<'frozen'>, 'getOrSet' | 'getOrSetMany' | 'set' | 'delete' | 'expire'>,
  given: DefineOptions<P, T>,
): Definition<P, T, 'frozen'> {
  const { name, key, load, loadMany, tags, ...options } = given ?? {}
  const { schema } = options
  if (typeof load !== 'function') throw invalid('define takes { name, load }')
  const keyOf = (params: P): string => namedKey('define', name, key ? key(params) : encodeJson(params, true).payload)
  const tagsOf = (params: P): readonly string[] | undefined => (typeof tags === 'function' ? tags(params) : tags)
  const withTags = <O>(params: P, own: O): O & GetOrSetOptions => {
    const names = tagsOf(params)
    return { ...options, ...own, ...(names && { tags: names }) }
  }
  namedKey('define', name, '')

  const get: Definition<P, T, 'frozen'>['get'] = (params, own) =>
    cache.getOrSet<T>(keyOf(params), (context) => load(params, context) as T, withTags(params, own))
  return {
    get,
    async getMany(list, own) {
      if (!loadMany || typeof tags === 'function') return await Promise.all(list.map((params) => get(params, own)))
      const byKey = new Map(list.map((params) => [keyOf(params), params]))
      const values = await cache.getOrSetMany<T>(
        [...byKey.keys()],
        async (missing, context) => {
          const found = await loadMany(
            missing.map((key) => byKey.get(key) as P),
            context,
          )
          if (!Array.isArray(found)) throw invalid('loadMany answers an array, in the order of what it was asked for')
          return new Map(missing.map((key, i) => [key, found[i] as T]))
        },
        { ...options, ...own, ...(tags && { tags }) },
      )
      return list.map((params) => values.get(keyOf(params)))
    },
    async set(params, value, own) {
      const { ttl, grace } = options
      const names = tagsOf(params)
      const checked = schema ? await conformLoaded(schema, value) : value
      const life = { ...(ttl !== undefined && { ttl }), ...(grace !== undefined && { grace }) }
      await cache.set(keyOf(params), checked, { ...life, ...own, ...(names && { tags: names }) })
    },
    delete: async (params, own) => (await cache.delete(keyOf(params), own)) === 1,
    invalidate: (params, own) => cache.expire(keyOf(params), own),
  }
}
