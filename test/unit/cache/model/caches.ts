import { compressed, encrypted } from 'hither/codec'
import { createCache as createMini } from 'hither/mini'
import { nearTier } from 'hither/near'
import { type AtomicStore, type Cache, type Codec, createCache } from '../../../../src/index.ts'
import { createMiniCache, faceOf } from '../../../support/mini-face.ts'

/** One cache, and what it has. */
export interface Kind {
  readonly name: string
  readonly ttlMs: number
  readonly graceMs: number
  /** Without tags, an entry that has some is absent. */
  readonly hasTags: boolean
  /** Keeps Date, Map and -0. */
  readonly keepsAll: boolean
  /** The mark of its codec, if it has one. */
  readonly codec?: string
  readonly hasNear?: boolean
  open(store: AtomicStore): Cache<'frozen'>
}

const secret = new Uint8Array(32).fill(7)
const own: Codec = { mark: 'M', encode: (value) => JSON.stringify([value]), decode: (text) => JSON.parse(text)[0] }

function kind(name: string, [ttlMs, graceMs]: readonly [number, number], given: Partial<Kind>, options = {}): Kind {
  const all = { ttl: ttlMs, grace: graceMs, namespace: 'm', ...options }
  const open = (store: AtomicStore) => createCache({ store, ...all }) as unknown as Cache<'frozen'>
  return { name, ttlMs, graceMs, hasTags: true, keepsAll: true, open, ...given }
}

/** Kinds that may share a namespace, whatever they have. */
export const sharing: readonly Kind[] = [
  kind('full', [1000, 3000], {}),
  kind('without grace', [2000, 0], {}),
  kind('mini', [1000, 1000], {
    hasTags: false,
    keepsAll: false,
    open: (store) => faceOf(createMini({ store, ttl: 1000, grace: 1000, namespace: 'm' }) as never),
  }),
  kind('mini with tags and values', [1000, 0], {
    open: (store) => createMiniCache({ store, ttl: 1000, namespace: 'm' }),
  }),
  kind('encrypted', [1000, 3000], { codec: 'E' }, { codec: encrypted({ keys: [{ id: 'a', secret }] }) }),
  kind('own codec', [1000, 500], { codec: 'M', keepsAll: false }, { codec: own }),
]

/** Not where `CompressionStream` is missing. */
export const compressing = (): Kind =>
  kind('compressed', [1000, 0], { codec: 'C' }, { codec: compressed({ above: 10 }) })

/** Kinds with a near tier. Each has the namespace for itself, since another's writes may be seen late. */
export const alone: readonly (() => Kind)[] = [
  () => kind('near', [1000, 3000], { hasNear: true }, { near: nearTier() }),
  () => kind('near, mutable', [1000, 3000], { hasNear: true }, { near: nearTier(), mutable: true }),
  () =>
    kind(
      'near, encrypted',
      [1000, 3000],
      { hasNear: true, codec: 'E' },
      { near: nearTier(), codec: encrypted({ keys: [{ id: 'a', secret }] }) },
    ),
  () =>
    kind('near, mini', [1000, 3000], {
      hasNear: true,
      open: (store) => createMiniCache({ store, ttl: 1000, grace: 3000, namespace: 'm', near: nearTier() }),
    }),
]
