import { type AtomicStore, HitherError } from 'hither'
import { decrement, increment, read } from './hits.ts'

export interface RateLimitStoreOptions {
  /** The start of each key. Limiters with the same prefix share their counts. @default 'rl:' */
  readonly prefix?: string
  /** How long one count may wait for the store, in milliseconds. @default 250 */
  readonly timeoutMs?: number
}

/** The hits of a client, and when its window ends by this machine's clock, with which the packages compare it. */
export interface HitInfo {
  totalHits: number
  resetTime: Date
}

/** A store as `express-rate-limit` 7 and 8 and `hono-rate-limiter` 0.5 take it. */
export interface RateLimitStore {
  readonly prefix: string
  /** Whether counts stay in this process. */
  readonly localKeys: boolean
  /**
   * Called by the middleware with its options. Throws `INVALID_ARGUMENT` for a `windowMs` that is not a whole number above 0, or
   * that differs from the one of an earlier limiter on this store.
   */
  init(options: { windowMs: number }): void
  get(key: string): Promise<HitInfo | undefined>
  increment(key: string): Promise<HitInfo>
  decrement(key: string): Promise<void>
  resetKey(key: string): Promise<void>
}

/** The window if no limiter has called `init`. */
const DEFAULT_WINDOW_MS = 60_000
/** Longer keys are hashed. So are keys that begin with `#`, as hashes do, and keys with half a surrogate pair. */
const MAX_KEY = 128

/**
 * A store of hither for limiters that count hits in fixed windows. Each hit is one command, timed by the store's clock. A window
 * opens with its first hit; later hits do not extend it. Whoever opened the store must close it.
 *
 * Rejects with the store's error when the store is down: `express-rate-limit` passes that to the error handler, or with
 * `passOnStoreError: true` lets the request through; `hono-rate-limiter` passes it to `app.onError`. A hit is never sent twice.
 */
export function rateLimitStore(store: AtomicStore, options: RateLimitStoreOptions = {}): RateLimitStore {
  const { prefix = 'rl:', timeoutMs = 250, ...others } = options
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw invalid(`rateLimitStore has no option ${unknown}`)
  if (typeof prefix !== 'string') throw invalid('prefix is text')
  if (typeof store?.run !== 'function') {
    throw new HitherError('UNSUPPORTED', 'rateLimitStore needs a store with operations')
  }
  if (!(Number.isSafeInteger(timeoutMs) && timeoutMs > 0)) throw invalid('timeoutMs is a whole number above 0')
  let windowMs: number | undefined
  const call = (): { deadline: number } => ({ deadline: Date.now() + timeoutMs })
  const keyOf = async (key: string): Promise<string> =>
    prefix + (key.length <= MAX_KEY && key.isWellFormed() && key[0] !== '#' ? key : `#${await hash(key)}`)
  const info = ([totalHits = 0, leftMs = 0]: readonly number[]): HitInfo => ({
    totalHits,
    resetTime: new Date(Date.now() + leftMs),
  })

  return {
    prefix,
    localKeys: !store.traits.shared,
    init(given) {
      const ms = given.windowMs
      if (!(Number.isSafeInteger(ms) && ms > 0)) throw invalid('windowMs is a whole number above 0')
      // Otherwise the hits of both limiters would be counted in the window of the later one.
      if (windowMs !== undefined && windowMs !== ms)
        throw invalid('two limiters of different windows need a rateLimitStore each, with a prefix of its own')
      windowMs = ms
    },
    async get(key) {
      const hits = await store.run(read, await keyOf(key), [], call())
      return hits.length === 0 ? undefined : info(hits)
    },
    increment: async (key) =>
      info(await store.run(increment, await keyOf(key), [windowMs ?? DEFAULT_WINDOW_MS], call())),
    async decrement(key) {
      await store.run(decrement, await keyOf(key), [], call())
    },
    async resetKey(key) {
      await store.delete([await keyOf(key)], call())
    },
  }
}

/** Hashes the key as JSON, in which different lone surrogates stay different. UTF-8 would make them equal. */
async function hash(key: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(key)))
  return btoa(String.fromCharCode(...new Uint8Array(digest)))
}

function invalid(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}
