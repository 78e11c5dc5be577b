import { type Cache, createCache, type Loader, type Results } from 'hither'
import { memoryStore } from 'hither/memory'
import * as mini from 'hither/mini'
import { nearTier } from 'hither/near'
import { plain } from 'hither/plain'
import { tcpStore } from 'hither/tcp'

// Code as a library writes it, whose declarations are emitted (test/package/compilers.test.ts). Each type has a public name.

const store = memoryStore()
export const cache = createCache({ store })
export const shared = createCache({ store, near: nearTier() })
export const small = mini.createCache({ store })
export const tagged = mini.createCache({ store, tags: mini.tags() })
export const asJson = mini.createCache({ store, format: plain() })
export const read = <T, R extends Results>(from: Cache<R>, key: string) => from.get<T>(key)
export const load = <T, R extends Results>(from: Cache<R>, key: string, loader: Loader<T>) => from.getOrSet(key, loader)
export const counted = (url: string) => ({ ...tcpStore(url).transport, sent: 0 })
