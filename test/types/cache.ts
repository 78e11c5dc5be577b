import type { StandardSchemaV1 } from '@standard-schema/spec'
import {
  type AtomicStore,
  type Cache,
  type CacheEvent,
  type CacheOptions,
  createCache,
  type Frozen,
  type GetOrSetOptions,
  type Loader,
  type PlainCache,
  type PlainCacheOptions,
  type Schema,
  type Store,
} from 'hither'
import type { NearTier } from 'hither/near'
import { plain as plainFormat } from 'hither/plain'
import * as v from 'valibot'
import { z } from 'zod'
import { typed } from './support.ts'

// Compiled by `npm run typecheck` and never run: each line below must compile, except those marked @ts-expect-error.

interface User {
  name: string
  tags: string[]
}
interface FrozenUser {
  readonly name: string
  readonly tags: readonly string[]
}
declare const cache: Cache<'frozen'>
declare const plain: PlainCache
declare const loadUser: () => Promise<User>

// The type of the value is inferred from the loader, and is read-only.
typed<Promise<number>>()(cache.getOrSet('k', () => 1))
typed<Promise<string>>()(cache.getOrSet('k', async ({ key }) => key))
typed<Promise<Frozen<User>>>()(cache.getOrSet('k', loadUser))
typed<Promise<null>>()(cache.getOrSet('k', () => null))
const user: FrozenUser = await cache.getOrSet('k', loadUser)
void user
// @ts-expect-error a value that other callers may share cannot be changed
;(await cache.getOrSet('k', loadUser)).name = 'x'
// @ts-expect-error nor can anything inside of it
;(await cache.getOrSet('k', loadUser)).tags.push('x')
// @ts-expect-error a Map is returned as a read-only map
;(await cache.getOrSet('k', () => new Map([['a', 1]]))).set('b', 2)
// @ts-expect-error a loader is a function
void cache.getOrSet('k', 1)
// @ts-expect-error a loader has no `url`
void cache.getOrSet('k', ({ url }) => url)
void cache.getOrSet('k', ({ signal }) => fetch('https://x', { signal }).then((response) => response.text()))

// A read names the type of the value, and may find nothing.
typed<Promise<Frozen<User> | undefined>>()(cache.get<User>('k'))
typed<Promise<Map<string, Frozen<User>>>>()(cache.getMany<User>(['k']))
typed<Promise<unknown>>()(cache.get('k'))
// @ts-expect-error an absent value is undefined, which the code must check
void (await cache.get<User>('k')).name
// @ts-expect-error a key is text
void cache.get(1)

// A wrapped function keeps its parameters.
const find = cache.wrap(async (id: number, locale?: string): Promise<User> => ({ name: `${id}${locale}`, tags: [] }), {
  name: 'find',
  key: (id) => id.toFixed(0),
})
typed<(id: number, locale?: string) => Promise<Frozen<User>>>()(find)
// @ts-expect-error an id is a number
void find('1')
// @ts-expect-error a name is required: a minifier may give all functions the same name
void cache.wrap(loadUser, {})
// @ts-expect-error a key is text
void cache.wrap(loadUser, { name: 'x', key: () => 1 })

// Durations: milliseconds, or a literal with its unit.
for (const ttl of [1, '250ms', '30s', '5m', '1h', '7d', '1.5h'] as const) void cache.set('k', 1, { ttl })
// @ts-expect-error apples are no unit of time
void cache.set('k', 1, { ttl: '5 apples' })
// @ts-expect-error the unit is missing
void cache.set('k', 1, { ttl: '5' })
// @ts-expect-error a month has no fixed length
void cache.set('k', 1, { ttl: '1M' })
// @ts-expect-error a bigint is no duration
void cache.set('k', 1, { ttl: 5n })
declare const anyText: string
// @ts-expect-error the text is not known at compile time
void cache.set('k', 1, { ttl: anyText })
// @ts-expect-error a misspelt option is not silently ignored
void cache.set('k', 1, { tll: '5m' })
// @ts-expect-error an absent option is left out, not undefined
void cache.set('k', 1, { ttl: undefined })
void cache.get('k', { signal: undefined, deadline: undefined })

void cache.touch('k', { ttl: '5m', grace: '1h' })
// @ts-expect-error an entry keeps its tags
void cache.touch('k', { tags: ['a'] })

// The plain format has no grace and no namespace.
void plain.set('k', 1, { ttl: '5m' })
void plain.getOrSet('k', loadUser, { ttl: '5m', hardTimeout: '1s' })
// @ts-expect-error grace needs the package's own entry format
void plain.set('k', 1, { grace: '1h' })
// @ts-expect-error the same for getOrSet
void plain.getOrSet('k', loadUser, { grace: '1h' })
// @ts-expect-error tags need that format, too
void plain.getOrSet('k', loadUser, { tags: ['a'] })
// @ts-expect-error the plain format uses keys as they are, without a prefix
void plain.namespace('x')
typed<PlainCache>()(plain.with({}))
typed<Cache<'frozen'>>()(cache.with({ waitUntil: () => {}, deadline: 1 }))
typed<Cache<'frozen'>>()(cache.namespace('x').with({}))

// The `type` of an event distinguishes its kinds.
declare const event: CacheEvent
// @ts-expect-error a hit has no duration
void event.durationMs
if (event.type === 'load') typed<number>()(event.durationMs)
// @ts-expect-error an event does not contain the value
void event.value

// A cache needs a store with operations. Its type depends on the format.
declare const store: AtomicStore
typed<Cache>()(createCache({ store }))
typed<Cache>()(createCache({ store, namespace: 'shop', ttl: '5m', grace: '1h' }))
typed<PlainCache>()(createCache({ store, format: plainFormat(), ttl: 60_000 }))
// A value may be changed if no other caller shares it: without a near tier, or with one that returns copies.
declare const near: NearTier
const own = createCache({ store, near, mutable: true })
typed<Cache>()(own)
typed<Cache<'frozen'>>()(createCache({ store, near }))
typed<Cache<'frozen'>>()(createCache({ store, near, mutable: false }))
typed<Cache>()(createCache({ store, mutable: false }))
typed<PlainCache<'frozen'>>()(createCache({ store, near, format: plainFormat() }))
typed<PlainCache>()(createCache({ store, near, format: plainFormat(), mutable: true }))
declare const someOptions: CacheOptions
typed<Cache<'frozen'>>()(createCache(someOptions))
typed<Promise<User>>()(createCache({ store }).getOrSet('k', loadUser))
typed<Promise<User>>()(own.getOrSet('k', loadUser))
typed<Promise<User | undefined>>()(own.get<User>('k'))
typed<Promise<Map<string, User>>>()(own.getMany<User>(['k']))
typed<User | undefined>()((await own.namespace('x').getEntry<User>('k')).value)
typed<Promise<User>>()(own.wrap(loadUser, { name: 'x' })())
typed<Promise<User>>()(own.define({ name: 'x', load: loadUser }).get(undefined))
;(await own.getOrSet('k', loadUser)).tags.push('x')
typed<Cache>()(cache.with({ mutable: true }))
typed<Cache<'frozen'>>()(own.with({ mutable: false }))
typed<Cache>()(own.with({ deadline: 1 }))
typed<PlainCache<'frozen'>>()(plain.with({ mutable: false }))
// @ts-expect-error whether the value is mutable is not known at compile time
;(await createCache({ store, near, mutable: Math.random() < 0.5 }).getOrSet('k', loadUser)).name = 'x'
// @ts-expect-error a cache of shared values is no cache of mutable ones
typed.call(null, (): Cache => createCache({ store, near }))
// The format may be known only when the program runs.
declare const either: CacheOptions | PlainCacheOptions
typed<PlainCache<'frozen'>>()(createCache(either))
// @ts-expect-error a store is required: memory is not the default
createCache({ ttl: '5m' })
declare const plainStore: Store
// Over a store without operations a cache promises less, and the plain format is not possible.
createCache({ store: plainStore })
// @ts-expect-error the plain format needs operations
createCache({ store: plainStore, format: plainFormat() })
// @ts-expect-error a promise of a store is no store
createCache({ store: Promise.resolve(store) })
// @ts-expect-error apples are no unit of time
createCache({ store, ttl: '5 apples' })
// @ts-expect-error an unknown option is not silently ignored
createCache({ store, timeToLive: '5m' })
// @ts-expect-error grace needs the package's own entry format
createCache({ store, format: plainFormat(), grace: '1h' })
// @ts-expect-error the plain format uses keys as they are, without a prefix
createCache({ store, format: plainFormat(), namespace: 'shop' })
// @ts-expect-error JSON only: another codec would hide the value from other programs
createCache({ store, format: plainFormat(), codec: { name: 'x', encode: String, decode: String } })
// @ts-expect-error a listener gets events, not text
createCache({ store, onEvent: (event: string) => event })

// Options of a load may be set once for the whole cache; the plain format has none of them.
createCache({ store, softTimeout: '200ms', jitter: 0.1, backoff: '5s', refresh: () => false })
// @ts-expect-error grace needs the package's own entry format
createCache({ store, format: plainFormat(), softTimeout: '200ms' })
// @ts-expect-error not every option of a load is one of a cache
createCache({ store, negativeTtl: '1s' })

// A definition has the type of its schema, or of its loader.
declare const userSchema: Schema<User>
const byId = cache.define({
  name: 'user',
  schema: userSchema,
  key: ({ id }: { id: number }) => `${id}`,
  load: () => ({}),
})
typed<Promise<Frozen<User>>>()(byId.get({ id: 1 }))
typed<Promise<(Frozen<User> | undefined)[]>>()(byId.getMany([{ id: 1 }]))
// @ts-expect-error its parameters are typed
void byId.get({ id: '1' })
// @ts-expect-error and so is the value that is set
void byId.set({ id: 1 }, 'x')
const count = cache.define({ name: 'count', load: async (of: string) => of.length })
typed<Promise<number>>()(count.get('x'))
// @ts-expect-error a definition needs a loader
cache.define({ name: 'user' })
// Both loaders of a kind without a schema give its type; a schema checks what either of them loads.
const loadCount = async (of: string): Promise<number> => of.length
const rows = async (list: readonly string[]): Promise<string[]> => [...list]
const loadMany = async (list: readonly string[]) => list.map((of) => (of ? of.length : undefined))
typed<Promise<(number | undefined)[]>>()(cache.define({ name: 'c', load: loadCount, loadMany }).getMany(['x']))
// @ts-expect-error one loads numbers, the other text
cache.define({ name: 'count', load: loadCount, loadMany: rows })
cache.define({ name: 'user', schema: userSchema, load: loadCount, loadMany: rows })
// Schemas of Zod and Valibot fit.
typed<Promise<{ readonly id: number }>>()(
  cache.define({ name: 'z', schema: z.object({ id: z.number() }), load: (_: string) => 1 }).get('x'),
)
typed<Promise<{ readonly id: number }>>()(
  cache.define({ name: 'v', schema: v.object({ id: v.number() }), load: (_: string) => 1 }).get('x'),
)
// The output of a call's schema is what the call returns, whatever the type of its loader.
const Dated = z.object({ at: z.coerce.date(), role: z.string().default('user') })
type Dated = z.output<typeof Dated>
const read = async (): Promise<unknown> => JSON.parse('{}')
typed<Promise<Dated>>()(own.getOrSet('k', () => ({ at: '2026-01-01' }), { schema: Dated }))
typed<Promise<Dated>>()(own.getOrSet('k', read, { ttl: '1m', schema: Dated }))
typed<Promise<{ readonly at: Date; readonly role: string }>>()(cache.getOrSet('k', read, { schema: Dated }))
typed<Promise<{ id: number }>>()(own.getOrSet('k', read, { schema: v.object({ id: v.number() }) }))
typed<Promise<{ id: number }>>()(plain.getOrSet('k', read, { schema: z.object({ id: z.number() }) }))
typed<Promise<Map<string, Dated>>>()(own.getOrSetMany(['k'], () => new Map([['k', 1]]), { schema: Dated }))
typed<Promise<Dated>>()(own.wrap((_: number) => read(), { name: 'x', schema: Dated })(1))
// Options with a schema of no known output leave the loader's type, also in a function that knows the type as little.
declare const loading: GetOrSetOptions
typed<Promise<User>>()(own.getOrSet('k', loadUser, loading))
typed<Promise<User>>()(own.getOrSet<User>('k', loadUser))
// @ts-expect-error the type that is expected does not replace the one that is loaded
export const other: Promise<User> = own.getOrSet('k', () => 1)
// @ts-expect-error nor that of a schema
export const another: Promise<User> = own.getOrSet('k', loadUser, { schema: Dated })
export async function loaded<T>(key: string, loader: Loader<T>, options?: GetOrSetOptions): Promise<T> {
  return own.getOrSet(key, loader, options)
}
export async function checked<T>(key: string, schema: Schema<T>): Promise<T> {
  return own.define({ name: 'c', schema, load: read }).get(key)
}
declare const standard: StandardSchemaV1<unknown, User>
typed<Promise<Frozen<User>>>()(cache.define({ name: 's', schema: standard, load: (_: string) => 1 }).get('x'))
