import { HitherError } from '../errors.ts'
import type { Codec } from './codec.ts'

const MAX_SAFE = Number.MAX_SAFE_INTEGER

export function invalid(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}

/**
 * Throws `INVALID_ARGUMENT` for options that are neither an object nor left out, and for an unknown option: none is ignored in
 * silence.
 */
export function checkNames(what: string, given: object | undefined | null, known: readonly string[]): void {
  if (given === null || (given !== undefined && (typeof given !== 'object' || Array.isArray(given)))) {
    throw invalid(`${what} takes an object`)
  }
  for (const name of Object.keys(given ?? {})) if (!known.includes(name)) throw invalid(`${what} has no option ${name}`)
}

const NONE = { __proto__: null } as unknown as Readonly<Record<string, never>>

/**
 * A copy with the own properties alone: a name that somebody has put on `Object.prototype` is no option. An object that this
 * function has returned before is returned as it is.
 */
export function ownOf<T extends object>(options: T | undefined): Partial<T> {
  // Created once: creating an object without a prototype would cost a call without options as much as the rest of that call.
  if (!options) return NONE as Partial<T>
  if (Object.getPrototypeOf(options) === null) return options
  return { __proto__: null, ...options } as unknown as Partial<T>
}

/** Throws `INVALID_ARGUMENT` unless `value` is a safe integer from `least` to `most`. */
export function checkWhole(value: number, name: string, least: number = -MAX_SAFE, most: number = MAX_SAFE): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  const range =
    most < MAX_SAFE ? ` from ${least} to ${most}` : least === 1 ? ' above 0' : least > 1 ? ` from ${least} up` : ''
  throw invalid(`${name} is a whole number${range}`)
}

/** Throws `INVALID_ARGUMENT` for a value that is neither a function nor left out. */
export function checkFunction(given: unknown, name: string): void {
  if (typeof (given ?? invalid) !== 'function') throw invalid(`${name} is a function`)
}

/** Throws `INVALID_ARGUMENT` for a value that is neither a codec, such as `encrypted({ keys })`, nor left out. */
export function checkCodec(codec: Partial<Codec> | null | undefined): void {
  if (codec === undefined || codec === null) return
  const isForm = typeof codec.encode === 'function' && typeof codec.decode === 'function'
  if (!isForm || !/^[A-Z]$/.test(`${codec.mark}`))
    throw invalid('a codec has encode, decode and one letter from A to Z as its mark')
}

/** Throws `INVALID_ARGUMENT` for a value that is neither a Standard Schema nor left out. */
export function checkSchema(schema: { readonly '~standard'?: { readonly validate: unknown } } | undefined): void {
  if (schema === undefined || schema === null) return
  if (typeof schema['~standard']?.validate !== 'function') throw invalid('schema is a Standard Schema')
}

/**
 * Throws `INVALID_ARGUMENT` for a value that is neither an AbortSignal nor left out, and the signal's reason where it has
 * aborted.
 */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal === undefined || signal === null) return
  if (typeof signal.throwIfAborted !== 'function') throw invalid('signal is an AbortSignal')
  if (signal.aborted) throw signal.reason
}

/** Throws `INVALID_ARGUMENT` for a value that is no boolean: text such as 'false', from the environment, would count as true. */
export function checkFlag(given: boolean, name: string): void {
  if (typeof given !== 'boolean') throw invalid(`${name} is true or false`)
}

/** Throws `INVALID_ARGUMENT` unless `value` is one of `words`. */
export function checkOneOf<V extends string>(value: V, name: string, words: readonly V[]): V {
  if (words.includes(value)) return value
  throw invalid(`${name} is ${words.join(' or ')}`)
}

/** Throws `UNSUPPORTED` for a store without operations, and for the promise of a store. */
export function checkOperations(what: string, store: { readonly run?: unknown } | undefined): void {
  if (typeof store?.run !== 'function') {
    const { then } = (store ?? {}) as { then?: unknown }
    throw new HitherError(
      'UNSUPPORTED',
      `${what} needs a store with operations${then ? ', not the promise of a client' : ''}`,
    )
  }
}
