import { sha256Hex } from '../protocol/sha256.ts'

/**
 * For `longKeys`: a key that is longer than the store takes is replaced by its SHA-256, 64 characters. Two keys meet only
 * where their digests do, and no shorter key meets one.
 */
export function hashed(): (key: string) => string {
  let last = ''
  let digest = ''
  return (key) => {
    // One call asks more than once.
    if (key !== last || !digest) digest = sha256Hex(key)
    last = key
    return digest
  }
}

/** For `eventKeys`: the first 8 digits of a key's SHA-256. Whoever guesses a key can tell by it: it hides none. */
export function shortHash(): (key: string) => string {
  const hash = hashed()
  return (key) => hash(key).slice(0, 8)
}
