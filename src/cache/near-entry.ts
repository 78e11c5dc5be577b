import type { NearEntry } from '../near/local-tier.ts'
import { now } from '../runtime/clock.ts'
import type { View } from './model.ts'
import { noNear } from './parts/no-near.ts'
import { conform, type Schema } from './schema.ts'

/** The near tier's entry, fresh or in grace, if this schema has checked its value (without a schema: if none has). */
export function nearEntry(view: View, key: string, schema?: Schema): NearEntry | undefined {
  const { near } = view.core
  const kept = near !== noNear && typeof key === 'string' ? near.get(view.nearKey(key), now()) : undefined
  const entry = view.request.mutable && kept ? { ...kept, value: view.core.near.copyForCaller(kept.value) } : kept
  const { extras } = entry ?? {}
  if (!entry || extras?.schema === schema) return entry
  if (!schema || !extras?.unconfirmed) return undefined
  // The store does not have this value, so the schema can only check it here.
  const conformed = conform(schema, entry.value)
  return conformed instanceof Promise || !conformed ? undefined : { ...entry, value: conformed.value }
}

export function isFresh(entry: NearEntry | undefined): entry is NearEntry {
  return !!entry && entry.freshUntilMs > now()
}
