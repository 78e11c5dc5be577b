import { encodeJson } from '../../protocol/codec.ts'
import { type Entry, parseEntry } from '../../protocol/entry.ts'
import { storedKey } from '../../protocol/keys.ts'
import type { Arg, Effect, Operation, Reply } from '../../protocol/operation.ts'
import { readEntry, repeatEntry, writeEntry } from '../steps/entry.ts'

/** How values are stored. */
export interface Format {
  /** A value is stored as it is: no lease, version, namespace or grace. */
  readonly plain: boolean
  storedKey(namespace: string, key: string): string
  /** Undefined for an unknown form. */
  parse(text: string): Entry | undefined
  /** A value without a codec, in its stored form. Throws `UNENCODABLE`. */
  encode(value: unknown): { readonly mark: string; readonly payload: string }
  /** The atomic steps, by effect. */
  readonly steps: Readonly<Record<Effect, Operation<readonly Arg[], Reply>>>
}

/** Entries of the cache's own form (`protocol/entry.ts`). */
export const entryFormat: Format = {
  plain: false,
  storedKey,
  parse: parseEntry,
  encode: encodeJson,
  steps: { read: readEntry, repeat: repeatEntry, once: writeEntry },
}
