import { HitherError } from '../errors.ts'
import type { Arg } from '../protocol/operation.ts'
import { isWellFormed, utf8Length } from '../protocol/text.ts'
import type { StoreTraits } from './store.ts'

/** Most keys in one public batch. */
const MAX_BATCH = 10_000

function fits(text: string, bytes: number): boolean {
  return text.length * 3 <= bytes || (text.length <= bytes && utf8Length(text) <= bytes)
}

/** Throws `INVALID_KEY` for a key that is empty, not a string, malformed, or longer than the store takes. */
export function checkKey(key: string, traits: StoreTraits): void {
  if (typeof key !== 'string' || key === '') throw new HitherError('INVALID_KEY', 'a key is a string that is not empty')
  if (!isWellFormed(key)) throw new HitherError('INVALID_KEY', 'a key may not hold a lone surrogate')
  if (!fits(key, traits.maxKeyBytes)) {
    throw new HitherError('INVALID_KEY', `a key may have ${traits.maxKeyBytes} bytes of UTF-8`)
  }
}

/** Throws `INVALID_VALUE` or `VALUE_TOO_LARGE` for text that the store cannot give back unchanged. */
export function checkValue(value: string, traits: StoreTraits): void {
  if (typeof value !== 'string') throw new HitherError('INVALID_VALUE', 'a stored value is a string')
  if (!fits(value, traits.maxValueBytes)) {
    throw new HitherError('VALUE_TOO_LARGE', `a value may have ${traits.maxValueBytes} bytes of UTF-8`)
  }
  if (!isWellFormed(value)) throw new HitherError('INVALID_VALUE', 'a value may not hold a lone surrogate')
}

/** Throws `INVALID_DURATION` unless `ttlMs` is absent or a whole number of milliseconds, at least 1. */
export function checkTtl(ttlMs: number | undefined): void {
  if (ttlMs !== undefined && !(Number.isSafeInteger(ttlMs) && ttlMs > 0 && ttlMs <= 1e14)) {
    throw new HitherError('INVALID_DURATION', 'ttlMs is a whole number of milliseconds, at least 1')
  }
}

/** Throws `BATCH_TOO_LARGE`, or what `checkKey` throws for one of the keys. */
export function checkKeys(keys: readonly string[], traits: StoreTraits): void {
  if (keys.length > MAX_BATCH) throw new HitherError('BATCH_TOO_LARGE', `a batch may have ${MAX_BATCH} keys`)
  for (const key of keys) checkKey(key, traits)
}

/** Throws `INVALID_ARGUMENT` for a number that is no safe integer, and as `checkValue` for text. */
export function checkArgs(args: readonly Arg[], traits: StoreTraits): void {
  for (const arg of args) {
    if (typeof arg === 'string') checkValue(arg, traits)
    else if (!Number.isSafeInteger(arg)) {
      throw new HitherError('INVALID_ARGUMENT', 'an operation takes strings and safe integers')
    }
  }
}
