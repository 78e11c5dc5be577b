import { HitherError } from '../errors.ts'

export function invalid(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}

/** Throws for what is no object, and for an option that does not exist: none is dropped in silence. */
export function checkNames(what: string, given: object | undefined, known: readonly string[]): void {
  if (given === null || (given !== undefined && (typeof given !== 'object' || Array.isArray(given)))) {
    throw invalid(`${what} takes an object`)
  }
  for (const name of Object.keys(given ?? {})) if (!known.includes(name)) throw invalid(`${what} has no option ${name}`)
}

/** Its own properties alone: a name that somebody has put on `Object.prototype` is no option. */
export function ownOf<T extends object>(options: T | undefined): Partial<T> {
  return { __proto__: null, ...options } as unknown as Partial<T>
}

export function checkWhole(value: number, name: string, min: 0 | 1): number {
  if (Number.isSafeInteger(value) && value >= min) return value
  throw invalid(`${name} is a whole number${min ? ' above 0' : ''}`)
}

/** Throws `UNSUPPORTED` for a store without operations, and for the promise of one. */
export function checkOperations(what: string, store: { readonly run?: unknown } | undefined): void {
  if (typeof store?.run !== 'function') {
    const { then } = (store ?? {}) as { then?: unknown }
    throw new HitherError(
      'UNSUPPORTED',
      `${what} needs a store with operations${then ? ', not the promise of a client' : ''}`,
    )
  }
}
