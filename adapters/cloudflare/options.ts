import { HitherError } from 'hither'

/** Throws `INVALID_ARGUMENT` if `options` is not an object, or has an option that does not exist. */
export function checkNames(what: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw new HitherError('INVALID_ARGUMENT', `${what} takes an object`)
  }
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new HitherError('INVALID_ARGUMENT', `${what} has no option ${name}`)
  }
}
