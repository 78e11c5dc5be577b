import type { Format } from './model.ts'
import { CACHE, checkNames, invalid } from './options.ts'
import type { CacheOptions, PlainCacheOptions } from './types.ts'

/** Throws `INVALID_ARGUMENT` for options of `createCache` that make no sense. Returns their format. */
export function checkCacheOptions(options: CacheOptions | PlainCacheOptions, defaultFormat: Format): Format {
  if (!options) throw invalid('createCache takes { store }, such as { store: memoryStore() }')
  const { store, near, onEvent } = options
  const { codec, longKeys } = options as CacheOptions
  const format = (options.format ?? defaultFormat) as Format
  if (typeof format?.parse !== 'function') throw invalid('format is one such as plain()')
  checkNames('createCache', options, CACHE, format.plain)
  if (typeof store?.run !== 'function') {
    const promised = (store as { then?: unknown } | undefined)?.then ? ', not the promise of a client' : ''
    throw invalid(`createCache needs a store with operations, such as memoryStore()${promised}`)
  }
  if (onEvent && typeof onEvent !== 'function') throw invalid('onEvent is a function')
  if (codec) {
    const isForm = typeof codec.encode === 'function' && typeof codec.decode === 'function'
    if (!isForm || !('marks' in codec || /^[A-Z]$/.test(codec.mark)))
      throw invalid('a codec has encode, decode and one letter from A to Z as its mark')
  }
  if (longKeys && typeof longKeys !== 'function') throw invalid('longKeys is a function, such as hashed()')
  if (near !== undefined && typeof near?.attach !== 'function') throw invalid('near is a tier, such as nearTier()')
  return format
}
