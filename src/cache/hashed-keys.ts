import { sha256Hex } from '../protocol/sha256.ts'

/**
 * For `longKeys`: replaces a key that is too long for the store by its SHA-256 digest, 64 characters. Two long keys collide
 * only if their digests do, and none collides with a shorter key.
 */
export function hashed(): (key: string) => string {
  let last = ''
  let digest = ''
  return (key) => {
    // One call asks for the same digest more than once.
    if (key !== last || !digest) digest = sha256Hex(key)
    last = key
    return digest
  }
}

/** For `eventKeys`: the first 8 hex digits of a key's SHA-256 digest. It does not hide a key that somebody can guess. */
export function shortHash(): (key: string) => string {
  const hash = hashed()
  return (key) => hash(key).slice(0, 8)
}
