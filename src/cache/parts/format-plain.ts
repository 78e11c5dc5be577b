import { HitherError } from '../../errors.ts'
import { encodeJson } from '../../protocol/codec.ts'
import { NONE } from '../../protocol/entry.ts'
import { NEVER } from '../../runtime/clock.ts'
import { readPlain, writePlain } from '../steps/plain.ts'
import type { Format } from './format-entry.ts'

/** The format of entries that other programs read and write as well, for `createCache`. */
export interface PlainFormat extends Format {
  readonly plain: true
}

/** JSON text under the key as given; the server keeps the lifetime. */
export function plain(): PlainFormat {
  return {
    plain: true,
    storedKey: (_namespace, key) => key,
    parse: (payload) => ({ ...ENTRY, payload }),
    encode(value) {
      const coded = encodeJson(value, false, true)
      if (coded.mark === 'r') throw new HitherError('UNENCODABLE', 'the plain format keeps what JSON can, no more')
      return coded
    },
    // No step of a plain value may be sent again.
    steps: { read: readPlain, repeat: writePlain, once: writePlain },
  }
}

const ENTRY = {
  mark: 'j',
  id: '',
  // By no clock: its age is 0.
  writtenMs: NEVER,
  loadMs: 0,
  freshUntilMs: NEVER,
  expiresMs: NEVER,
  lease: NONE,
  generation: NONE,
  tags: '',
}
