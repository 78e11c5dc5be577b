import type { Format } from './model.ts'
import { CACHE, checkNames, invalid } from './options.ts'
import type { CacheOptions, PlainCacheOptions } from './types.ts'

const METHODS = ['get', 'getMany', 'set', 'delete'] as const

/** Throws `INVALID_ARGUMENT` for invalid options of `createCache`. Returns their format. */
export function checkCacheOptions(options: CacheOptions | PlainCacheOptions, defaultFormat: Format): Format {
  if (!options) throw invalid('createCache takes { store }, such as { store: memoryStore() }')
  const { store, near, onEvent, eventKeys } = options
  const { codec, longKeys } = options as CacheOptions
  const format = (options.format ?? defaultFormat) as Format
  if (typeof format?.parse !== 'function') throw invalid('format is one such as plain()')
  checkNames('createCache', options, CACHE, format.level)
  const isStore = METHODS.every((name) => typeof store?.[name] === 'function')
  if (!isStore) throw invalid(`createCache needs a store${mend(store)}`)
  if (onEvent && typeof onEvent !== 'function') throw invalid('onEvent is a function')
  if (eventKeys && typeof eventKeys !== 'function') throw invalid('eventKeys is a function, such as shortHash()')
  if (codec) {
    const isForm = typeof codec.encode === 'function' && typeof codec.decode === 'function'
    if (!isForm || !('marks' in codec || /^[A-Z]$/.test(codec.mark)))
      throw invalid('a codec has encode, decode and one letter from A to Z as its mark')
  }
  if (longKeys && typeof longKeys !== 'function') throw invalid('longKeys is a function, such as hashed()')
  if (near !== undefined && typeof near?.attach !== 'function') throw invalid('near is a tier, such as nearTier()')
  return format
}

/** The end of an error message: what to pass in place of something that is not a store. */
function mend(given: unknown): string {
  const has = (name: string): boolean => !!(given as Record<string, unknown> | null | undefined)?.[name]
  if (typeof given === 'string' || given instanceof URL) return ', not a url: tcpStore(url) of hither/tcp'
  if (has('then')) return ' with operations, such as memoryStore(), not the promise of a client'
  if (has('status')) return ', not a client: wrap it, ioredisStore(client) of hither/ioredis'
  if (has('sendCommand')) return ', not a client: tcpStore(url) of hither/tcp'
  if (has('pipeline')) return ', not a client: upstashStore({ url, token }) of hither/upstash'
  return ' with operations, such as memoryStore()'
}
