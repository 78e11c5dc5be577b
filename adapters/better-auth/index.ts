import { type HashedEntriesOptions, hashedEntries } from 'hither/session'

export type SecondaryStorageOptions = HashedEntriesOptions

/** The interface that better-auth 1.4 and later expects of its `secondaryStorage`. */
export interface SecondaryStorage {
  get(key: string): Promise<string | null>
  /** `ttl` in seconds. */
  set(key: string, value: string, ttl?: number): Promise<void>
  delete(key: string): Promise<void>
  /** Of several concurrent callers, only one gets the value. */
  getAndDelete(key: string): Promise<string | null>
  /** Adds one to a count, which expires `ttl` seconds after its first increment. */
  increment(key: string, ttl: number): Promise<number>
}

/**
 * `secondaryStorage` for better-auth: `betterAuth({ secondaryStorage: secondaryStorage({ store }), … })`. Keys, some of which
 * are session tokens, are stored only as SHA-256. better-auth writes tokens into values too: pass `codec: encrypted({ keys })`
 * if a dump of the store must not reveal them.
 */
export function secondaryStorage(options: SecondaryStorageOptions): SecondaryStorage {
  const entries = hashedEntries(options)
  const lifetimeMs = (seconds: number): number => Math.ceil(seconds * 1000)
  return {
    get: async (key) => (await entries.get(key)) ?? null,
    async set(key, value, ttl) {
      // The value has expired already.
      if (ttl !== undefined && ttl <= 0) await entries.delete(key)
      else await entries.set(key, value, ttl === undefined ? undefined : lifetimeMs(ttl))
    },
    delete: async (key) => void (await entries.delete(key)),
    getAndDelete: async (key) => (await entries.take(key)) ?? null,
    increment: (key, ttl) => entries.count(key, lifetimeMs(ttl)),
  }
}
