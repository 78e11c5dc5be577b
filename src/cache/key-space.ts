import { HASHED } from '../protocol/keys.ts'
import { utf8Length } from '../protocol/text.ts'
import type { Core } from './model.ts'

/** Converts a caller's keys to those of a namespace. In the plain format keys are as given. */
export interface KeySpace {
  /** The key in the store. Throws `INVALID_KEY`. */
  stored(key: string): string
  /** The key in the near tier. */
  names(key: string): string
}

/** `longKeys` shortens a key that is too long for the store. Shortened keys have a key space that no other key reaches. */
export function keySpace({ format, near, store, longKeys }: Core, name: string): KeySpace {
  const nearName = near.names(name)
  const stored = (key: string): string => format.storedKey(name, key)
  if (!longKeys) return { stored, names: nearName }
  const left = store.traits.maxKeyBytes - name.length - 1
  const isLong = (key: string): boolean =>
    typeof key === 'string' && key.length * 3 > left && key.isWellFormed() && utf8Length(key) > left
  const hashedName = near.names(name + HASHED)
  return {
    stored: (key) => (isLong(key) ? format.storedKey(name + HASHED, longKeys(key)) : stored(key)),
    names: (key) => (isLong(key) ? hashedName(longKeys(key)) : nearName(key)),
  }
}
