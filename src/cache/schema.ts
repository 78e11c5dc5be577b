import { HitherError } from '../errors.ts'
import type { Schema, SchemaResult } from '../protocol/schema.ts'

export type { Schema } from '../protocol/schema.ts'

interface Conformed {
  readonly value: unknown
}

/** The value as the schema gives it, in a box; undefined when it refuses it. At once, where the schema answers at once. */
export function conform(schema: Schema, value: unknown): Conformed | undefined | Promise<Conformed | undefined> {
  const accepted = (result: SchemaResult<unknown>): Conformed | undefined => (result.issues ? undefined : result)
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then(accepted) : accepted(result)
}

/**
 * What a loader answered, or a caller sets, as it will be stored: by the schema, which must accept it again when it is
 * read. Rejects `INVALID_VALUE`; what the schema says is in `cause`.
 */
export async function conformLoaded(schema: Schema, value: unknown): Promise<unknown> {
  const loaded = await schema['~standard'].validate(value)
  if (loaded.issues) throw refused('the schema refuses the value, its issues are in cause', loaded.issues)
  const again = await schema['~standard'].validate(loaded.value)
  if (!again.issues) return loaded.value
  const changes = 'use one that does not change the type of a value, such as z.coerce.date()'
  throw refused(`the schema refuses its own output, and so every later read: ${changes}`, again.issues)
}

function refused(what: string, cause: readonly unknown[]): HitherError {
  return new HitherError('INVALID_VALUE', what, { cause })
}
