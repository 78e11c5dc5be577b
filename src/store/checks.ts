import { HitherError } from '../errors.ts'
import { checkWhole, invalid } from '../protocol/arguments.ts'
import type { Arg } from '../protocol/operation.ts'
import { isWellFormed, utf8Length } from '../protocol/text.ts'
import type { StoreTraits } from './store.ts'

/** Most keys in one public batch. */
const MAX_BATCH = 10_000

function fits(text: string, bytes: number): boolean {
  return text.length * 3 <= bytes || (text.length <= bytes && utf8Length(text) <= bytes)
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && isWellFormed(value)
}

/** Throws `INVALID_KEY` for a key that is empty, not a string, malformed, or longer than the store takes. */
export function checkKey(key: string, { maxKeyBytes }: StoreTraits): void {
  if (!key || !isText(key) || !fits(key, maxKeyBytes)) {
    throw new HitherError('INVALID_KEY', `a key is well-formed text of 1 to ${maxKeyBytes} bytes`)
  }
}

/** Throws `INVALID_VALUE` or `VALUE_TOO_LARGE` for a value that the store could not return unchanged. `bytes`: it is not text. */
export function checkValue(value: string | Uint8Array, { maxValueBytes }: StoreTraits, bytes?: boolean): void {
  if (bytes ? !(value instanceof Uint8Array) : !isText(value)) {
    throw new HitherError('INVALID_VALUE', 'a value is well-formed text, or bytes')
  }
  if (bytes ? value.length > maxValueBytes : !fits(value as string, maxValueBytes)) {
    throw new HitherError('VALUE_TOO_LARGE', `a value has at most ${maxValueBytes} bytes`)
  }
}

/** Throws `INVALID_DURATION` unless `ttlMs` is absent or a whole number of milliseconds, at least 1. */
export function checkTtl(ttlMs = 1): void {
  if (!Number.isInteger(ttlMs) || ttlMs < 1 || ttlMs > 1e14) {
    throw new HitherError('INVALID_DURATION', 'ttlMs is whole milliseconds, at least 1')
  }
}

/** Throws `BATCH_TOO_LARGE`, or what `checkKey` throws for one of the keys. */
export function checkKeys(keys: readonly string[], traits: StoreTraits): void {
  if (keys.length > MAX_BATCH) throw new HitherError('BATCH_TOO_LARGE', `a batch has at most ${MAX_BATCH} keys`)
  for (const key of keys) checkKey(key, traits)
}

/** Throws `INVALID_ARGUMENT` for a number that is not a safe integer, and as `checkValue` for text. */
export function checkArgs(args: readonly Arg[], traits: StoreTraits): void {
  for (const arg of args) {
    if (typeof arg !== 'number') checkValue(arg, traits)
    else if (!Number.isSafeInteger(arg)) {
      throw new HitherError('INVALID_ARGUMENT', 'an operation takes well-formed text and safe integers')
    }
  }
}

/** Throws `INVALID_ARGUMENT` for an option of a store that is not valid. An option may be left out. */
export function checkLimits(options: {
  readonly maxKeyBytes?: number | undefined
  readonly maxValueBytes?: number | undefined
  readonly timeoutMs?: number | undefined
  readonly onEvent?: unknown
}): void {
  for (const name of ['maxKeyBytes', 'maxValueBytes', 'timeoutMs'] as const) checkWhole(options[name] ?? 1, name, 1)
  if (typeof (options.onEvent ?? invalid) !== 'function') throw invalid('onEvent is a function')
}
