import { HitherError } from '../errors.ts'
import type { Schema, SchemaResult } from '../protocol/schema.ts'

export type { Schema } from '../protocol/schema.ts'

interface Conformed {
  readonly value: unknown
}

/** The value as the schema returns it; undefined when the schema refuses it. Returns a promise only if the schema does. */
export function conform(schema: Schema, value: unknown): Conformed | undefined | Promise<Conformed | undefined> {
  const accepted = (result: SchemaResult<unknown>): Conformed | undefined => (result.issues ? undefined : result)
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then(accepted) : accepted(result)
}

/**
 * Checks a value that was loaded or is set, and resolves to the schema's output, which is stored. The schema must accept its
 * own output, since it checks that at each read. Rejects with `INVALID_VALUE`; the schema's issues are in `cause`.
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
