import { HitherError } from '../errors.ts'

/**
 * Throws `INVALID_KEY` unless `name` is letters, digits, `_` and `-`. A dot joins nested namespaces and is part of no name:
 * otherwise `acme.com` would be the namespace `com` within `acme`.
 */
export function checkNamespace(name: string): string {
  if (typeof name === 'string' && /^[\w-]+$/.test(name)) return name
  throw new HitherError(
    'INVALID_KEY',
    'a namespace is made of letters, digits, _ and -, and nested by .namespace(); encode any other name',
  )
}

/** What tells keys of another kind from a namespace's own: no namespace has these characters, so that no key reaches them. */
export const DEFINED = '@'
export const WRAPPED = '+'
export const HASHED = '~'

/**
 * The stored key `<namespace>:<key>`. Throws `INVALID_KEY` for a key that is no string or empty; its length and form are
 * checked by the store, on the whole. No user key reaches a key of the cache's own, which starts with a colon.
 */
export function storedKey(namespace: string, key: string): string {
  if (typeof key === 'string' && key !== '') return `${namespace}:${key}`
  throw new HitherError('INVALID_KEY', 'a key is a string that is not empty')
}

/** Where a namespace keeps its generation. */
export function generationKey(namespace: string): string {
  return `:${namespace}:g`
}

/** Where a namespace keeps the version of a tag. */
export function tagKey(namespace: string, tag: string): string {
  return `:${namespace}:t:${tag}`
}
