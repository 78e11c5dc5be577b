import { type Cache, createCache, type Frozen, HitherError } from 'hither'
import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import type { Tagged } from 'type-fest'
import { z } from 'zod'

// Code as an application writes it, compiled by each TypeScript from 5.5 to 7 (test/package/compilers.test.ts) and never run.

interface User {
  id: string
  tags: string[]
}
declare const load: () => Promise<User[]>
const cache = createCache({ store: memoryStore(), ttl: '1m' })
const shared = createCache({ store: memoryStore(), near: nearTier(), ttl: '1m' })
const copied = createCache({ store: memoryStore(), near: nearTier(), mutable: true })

// The caller may change a value without a near tier, and with one that returns copies.
export async function list(): Promise<User[]> {
  return cache.getOrSet('users', load)
}
export async function sorted(): Promise<User[]> {
  const users = await copied.getOrSet('users', load)
  return users.sort((a, b) => a.id.localeCompare(b.id))
}
export async function any<T>(key: string, loader: () => Promise<T>): Promise<T> {
  return cache.getOrSet(key, loader)
}
export const found: Promise<User | undefined> = cache.get<User>('k')
export const ofKind: Promise<User[]> = cache.define({ name: 'users', load }).get(undefined)
export const wrapped: Promise<User[]> = cache.wrap(load, { name: 'users' })()
export const inside: Promise<User[]> = cache.namespace('a').with({ deadline: 1 }).getOrSet('users', load)

// With any other near tier, values are shared and read-only.
export async function shown(): Promise<readonly Frozen<User>[]> {
  return shared.getOrSet('users', load)
}
export async function frozen<T>(key: string, loader: () => Promise<T>): Promise<Frozen<T>> {
  return shared.getOrSet(key, loader)
}
// @ts-expect-error a shared value cannot be changed
void shared.getOrSet('users', load).then((users) => users.sort())
// @ts-expect-error a cache of shared values is no cache of mutable ones
export const wrong: Cache = shared
export const written: Promise<User[]> = shared.with({ mutable: true }).getOrSet('users', load)

// A branded string or number stays as it is.
type Id = string & { readonly __brand: 'Id' }
type Count = number & { readonly __brand: unique symbol }
type Slug = Tagged<string, 'Slug'>
const Email = z.string().brand<'Email'>()
type Email = z.infer<typeof Email>
const Account = z.object({ email: Email, ids: z.array(z.number().brand<'N'>()) }).brand<'Account'>()
interface Branded {
  id: Id
  count: Count
  slug: Slug
  email: Email
  all: Id[]
}
declare const branded: () => Promise<Branded>
export async function brands(): Promise<[Id, Count, Slug, Email, readonly Id[]]> {
  const { id, count, slug, email, all } = await shared.getOrSet('k', branded)
  return [id, count, slug, email, all]
}
export const id: Promise<Id> = shared.getOrSet('k', () => 'a' as Id)
export const slug: Promise<Slug | undefined> = shared.get<Slug>('k')
export const tagged: Promise<readonly Slug[]> = shared.getOrSet('k', () => ['a' as Slug])
export const account = shared.define({ name: 'account', schema: Account, load: (_: string) => 1 }).get('k')
export const email: Promise<Email> = account.then((one) => one.email)

// Recursive types.
type Json = null | string | number | boolean | Json[] | { [name: string]: Json }
type ReadonlyJson =
  | null
  | string
  | number
  | boolean
  | readonly ReadonlyJson[]
  | { readonly [name: string]: ReadonlyJson }
declare const json: () => Promise<Json>
export const read: Promise<ReadonlyJson> = shared.getOrSet('k', json)
export const own: Promise<Json> = cache.getOrSet('k', json)
export const many = shared.getMany<Json>(['k'])
export const entry = shared.getEntry<{ data: Json; map: Map<string, Json> }>('k')
interface Tree {
  value: number
  children: Tree[]
  parent?: Tree
}
export const leaf: Promise<number | undefined> = shared
  .getOrSet('k', (): Tree => ({ value: 1, children: [] }))
  .then((tree) => tree.children[0]?.children[0]?.parent?.value)
type Expression = number | ['add', Expression, Expression] | ['not', Expression]
export const expression = shared.getOrSet('k', (): Expression => 1)
type Nested = string | Map<string, Nested> | Set<Nested>
export const nested = shared.getOrSet('k', (): Nested => 'a')

// Tuples stay tuples; unknown and any stay unknown and any.
export const pair: Promise<readonly [number, (readonly string[])?, ...(readonly boolean[])[]]> = shared.getOrSet(
  'k',
  (): [number, string[]?, ...boolean[][]] => [1],
)
export const unknown: Promise<unknown> = shared.getOrSet('k', (): unknown => 1)
export const parsed: Promise<string> = shared.getOrSet('k', () => JSON.parse('{}')).then((value) => value.a.b)
export const code = (error: unknown): string => (error instanceof HitherError ? error.code : '')
