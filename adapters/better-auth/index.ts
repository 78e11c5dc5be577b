import { type HashedEntriesOptions, hashedEntries } from 'hither/session'

export type SecondaryStorageOptions = HashedEntriesOptions

/** What `secondaryStorage` of better-auth 1.4 and later is. */
export interface SecondaryStorage {
  get(key: string): Promise<string | null>
  /** `ttl` in seconds. */
  set(key: string, value: string, ttl?: number): Promise<void>
  delete(key: string): Promise<void>
  /** Of several callers at once one gets it. */
  getAndDelete(key: string): Promise<string | null>
  /** Adds one to a count that ends `ttl` seconds after its first. */
  increment(key: string, ttl: number): Promise<number>
}

/**
 * `secondaryStorage` for better-auth: `betterAuth({ secondaryStorage: secondaryStorage({ store }), … })`. Keys, some of which
 * are session tokens, are stored only as SHA-256. better-auth writes tokens into values too: pass `codec: encrypted({ keys })`
 * where a dump of the store must not give them.
 */
export function secondaryStorage(options: SecondaryStorageOptions): SecondaryStorage {
  const entries = hashedEntries(options)
  const lifetimeMs = (seconds: number): number => Math.ceil(seconds * 1000)
  return {
    get: async (key) => (await entries.get(key)) ?? null,
    async set(key, value, ttl) {
      // It has ended already.
      if (ttl !== undefined && ttl <= 0) await entries.delete(key)
      else await entries.set(key, value, ttl === undefined ? undefined : lifetimeMs(ttl))
    },
    delete: async (key) => void (await entries.delete(key)),
    getAndDelete: async (key) => (await entries.take(key)) ?? null,
    increment: (key, ttl) => entries.count(key, lifetimeMs(ttl)),
  }
}
