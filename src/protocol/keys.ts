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

/**
 * Characters that set keys of another kind apart from a namespace's own. No namespace has them, so no user key reaches such
 * keys.
 */
export const DEFINED = '@'
export const WRAPPED = '+'
export const HASHED = '~'

/**
 * The stored key `<namespace>:<key>`. Throws `INVALID_KEY` for a key that is no string or empty; the store checks the length
 * and form of the whole. No user key reaches the cache's own keys, which start with a colon.
 */
export function storedKey(namespace: string, key: string): string {
  if (typeof key === 'string' && key !== '') return `${namespace}:${key}`
  throw new HitherError('INVALID_KEY', 'a key is a string that is not empty')
}

/** The stored key of a namespace's generation. */
export function generationKey(namespace: string): string {
  return `:${namespace}:g`
}

/** The stored key of the version of a tag in a namespace. */
export function tagKey(namespace: string, tag: string): string {
  return `:${namespace}:t:${tag}`
}
